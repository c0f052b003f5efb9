"""What the customers themselves know: the audit's witness beside both systems' own records."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

NEVER = float("inf")


@dataclass
class Click:
    """A press of a button that starts or continues an attempt; pressed twice, it is one click."""

    submission: str
    pressed_at: float
    is_consent: bool
    is_answered: bool = False
    sessions: list[str] = field(default_factory=list)
    """Hosted sessions that the answers led to."""


@dataclass
class Return:
    """A visit to an address that Podero's form led back to."""

    session: str
    is_success: bool
    is_same_browser: bool
    went_at: float
    device: str = ""
    """Which one the address named."""
    answered_at: float = NEVER
    """When it was taken for the customer's: the browser was led to the page of the attempt."""


@dataclass
class Confirmation:
    """A press of "Yes, this is my device"."""

    device: str
    """Our reference of the device."""
    pressed_at: float
    is_answered: bool = False


@dataclass
class Press:
    """A press of a button on the card of a device: "pause", "resume", "charge", "remove"."""

    device: str
    """Our reference of the device."""
    act: str
    pressed_at: float
    is_answered: bool = False


@dataclass
class Withdrawal:
    """A press of "Confirm withdrawal"; in force at the latest when it was answered."""

    pressed_at: float
    answered_at: float = NEVER


@dataclass
class Person:
    """One customer's whole story, in real moments."""

    number: str
    email: str
    story: str
    clicks: list[Click] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    confirmations: list[Confirmation] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)
    gave_up: str = ""
    """What could not be had in all the time a person is willing to try."""
    gave_up_at: float = NEVER

    def click(self, submission: str, *, at: float, is_consent: bool) -> Click:
        """The click with this number, new or known."""
        number = str(uuid.UUID(submission))
        for known in self.clicks:
            if known.submission == number:
                return known
        self.clicks.append(Click(number, at, is_consent))
        return self.clicks[-1]

    def last_press(self, device: str, *acts: str) -> Press | None:
        """The last of these presses for the device."""
        own = [each for each in self.presses if each.device == device and each.act in acts]
        return own[-1] if own else None

    def has_left(self, *, since: float) -> bool:
        """Whether a withdrawal that was pressed after `since` has been answered."""
        return any(
            gone.pressed_at >= since and gone.answered_at < NEVER for gone in self.withdrawals
        )

    def may_have_left(self, *, since: float) -> bool:
        """Whether any withdrawal was pressed after `since`, answered or not."""
        return any(gone.answered_at >= since for gone in self.withdrawals)
