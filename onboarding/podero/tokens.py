"""Where bearer tokens come from.

Source: partner-api/overview/authentication, partner-api/getting-started/get-access-token.
"""

from __future__ import annotations

import base64
import re
import threading
from typing import Final, Protocol

import requests

from onboarding.podero import deadline
from onboarding.podero.deadline import Timeouts
from onboarding.podero.errors import PoderoError, Unauthorized, Unavailable
from onboarding.podero.exchange import Call, Reply
from onboarding.podero.gates import Gate
from onboarding.podero.reading import fields_of, text_of
from onboarding.podero.retrying import Code, is_retryable
from onboarding.podero.token_stores import TokenStore
from onboarding.podero.transport import OnCall, RequestId, Transport

_ENDPOINT: Final = "fetch_token"
_EARLY_SECONDS: Final = 300
_DEFAULT_EXPIRES_IN: Final = 600
_LONGEST_EXPIRES_IN: Final = 24 * 3600
_LONGEST_WAIT_SECONDS: Final = 60
_TOKEN: Final = re.compile(r"[!-~]{1,4096}")
_WRONG_ENCODING: Final = frozenset({"unsupported_grant_type", "invalid_request"})


class TokenSource(Protocol):
    """Gives the client its bearer token."""

    def get(self) -> str:
        """Return a token to use now. Raises PoderoError when there is none to be had."""

    def renew(self, rejected: str) -> str | None:
        """Return another token in place of one answered with 401; None if there is no other."""


class FixedToken:
    """A token given by an operator. Raises ValueError if it cannot be put into a header."""

    def __init__(self, token: str) -> None:
        if not _TOKEN.fullmatch(token):
            raise ValueError("a token is printable ASCII without spaces")
        self._token = token

    def get(self) -> str:
        """Return the token."""
        return self._token

    def renew(self, rejected: str) -> None:
        """Return None: there is no other token."""


class ClientCredentialsToken:
    """Tokens fetched with client credentials and shared through a store. Thread-safe.

    A token is renewed five minutes before its end, or at half its life if that is shorter.
    """

    def __init__(
        self,
        *,
        base_url: str,
        client_id: str,
        client_secret: str,
        store: TokenStore,
        timeouts: Timeouts | None = None,
        http: requests.Session | None = None,
        on_call: OnCall | None = None,
        gate: Gate | None = None,
        request_id: RequestId | None = None,
    ) -> None:
        pair = f"{client_id}:{client_secret}".encode()
        self._authorization = "Basic " + base64.b64encode(pair).decode("ascii")
        self._store = store
        self._transport = Transport(
            base_url=base_url,
            timeouts=timeouts or Timeouts(),
            http=http,
            on_call=on_call,
            gate=gate,
            request_id=request_id,
        )
        self._is_form_first = False
        self._lock = threading.Lock()

    def get(self) -> str:
        """Return the shared token, fetched if need be.

        Raises Unauthorized when the credentials are refused; Unavailable, UnexpectedReply.
        """
        return self._store.get() or self._fetched(rejected=None)

    def renew(self, rejected: str) -> str:
        """Discard exactly this token and return the one that takes its place. Raises as `get`."""
        self._store.discard(rejected)
        return self._fetched(rejected=rejected)

    def _fetched(self, *, rejected: str | None) -> str:
        with deadline.within(self._transport.timeouts.total_seconds):
            # One thread fetches, the others wait for it and find its token in the store.
            if not self._lock.acquire(timeout=_seconds_to_wait()):
                raise Unavailable(_ENDPOINT, Code.TIMEOUT)
            try:
                token = self._store.get()
                if token is None or token == rejected:
                    token, seconds = _token_from(self._reply())
                    self._store.set(token, seconds)
                return token
            finally:
                self._lock.release()

    def _reply(self) -> Reply:
        reply = self._posted(is_form=self._is_form_first)
        if reply.status == 400 and _is_wrong_encoding(reply):
            # The documentation shows JSON, the standard says form; servers read one of the two.
            reply = self._posted(is_form=not self._is_form_first)
            if reply.is_success:
                self._is_form_first = not self._is_form_first
        return reply

    def _posted(self, *, is_form: bool) -> Reply:
        grant = {"grant_type": "client_credentials"}
        return self._transport.exchange(
            Call(
                endpoint=_ENDPOINT,
                method="POST",
                path="/oauth2/token/",
                authorization=self._authorization,
                headers={"Cache-Control": "no-cache"},
                json=None if is_form else grant,
                form=grant if is_form else None,
            )
        )


def _is_wrong_encoding(reply: Reply) -> bool:
    return text_of(fields_of(reply.content()).get("error")) in _WRONG_ENCODING


def _seconds_to_wait() -> float:
    try:
        return deadline.seconds_left(_LONGEST_WAIT_SECONDS)
    except TimeoutError:
        return 0


def _token_from(reply: Reply) -> tuple[str, float]:
    if not reply.is_success:
        raise _refusal(reply)
    fields = fields_of(reply.content())
    token, token_type = fields.get("access_token"), fields.get("token_type", "Bearer")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise reply.unexpected("access_token")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise reply.unexpected("token_type")
    return token, _seconds_to_keep(fields.get("expires_in"))


def _refusal(reply: Reply) -> PoderoError:
    error = reply.refusal()
    if is_retryable(Code(error.code)) or error.code == Code.UNEXPECTED_REPLY:
        return error
    return Unauthorized(_ENDPOINT, status=reply.status)


def _seconds_to_keep(expires_in: object) -> float:
    seconds: float = _DEFAULT_EXPIRES_IN
    if isinstance(expires_in, int | float) and not isinstance(expires_in, bool) and expires_in > 0:
        seconds = min(expires_in, _LONGEST_EXPIRES_IN)
    return seconds - min(_EARLY_SECONDS, seconds / 2)
