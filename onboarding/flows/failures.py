"""Podero's errors in the words that support knows."""

from __future__ import annotations

from onboarding import podero
from onboarding.states import FailureCode

_CODES = {
    "rate_limited": FailureCode.BUSY,
    "paced": FailureCode.BUSY,
    "unauthorized": FailureCode.UNAUTHORIZED,
    "forbidden": FailureCode.UNAUTHORIZED,
    "not_found": FailureCode.REFUSED,
    "refused": FailureCode.REFUSED,
    "unexpected_reply": FailureCode.UNEXPECTED_REPLY,
}


def code_of(error: podero.PoderoError) -> FailureCode:
    return _CODES.get(error.code, FailureCode.UNREACHABLE)


def is_answer(error: podero.PoderoError) -> bool:
    """Whether Podero has answered what was asked, so that asking again at once is of no use.

    Credentials that are not accepted are no answer to it.
    """
    return not error.is_retryable and not isinstance(error, podero.Unauthorized)
