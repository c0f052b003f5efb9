"""What the log lines of this thread are about, so that each one of them can say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Params = ParamSpec("Params")
Result = TypeVar("Result")

_subject: ContextVar[Mapping[str, str] | None] = ContextVar("log_subject", default=None)


def subject() -> Mapping[str, str]:
    """The references of what is being worked on, by the name of their kind."""
    return _subject.get() or {}


def lines_name(kind: str) -> Callable[[Callable[Params, Result]], Callable[Params, Result]]:
    """Let every line below a flow name the reference of its keyword argument `kind`.

    The outgoing calls know nothing of attempts, yet support looks for them by attempt.
    """

    def decorate(flow: Callable[Params, Result]) -> Callable[Params, Result]:
        @wraps(flow)
        def wrapper(*args: Params.args, **kwargs: Params.kwargs) -> Result:
            row: Any = kwargs[kind]
            outer = subject()
            reset = _subject.set({**outer, kind: str(row.reference)})
            try:
                return flow(*args, **kwargs)
            finally:
                _subject.reset(reset)

        return wrapper

    return decorate
