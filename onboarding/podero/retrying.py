"""What an outcome is called, and whether trying again later can help.

One vocabulary for all outcomes (`Code`) and one decision about it (`is_retryable`); nothing here
has side effects.
"""

from __future__ import annotations

import enum
import http.client
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import requests
import urllib3.exceptions

MAX_RETRY_AFTER_SECONDS: Final = 3600.0


class Code(enum.StrEnum):
    """Short, stable machine word for a failed call."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    HELD_BACK = "held_back"
    PACED = "paced"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    UNEXPECTED_REPLY = "unexpected_reply"


class ReplyTooLarge(OSError):
    """More bytes arrived than any reply of the API needs."""


NOT_MADE: Final = frozenset({Code.HELD_BACK, Code.PACED})
"""The call was not made: Podero is failing, or has been asked enough for now."""

_RETRYABLE: Final = NOT_MADE | {
    Code.UNREACHABLE,
    Code.TIMEOUT,
    Code.RATE_LIMITED,
    Code.SERVER_ERROR,
}
_CODE_OF_STATUS: Final = {
    401: Code.UNAUTHORIZED,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    429: Code.RATE_LIMITED,
}
_TIMEOUTS: Final = (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)
_BROKEN_CONNECTIONS: Final = (http.client.RemoteDisconnected, http.client.IncompleteRead)
_NOT_UNDERSTOOD: Final = (
    http.client.HTTPException,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.InvalidHeader,
    urllib3.exceptions.DecodeError,
    ReplyTooLarge,
)
_BEFORE_SENDING: Final = (
    requests.ConnectTimeout,
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidURL,
    ConnectionRefusedError,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)


def is_retryable(code: Code) -> bool:
    """Say whether the same call may succeed later without anybody changing anything."""
    return code in _RETRYABLE


def code_for_status(status: int) -> Code | None:
    """Return the code of an HTTP status; None for success (2xx)."""
    if 200 <= status <= 299:
        return None
    if 400 <= status <= 499:
        return _CODE_OF_STATUS.get(status, Code.REFUSED)
    if 500 <= status <= 599:
        return Code.SERVER_ERROR
    return Code.UNEXPECTED_REPLY


def code_for_exception(error: BaseException) -> Code:
    """Return the code of a failure below HTTP: of the socket, TLS or what the bytes meant."""
    links = list(_chain(error))
    if any(_is_timeout(link) for link in links):
        return Code.TIMEOUT
    for link in links:
        if isinstance(link, _NOT_UNDERSTOOD) and not isinstance(link, _BROKEN_CONNECTIONS):
            return Code.UNEXPECTED_REPLY
    return Code.UNREACHABLE


def is_before_sending(error: BaseException) -> bool:
    """Say whether the failure proves that the request was never sent."""
    return any(isinstance(link, _BEFORE_SENDING) for link in _chain(error))


def is_connection_lost(error: BaseException) -> bool:
    """Say whether the other side closed the connection instead of answering."""
    lost = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
    return any(isinstance(link, lost) for link in _chain(error))


def root_name(error: BaseException) -> str:
    """Return the class name of the innermost failure: what an operator wants to know."""
    *_, innermost = _chain(error)
    return type(innermost).__name__


def retry_after_seconds(header: str | None, *, now: datetime) -> float | None:
    """Read a Retry-After header, seconds or HTTP date; None when absent or senseless.

    Never negative, and at most an hour: a longer wait is more likely a mistake than a wish.
    """
    if header is None:
        return None
    text = header.strip()
    seconds = _seconds_until(text, now) if not text[:1].isdigit() else _plain_seconds(text)
    if seconds is None:
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _is_timeout(error: BaseException) -> bool:
    # urllib3 derives "could not connect" from its timeouts, for old callers' sake.
    is_refusal = isinstance(error, urllib3.exceptions.NewConnectionError)
    return isinstance(error, _TIMEOUTS) and not is_refusal


def _plain_seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return None if math.isnan(seconds) else seconds


def _seconds_until(text: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk what requests and urllib3 wrap in one another (as argument or as `reason`)."""
    yield error
    inner = [*error.args, getattr(error, "reason", None)]
    for link in inner:
        if isinstance(link, BaseException) and link is not error:
            yield from _chain(link)
