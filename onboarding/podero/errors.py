"""What a call to Podero can end in, one class per reaction of the caller.

No error carries a body, token, address or e-mail: not in its text, its arguments or its chain.
"""

from __future__ import annotations

from typing import Any, ClassVar

from onboarding.podero import retrying
from onboarding.podero.retrying import Code


class PoderoError(Exception):
    """A call did not give what it was made for.

    endpoint: the client's method, such as "create_user", or "fetch_token".
    status: the HTTP status, None when not even that came.
    code: a `Code`, the short stable word to store and to count.
    is_retryable: the same call may succeed later; decided by `retrying.is_retryable`.
    is_outcome_unknown: the call was a write and may have taken effect all the same.
    retry_after_seconds: how long Podero asked to wait, at most an hour.
    cause_name: class name of the failure underneath ("NameResolutionError"), empty if none.
    """

    default_code: ClassVar[Code] = Code.UNEXPECTED_REPLY

    def __init__(
        self,
        endpoint: str,
        code: str | None = None,
        status: int | None = None,
        *,
        is_outcome_unknown: bool = False,
        retry_after_seconds: float | None = None,
        cause_name: str = "",
    ) -> None:
        known = self.default_code if code is None else Code(code)
        # Positional arguments only, so that the error survives pickling between processes.
        super().__init__(endpoint, known.value, status)
        self.endpoint = endpoint
        self.code: str = known.value
        self.status = status
        self.is_retryable = retrying.is_retryable(known)
        self.is_outcome_unknown = is_outcome_unknown
        self.retry_after_seconds = retry_after_seconds
        self.cause_name = cause_name

    @property
    def is_held_back(self) -> bool:
        """Whether the call was not made at all, by our own decision."""
        return self.code in retrying.NOT_MADE

    def __str__(self) -> str:
        status = "" if self.status is None else f" ({self.status})"
        return f"{self.endpoint}: {self.code}{status}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class Unavailable(PoderoError):
    """Unreachable, too slow, rate limited, failing (5xx) or held back; later may be better."""

    default_code = Code.UNREACHABLE


class Unauthorized(PoderoError):
    """The credentials or the token were not accepted, after one renewal where possible."""

    default_code = Code.UNAUTHORIZED


class Forbidden(PoderoError):
    """The credentials are known but may not do this (403)."""

    default_code = Code.FORBIDDEN


class NotFound(PoderoError):
    """Podero knows no such thing in this organisation (404)."""

    default_code = Code.NOT_FOUND


class Refused(PoderoError):
    """Podero understood and said no: any other 4xx, such as 400, 409 or 422.

    fields: names of the request fields complained about, empty when the reply names none.
    """

    default_code = Code.REFUSED

    def __init__(self, *args: Any, fields: tuple[str, ...] = (), **details: Any) -> None:
        super().__init__(*args, **details)
        self.fields = fields


class BoostRefused(Refused):
    """A boost cannot be honoured now (409); `state` and `reason` are Podero's words for why.

    Source: api-reference/user-electric-vehicles/trigger-a-boost-charge-or-arm-boost-...
    """

    def __init__(self, *args: Any, state: str = "", reason: str = "", **details: Any) -> None:
        super().__init__(*args, **details)
        self.state = state
        self.reason = reason


class UnexpectedReply(PoderoError):
    """A reply that cannot be used: not understood, a redirect, too large, or not trusted.

    field: what was missing or wrong in it, empty when the whole reply was.
    """

    default_code = Code.UNEXPECTED_REPLY

    def __init__(self, *args: Any, field: str = "", **details: Any) -> None:
        super().__init__(*args, **details)
        self.field = field


_CLASS_OF_CODE: dict[Code, type[PoderoError]] = {
    Code.UNREACHABLE: Unavailable,
    Code.TIMEOUT: Unavailable,
    Code.RATE_LIMITED: Unavailable,
    Code.SERVER_ERROR: Unavailable,
    Code.HELD_BACK: Unavailable,
    Code.PACED: Unavailable,
    Code.UNAUTHORIZED: Unauthorized,
    Code.FORBIDDEN: Forbidden,
    Code.NOT_FOUND: NotFound,
    Code.REFUSED: Refused,
    Code.UNEXPECTED_REPLY: UnexpectedReply,
}


def class_for(code: Code) -> type[PoderoError]:
    """Return the error class that tells the caller how to react to this code."""
    return _CLASS_OF_CODE[code]
