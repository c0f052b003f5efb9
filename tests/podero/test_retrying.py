from __future__ import annotations

import http.client
import socket
from datetime import UTC, datetime

import pytest
import requests
import urllib3.exceptions
from hypothesis import given
from hypothesis import strategies as st
from urllib3.connection import HTTPConnection

from onboarding.podero import retrying
from onboarding.podero.retrying import Code

from .values import unhurried

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONNECTION = HTTPConnection("api.example")


def test_only_rate_limits_and_server_errors_are_worth_another_try() -> None:
    codes = {status: retrying.code_for_status(status) for status in range(100, 600)}

    retryable = [status for status, code in codes.items() if code and retrying.is_retryable(code)]

    assert retryable == [429, *range(500, 600)]


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (range(200, 300), None),
        ([*range(100, 200), *range(300, 400), 600, 999], Code.UNEXPECTED_REPLY),
        ([401], Code.UNAUTHORIZED),
        ([403], Code.FORBIDDEN),
        ([404], Code.NOT_FOUND),
        ([429], Code.RATE_LIMITED),
        ([400, 402, *range(405, 429), *range(430, 500)], Code.REFUSED),
        (range(500, 600), Code.SERVER_ERROR),
    ],
)
def test_every_status_has_one_code(statuses: list[int], code: Code | None) -> None:
    codes = {retrying.code_for_status(status) for status in statuses}

    assert codes == {code}


def wrapped(reason: Exception) -> requests.ConnectionError:
    retries = urllib3.exceptions.MaxRetryError(None, "/secret", reason)  # type: ignore[arg-type]
    return requests.ConnectionError(retries)


def aborted(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(urllib3.exceptions.ProtocolError("aborted", reason))


@pytest.mark.parametrize(
    ("error", "code", "is_before_sending"),
    [
        (TimeoutError(), Code.TIMEOUT, False),
        (requests.ReadTimeout(), Code.TIMEOUT, False),
        (requests.ConnectTimeout(), Code.TIMEOUT, True),
        (
            wrapped(urllib3.exceptions.ConnectTimeoutError(CONNECTION, "late")),
            Code.TIMEOUT,
            True,
        ),
        (
            requests.ConnectionError(urllib3.exceptions.ReadTimeoutError(None, "/", "late")),  # type: ignore[arg-type]
            Code.TIMEOUT,
            False,
        ),
        (
            wrapped(urllib3.exceptions.NewConnectionError(CONNECTION, "refused")),
            Code.UNREACHABLE,
            True,
        ),
        (
            wrapped(urllib3.exceptions.NameResolutionError("h", CONNECTION, socket.gaierror(-2))),
            Code.UNREACHABLE,
            True,
        ),
        (aborted(ConnectionRefusedError()), Code.UNREACHABLE, True),
        (aborted(ConnectionResetError()), Code.UNREACHABLE, False),
        (aborted(BrokenPipeError()), Code.UNREACHABLE, False),
        (aborted(http.client.RemoteDisconnected("gone")), Code.UNREACHABLE, False),
        (aborted(http.client.BadStatusLine("SSH-2.0")), Code.UNEXPECTED_REPLY, False),
        (aborted(http.client.LineTooLong("header line")), Code.UNEXPECTED_REPLY, False),
        (aborted(retrying.ReplyTooLarge()), Code.UNEXPECTED_REPLY, False),
        (requests.ConnectionError(), Code.UNREACHABLE, False),
        (requests.exceptions.SSLError(), Code.UNREACHABLE, False),
        (requests.exceptions.ProxyError(), Code.UNREACHABLE, True),
        (requests.exceptions.InvalidURL(), Code.UNREACHABLE, True),
        (requests.exceptions.ChunkedEncodingError(), Code.UNREACHABLE, False),
        (
            requests.exceptions.ChunkedEncodingError(urllib3.exceptions.IncompleteRead(1, 9)),
            Code.UNREACHABLE,
            False,
        ),
        (requests.exceptions.ContentDecodingError(), Code.UNEXPECTED_REPLY, False),
        (requests.exceptions.InvalidHeader(), Code.UNEXPECTED_REPLY, False),
        (urllib3.exceptions.DecodeError(), Code.UNEXPECTED_REPLY, False),
    ],
    ids=lambda value: repr(value)[:60] if isinstance(value, Exception) else str(value),
)
def test_each_low_level_failure_has_one_code(
    error: Exception, code: Code, is_before_sending: bool
) -> None:
    found = retrying.code_for_exception(error)

    assert found == code
    assert retrying.is_retryable(found) == (code in (Code.TIMEOUT, Code.UNREACHABLE))
    assert retrying.is_before_sending(error) == is_before_sending


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        (" 17 ", 17.0),
        ("1.5", 1.5),
        ("86400", 3600.0),
        ("9" * 400, 3600.0),
        ("-5", None),
        ("soon", None),
        ("1e", None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Tue, 01 Mar 2067 12:00:00 GMT", 3600.0),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date_and_capped(
    header: str | None, seconds: float | None
) -> None:
    assert retrying.retry_after_seconds(header, now=NOW) == seconds


@unhurried
@given(st.text())
def test_no_retry_after_breaks_the_reading(header: str) -> None:
    seconds = retrying.retry_after_seconds(header, now=NOW)

    assert seconds is None or 0 <= seconds <= 3600
