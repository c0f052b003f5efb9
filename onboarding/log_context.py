"""What the log lines of this thread are about, so that each one of them can say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from operator import attrgetter
from typing import Any, ParamSpec, TypeVar

Params = ParamSpec("Params")
Result = TypeVar("Result")

_subject: ContextVar[Mapping[str, str] | None] = ContextVar("log_subject", default=None)


def subject() -> Mapping[str, str]:
    """The references of what is being worked on, by the name of their kind."""
    return _subject.get() or {}


def subject_of(error: BaseException | None) -> Mapping[str, str]:
    """What was being worked on when an error was raised that is told of only later, by others."""
    seen: set[int] = set()
    # What raises an error from itself has made a ring.
    while error is not None and id(error) not in seen:
        if noted := error.__dict__.get("log_subject"):
            return dict(noted)
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return {}


def lines_name(*paths: str) -> Callable[[Callable[Params, Result]], Callable[Params, Result]]:
    """Let every line below a flow name the references of these rows among its keyword arguments.

    `device` is the argument of that name, `device.attempt` the attempt of that. The outgoing calls
    know nothing of attempts, yet support looks for them by attempt.
    """

    def decorate(flow: Callable[Params, Result]) -> Callable[Params, Result]:
        @wraps(flow)
        def wrapper(*args: Params.args, **kwargs: Params.kwargs) -> Result:
            named = {path.rpartition(".")[2]: _reference(kwargs, path) for path in paths}
            reset = _subject.set({**subject(), **named})
            try:
                return flow(*args, **kwargs)
            except Exception as error:
                error.__dict__.setdefault("log_subject", subject())
                raise
            finally:
                _subject.reset(reset)

        return wrapper

    return decorate


def _reference(kwargs: Mapping[str, Any], path: str) -> str:
    name, _, rest = path.partition(".")
    row = attrgetter(rest)(kwargs[name]) if rest else kwargs[name]
    return str(row.reference)
