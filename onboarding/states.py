"""The states of an attempt, how they may change, and why one fails. No queries here.

    started ──▶ open ──▶ returned ──▶ linked
       │          │          │
       └──────────┴──▶ cancelled · expired · failed ──▶ returned · linked   (late truth wins)

Nothing leaves `linked`. Only `OnboardingSession` moves an attempt; see `models/attempts.py`.
"""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class State(TextChoices):
    """Where an attempt stands."""

    STARTED = "started", _("started")
    OPEN = "open", _("open")
    RETURNED = "returned", _("returned")
    LINKED = "linked", _("linked")
    CANCELLED = "cancelled", _("cancelled")
    EXPIRED = "expired", _("expired")
    FAILED = "failed", _("failed")


MOVES: dict[State, frozenset[State]] = {
    State.STARTED: frozenset({State.OPEN, State.FAILED, State.EXPIRED, State.CANCELLED}),
    State.OPEN: frozenset({State.RETURNED, State.LINKED, State.CANCELLED, State.EXPIRED}),
    State.RETURNED: frozenset({State.LINKED, State.FAILED}),
    State.LINKED: frozenset(),
    State.CANCELLED: frozenset({State.RETURNED, State.LINKED}),
    State.EXPIRED: frozenset({State.RETURNED, State.LINKED}),
    State.FAILED: frozenset({State.RETURNED, State.LINKED}),
}

UNFINISHED = frozenset({State.STARTED, State.OPEN, State.RETURNED})
FINAL = frozenset(State) - UNFINISHED
# A hosted form may still bring a device to light in these, however late, and in `linked` another.
AWAITING_DEVICE = frozenset(State) - {State.STARTED, State.RETURNED}


class FailureCode(TextChoices):
    """Why an attempt stands still or failed. Support sees the code, the customer a sentence."""

    UNREACHABLE = "podero_unreachable", _("Podero could not be reached")
    BUSY = "podero_busy", _("Podero asked us to slow down")
    UNAUTHORIZED = "podero_unauthorized", _("Podero does not accept our credentials")
    REFUSED = "podero_refused", _("Podero refused the request")
    UNEXPECTED_REPLY = "unexpected_reply", _("Podero's answer could not be understood")
    EMAIL_TAKEN = (
        "email_taken",
        _("Another or a deleted Podero user has the e-mail address or number"),
    )
    PRICE_ZONE_MISSING = "price_zone_missing", _("No price zone is known for the customer")
    NOT_CONFIRMED = "not_confirmed", _("Podero confirmed no device in time")
    OF_ANOTHER_CUSTOMER = "of_another_customer", _("The device is another customer's")
    NEVER_OPENED = "never_opened", _("The hosted form was never opened")
    WITHDRAWN = "withdrawn", _("The customer withdrew")
    RAN_OUT = "ran_out", _("The hosted form ran out without a device")


class Event(TextChoices):
    """What a line of an attempt's timeline tells."""

    CONSENTED = "consented", _("Consent given")
    OPEN_FAILED = "open_failed", _("Podero's form could not be opened")
    OPENED = "opened", _("Sent to Podero's form")
    RETURN_SEEN = "return_seen", _("A browser that was not signed in came back")
    RETURN_SEEN_BY_OTHER = "return_seen_by_other", _("Came back where somebody else is signed in")
    RETURN_SEEN_ELSEWHERE = "return_seen_elsewhere", _("Came back in a browser that had not left")
    RETURNED = "returned", _("Came back through success")
    CANCELLED = "cancelled", _("Came back through cancel")
    CONTINUED = "continued", _("Continued with a fresh form")
    CHECK_FAILED = "check_failed", _("Podero could not be asked")
    NOTHING_FOUND = "nothing_found", _("Podero knows no device yet")
    MORE_FOUND = "more_found", _("Another device turned up")
    LINKED = "linked", _("Device confirmed by Podero")
    DEVICE_CONFIRMED = "device_confirmed", _("Customer confirmed the device")
    CONFIRMATION_RECALLED = "confirmation_recalled", _("Confirmation void: may be somebody else's")
    RECONNECT_OPENED = "reconnect_opened", _("Sent to renew the manufacturer's login")
    RECONNECT_SEEN = "reconnect_seen", _("Came back elsewhere from renewing the login")
    RECONNECT_RETURNED = "reconnect_returned", _("Came back from renewing the login")
    RECONNECTED = "reconnected", _("Manufacturer's login renewed")
    RECONNECT_ENDED = "reconnect_ended", _("Manufacturer's login not renewed")
    OPTIMIZATION_ON = "optimization_on", _("Optimization switched on at Podero")
    OPTIMIZATION_OFF = "optimization_off", _("Optimization switched off at Podero")
    OPTIMIZATION_FAILED = "optimization_failed", _("Optimization could not be switched")
    PAUSED = "paused", _("Customer paused the device")
    RESUMED = "resumed", _("Customer resumed the device")
    CHARGE_WISHED = "charge_wished", _("Customer asked to charge now")
    CHARGE_TAKEN_BACK = "charge_taken_back", _("To charge now is taken back")
    CHARGE_ANSWERED = "charge_answered", _("Podero answered about charging now")
    CHARGE_GIVEN_UP = "charge_given_up", _("Charging now could not be asked for in time")
    EXPIRED = "expired", _("Ran out")
    FAILED = "failed", _("Gave up")
    CLAIM_FREED = "claim_freed", _("Taken over after an interruption")
    WITHDRAWN = "withdrawn", _("Customer withdrew")
    REMINDED = "reminded", _("Reminder sent")
    REMOVAL_WANTED = "removal_wanted", _("Device is to be removed")
    REMOVED = "removed", _("Device removed at Podero")
    REMOVAL_FAILED = "removal_failed", _("Device could not be removed")


class Actor(TextChoices):
    """Who caused a line of the timeline."""

    CUSTOMER = "customer", _("customer")
    BROWSER = "browser", _("unknown browser")
    SYSTEM = "system", _("system")
    STAFF = "staff", _("staff")


def sources_of(state: State) -> frozenset[State]:
    """The states from which `state` can be reached."""
    return frozenset(source for source, targets in MOVES.items() if state in targets)
