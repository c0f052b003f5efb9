"""What may keep a call from being made: a breaker, a pause that Podero asked for, a ceiling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from onboarding.podero.retrying import Code


class HeldBack(Exception):
    """The call is not to be made now. `code`: HELD_BACK or PACED; `seconds`: for how long."""

    def __init__(self, code: Code, seconds: float) -> None:
        super().__init__(code.value)
        self.code = code
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. code: None for success."""

    code: Code | None
    retry_after_seconds: float | None = None


class Gate(Protocol):
    """Asked before each HTTP exchange, and told how it ended. Shared by threads.

    Its methods raise nothing but what is said here.
    """

    @property
    def is_shut(self) -> bool:
        """Whether a call would be held back; asking takes nothing."""

    def enter(self, *, wait_seconds: float) -> object:
        """Return a ticket for one exchange, after a wait of at most so long. Raises HeldBack."""

    def leave(self, ticket: object, outcome: Outcome | None) -> None:
        """Give the ticket back; None: nobody knows how the exchange ended."""


class OpenGate:
    """Lets everything through."""

    is_shut = False

    def enter(self, *, wait_seconds: float) -> None:
        """Let the call be made."""

    def leave(self, ticket: object, outcome: Outcome | None) -> None:
        """Take no notice."""
