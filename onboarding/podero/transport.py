"""One HTTP exchange with Podero: bounded in time and size, never redirected, never logged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from onboarding.podero import connections, deadline, retrying
from onboarding.podero.deadline import Timeouts
from onboarding.podero.errors import class_for
from onboarding.podero.exchange import Call, Failure, Reply
from onboarding.podero.gates import Gate, HeldBack, OpenGate, Outcome
from onboarding.podero.retrying import Code, ReplyTooLarge

MAX_BODY_BYTES: Final = 1024 * 1024
_CHUNK_BYTES: Final = 16 * 1024
# Of the time to wait for bytes: what has to be left of it when a call begins for it to be judged.
_FAIR_SHARE: Final = 0.9
_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": "podero-onboarding",
}
_FAILURES: Final = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)

OnCall = Callable[[str, str, float], None]
"""Told (endpoint, "ok" or a code, seconds) after each exchange; must not raise."""

RequestId = Callable[[], str | None]
"""Names the request that a call is made for, as X-Request-ID; None: for no request."""


class Transport:
    """Sends requests to one host. Safe to share between threads.

    base_url: scheme and host, perhaps with a port and a path; ValueError for anything else.
    """

    def __init__(
        self,
        *,
        base_url: str,
        timeouts: Timeouts,
        http: requests.Session | None = None,
        on_call: OnCall | None = None,
        gate: Gate | None = None,
        request_id: RequestId | None = None,
    ) -> None:
        self.timeouts = timeouts
        self.gate = OpenGate() if gate is None else gate
        self._request_id = request_id
        self._base_url = _checked(base_url)
        self._http = connections.bounded(requests.Session() if http is None else http)
        self._on_call = on_call

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def exchange(self, call: Call) -> Reply:
        """Send a request and return the complete reply, of whatever status.

        Raises Unavailable when none came, UnexpectedReply when it was not HTTP or too large.
        """
        with deadline.within(self.timeouts.total_seconds):
            result = self._observed(call)
            # A pooled connection may be closed just as it is used; a read is safe to repeat.
            if isinstance(result, Failure) and result.is_stale and not call.is_write:
                result = self._observed(call)
        if isinstance(result, Reply):
            return result
        # Raised here, not where it was caught: the chain would carry the address and the token.
        raise class_for(result.code)(
            call.endpoint,
            result.code,
            result.status,
            is_outcome_unknown=call.is_write and result.may_be_sent,
            retry_after_seconds=result.retry_after_seconds,
            cause_name=result.cause_name,
        )

    def _observed(self, call: Call) -> Reply | Failure:
        result, seconds = self._admitted(call)
        if self._on_call is not None:
            self._on_call(call.endpoint, result.code or "ok", seconds)
        return result

    def _admitted(self, call: Call) -> tuple[Reply | Failure, float]:
        """What came of it, and how long Podero took; waiting to be let through is not its time."""
        try:
            left = deadline.seconds_left(self.timeouts.total_seconds)
        except TimeoutError:
            return Failure(code=Code.TIMEOUT, cause_name="TimeoutError", may_be_sent=False), 0.0
        try:
            ticket = self.gate.enter(wait_seconds=left)
        except HeldBack as refusal:
            refused = Failure(
                code=refusal.code,
                cause_name="",
                may_be_sent=False,
                retry_after_seconds=refusal.seconds,
            )
            return refused, 0.0
        outcome, started = None, time.monotonic()
        try:
            is_hurried = deadline.remaining() < _FAIR_SHARE * min(
                self.timeouts.read_seconds, self.timeouts.total_seconds
            )
            result = self._attempt(call)
            # Whoever waits less than a call may take does not know whether Podero fails.
            is_cut_short = is_hurried and deadline.remaining() <= 0
            if result.code is not Code.TIMEOUT or not is_cut_short:
                outcome = Outcome(result.code, result.retry_after_seconds)
        finally:
            seconds = time.monotonic() - started
            self.gate.leave(ticket, outcome)
        return result, seconds

    def _attempt(self, call: Call) -> Reply | Failure:
        seen = connections.Exchange()
        reset = connections.current_exchange.set(seen)
        try:
            return self._sent(call)
        except _FAILURES as error:
            is_sent = seen.is_sent
            return Failure(
                code=retrying.code_for_exception(error),
                cause_name=retrying.root_name(error),
                may_be_sent=not retrying.is_before_sending(error) if is_sent is None else is_sent,
                is_stale=seen.is_reused and retrying.is_connection_lost(error),
            )
        finally:
            connections.current_exchange.reset(reset)

    def _sent(self, call: Call) -> Reply | Failure:
        try:
            left = deadline.seconds_left(self.timeouts.total_seconds)
        except TimeoutError:
            return Failure(code=Code.TIMEOUT, cause_name="TimeoutError", may_be_sent=False)
        response = self._http.request(
            call.method,
            self._base_url + call.path,
            params=call.params,
            json=call.json,
            data=call.form,
            headers=self._headers(call),
            # As an auth object, for otherwise requests lets a netrc file replace the header.
            auth=_Authorization(call.authorization),
            timeout=(
                min(self.timeouts.connect_seconds, left),
                min(self.timeouts.read_seconds, left),
            ),
            allow_redirects=False,
            stream=True,
        )
        with response:
            return _reply_from(call, response)

    def _headers(self, call: Call) -> dict[str, str]:
        headers = {**_HEADERS, **call.headers}
        request_id = self._request_id() if self._request_id is not None else None
        return headers | {"X-Request-ID": request_id} if request_id else headers


class _Authorization(requests.auth.AuthBase):
    def __init__(self, header: str) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


def _reply_from(call: Call, response: requests.Response) -> Reply | Failure:
    reply = Reply(
        endpoint=call.endpoint,
        is_write=call.is_write,
        status=response.status_code,
        body=b"",
        retry_after_seconds=retrying.retry_after_seconds(
            response.headers.get("Retry-After"), now=datetime.now(UTC)
        ),
    )
    try:
        body = _body_of(response)
    except _FAILURES as error:
        if not reply.is_success:
            return reply  # the status says enough
        return Failure(
            code=retrying.code_for_exception(error),
            cause_name=retrying.root_name(error),
            status=reply.status,
        )
    if reply.is_success and body[:100].lstrip().startswith(b"<"):
        # A page: whoever answers for Podero meanwhile has done nothing of what was asked.
        return Failure(code=Code.UNEXPECTED_REPLY, cause_name="", status=reply.status)
    return replace(reply, body=body)


def _body_of(response: requests.Response) -> bytes:
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced[:20]) > MAX_BODY_BYTES:
        raise ReplyTooLarge("reply too large")
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ReplyTooLarge("reply too large")
        deadline.seconds_left(1)
    return bytes(body)


def _checked(base_url: str) -> str:
    parts = urlsplit(base_url)
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("https", "http") or not parts.hostname or not is_plain:
        raise ValueError("base_url must be like https://app.podero.com")
    return base_url.rstrip("/")
