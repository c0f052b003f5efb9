"""Holds three witnesses against each other: the app's database, Podero, and the people.

Pure: takes what they said, gives the breaches. What must hold is design.md, section 8.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from drill.clock import TOLERANCE, Clock
from drill.memory import NEVER, Click, Person, Return

# As in design.md, section 4; not taken from the app, which is what is being examined.
MOVES = {
    "started": {"open", "failed", "expired", "cancelled"},
    "open": {"returned", "linked", "cancelled", "expired"},
    "returned": {"linked", "failed"},
    "linked": set(),
    "cancelled": {"returned", "linked"},
    "expired": {"returned", "linked"},
    "failed": {"returned", "linked"},
}
FINAL = {"linked", "cancelled", "expired", "failed"}
# A switch that was under way when the customer left may still arrive, and is then undone.
UNDER_WAY_SECONDS = 60.0

Row = dict[str, Any]


@dataclass(frozen=True)
class Breach:
    """Something that may never be."""

    rule: str
    who: str
    """An attempt's reference, or a customer's number where there is no attempt."""
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.who}: {self.what}"


@dataclass
class Evidence:
    """What the three said, sorted for questioning."""

    facts: dict[str, list[Row]]
    podero: dict[str, Any]
    people: list[Person]
    clock: Clock
    customers: dict[int, Row] = field(init=False)
    attempts: dict[int, Row] = field(init=False)
    attempt_of_session: dict[str, Row] = field(init=False)
    device_rows: dict[str, Row] = field(init=False)
    events: dict[int, list[Row]] = field(init=False)
    sessions: dict[str, Row] = field(init=False)
    session_of_device: dict[str, Row] = field(init=False)
    person_of: dict[str, Person] = field(init=False)
    consents: dict[int, Row] = field(init=False)

    def __post_init__(self) -> None:
        numbers = {person.number for person in self.people}
        self.customers = {
            row["id"]: row for row in self.facts["customers"] if row["external_user_id"] in numbers
        }
        self.attempts = {
            row["id"]: row
            for row in self.facts["attempts"]
            if row["podero_user_id"] in self.customers
        }
        self.attempt_of_session = {
            row["podero_id"]: row for row in self.attempts.values() if row["podero_id"]
        }
        self.device_rows = {row["podero_id"]: row for row in self.facts["devices"]}
        self.consents = {row["id"]: row for row in self.facts["consents"]}
        self.events = defaultdict(list)
        for row in self.facts["events"]:
            self.events[row["attempt_id"]].append(row)
        self.sessions = {row["id"]: row for row in self.podero["sessions"]}
        self.session_of_device = {
            device: row for row in self.podero["sessions"] for device in row["linked_device_ids"]
        }
        self.person_of = {person.number: person for person in self.people}

    def person(self, attempt: Row) -> Person:
        return self.person_of[self.customers[attempt["podero_user_id"]]["external_user_id"]]

    def returns_of(self, attempt: Row) -> list[Return]:
        """The ways back from its form that were taken for the customer's."""
        return [
            back
            for back in self.person(attempt).returns
            if back.session == attempt["podero_id"] and back.answered_at < NEVER
        ]

    def living_devices(self) -> Iterator[Row]:
        """Devices at Podero that have not been removed there, with their users."""
        gone = {row["id"] for row in self.podero["users"] if row["deleted_at"]}
        for row in self.podero["devices"]:
            if row["fields"]["deleted_at"] is None and row["user_id"] not in gone:
                yield row

    def earliest(self, shown: str) -> float:
        return self.clock.earliest(datetime.fromisoformat(shown))

    def latest(self, shown: str) -> float:
        return self.clock.latest(datetime.fromisoformat(shown))

    def clicks_before(self, attempt: Row) -> Click | None:
        """The click that gave the consent under which the attempt was made."""
        person, consent = self.person(attempt), attempt["consent_id"]
        first = min(
            (row for row in self.attempts.values() if row["consent_id"] == consent),
            key=lambda row: int(row["id"]),
        )
        return next(
            (click for click in person.clicks if click.submission == first["submission"]), None
        )


def audit(evidence: Evidence) -> list[Breach]:
    """All breaches, in the order of the rules."""
    return [breach for rule in RULES for breach in rule(evidence)]


# --- Attempts -------------------------------------------------------------------------------


def nothing_is_lost(evidence: Evidence) -> Iterator[Breach]:
    """Every click that was answered has its attempt, every form that was opened is known."""
    submissions = {row["submission"]: row for row in evidence.attempts.values()}
    for person in evidence.people:
        for click in person.clicks:
            if click.is_consent and click.is_answered and click.submission not in submissions:
                yield Breach("lost", person.number, "a click was answered, no attempt is there")
            for session in click.sessions:
                attempt = evidence.attempt_of_session.get(session)
                if attempt is None:
                    yield Breach("lost", person.number, "sent to a form that no attempt knows")
                elif evidence.person(attempt) is not person:
                    yield Breach("owner", attempt["reference"], "sent to another customer's form")


def one_attempt_per_click(evidence: Evidence) -> Iterator[Breach]:
    made = Counter(attempt["submission"] for attempt in evidence.attempts.values())
    for attempt in evidence.attempts.values():
        clicks = {click.submission for click in evidence.person(attempt).clicks}
        if attempt["submission"] not in clicks:
            yield Breach("doubled", attempt["reference"], "no click of its customer's made it")
        elif made[attempt["submission"]] > 1:
            yield Breach("doubled", attempt["reference"], "another came from the same click")
    for person in evidence.people:
        for click in person.clicks:
            if click.is_consent and len(set(click.sessions)) > 1:
                yield Breach("doubled", person.number, "one click opened two forms")


def every_attempt_is_final(evidence: Evidence) -> Iterator[Breach]:
    for attempt in evidence.attempts.values():
        reference, state = attempt["reference"], attempt["state"]
        if state not in FINAL:
            yield Breach("not final", reference, state)
        elif state in {"failed", "expired"} and not attempt["failure_code"]:
            yield Breach("no reason", reference, state)
        elif attempt["finished_at"] is None:
            yield Breach("no reason", reference, f"{state} at no time")


def every_attempt_is_right(evidence: Evidence) -> Iterator[Breach]:
    """What an attempt ended as is what happened at Podero and what the person did."""
    living = {row["id"] for row in evidence.living_devices()}
    owners = {row["podero_user_id"] for row in evidence.device_rows.values()}
    for attempt in evidence.attempts.values():
        reference, state = attempt["reference"], attempt["state"]
        session = evidence.sessions.get(attempt["podero_id"] or "")
        linked = session["linked_device_ids"] if session else []
        rows = [evidence.device_rows.get(device) for device in linked if device in living]
        consent = evidence.consents[attempt["consent_id"]]
        if attempt["podero_id"] and session is None:
            yield Breach("wrong", reference, "its form is not known to Podero")
        # Two attempts of one customer may have found the same device: whose it is, nobody says.
        if state == "linked" and attempt["podero_user_id"] not in owners:
            yield Breach("wrong", reference, "linked, but its customer has no device")
        elif state == "linked" and linked and not evidence.device_rows.keys() & set(linked):
            yield Breach("wrong", reference, "linked, but no device of its form is on record")
        if consent["withdrawn_at"] is None:
            if None in rows:
                yield Breach("wrong", reference, f"{state}, but its device is not on record")
            is_told = all(
                row is not None and evidence.attempts[row["attempt_id"]]["state"] == "linked"
                for row in rows
            )
            if rows and state != "linked" and not is_told:
                yield Breach("wrong", reference, f"{state}, but Podero has its device")
        yield from _cancelled_attempt(evidence, attempt, linked)
        yield from _withdrawn_attempt(evidence, attempt, consent)


def _cancelled_attempt(evidence: Evidence, attempt: Row, linked: list[str]) -> Iterator[Breach]:
    """Who came back through cancel, and linked nothing, has cancelled: unless all was over before."""
    own = evidence.returns_of(attempt)
    cancelled_at = min((back.answered_at for back in own if not back.is_success), default=NEVER)
    if cancelled_at == NEVER or linked or any(back.is_success for back in own):
        return
    moves = filter(_is_move, evidence.events[attempt["id"]])
    over = [row for row in moves if row["state_before"] == "open"]
    if not any(
        row["state_after"] == "cancelled" or evidence.earliest(row["at"]) < cancelled_at + TOLERANCE
        for row in over
    ):
        yield Breach("wrong", attempt["reference"], f"{attempt['state']}, but it was cancelled")


def _withdrawn_attempt(evidence: Evidence, attempt: Row, consent: Row) -> Iterator[Breach]:
    reference, withdrawn_at = attempt["reference"], consent["withdrawn_at"]
    if withdrawn_at is None:
        return
    moves = [row for row in evidence.events[attempt["id"]] if _is_move(row)]
    later = [row for row in moves if row["at"] > withdrawn_at]
    for row in later:
        if row["state_after"] in {"linked", "open"} and _is_late(evidence, row, withdrawn_at):
            yield Breach("left", reference, f"{row['state_after']} after the withdrawal")
        if row["state_after"] == "expired" and _is_late(evidence, row, withdrawn_at):
            yield Breach("left", reference, "ran out instead of being ended by the withdrawal")


def _is_late(evidence: Evidence, event: Row, since: str) -> bool:
    return evidence.earliest(event["at"]) > evidence.latest(since) + TOLERANCE


def _is_move(event: Row) -> bool:
    return bool(event["state_before"] != event["state_after"])


def timelines_are_complete(evidence: Evidence) -> Iterator[Breach]:
    for attempt in evidence.attempts.values():
        reference = attempt["reference"]
        events = sorted(evidence.events[attempt["id"]], key=lambda row: int(row["id"]))
        if not events or events[0]["event"] != "consented":
            yield Breach("timeline", reference, "does not begin with consent")
        state = "started"
        for event in filter(_is_move, events):
            before, after = event["state_before"], event["state_after"]
            if before != state:
                yield Breach("timeline", reference, f"goes on from {before}, had been {state}")
            if after not in MOVES.get(before, set()):
                yield Breach("timeline", reference, f"moves from {before} to {after}")
            state = after
        if state != attempt["state"]:
            yield Breach("timeline", reference, f"ends {state}, the attempt is {attempt['state']}")
        yield from _story_is_told(evidence, attempt, events)


def _story_is_told(evidence: Evidence, attempt: Row, events: list[Row]) -> Iterator[Breach]:
    told = {event["event"] for event in events}
    if attempt["podero_id"] and "opened" not in told:
        yield Breach("timeline", attempt["reference"], "does not tell that the form was opened")
    has_returned = any(back.is_success for back in evidence.returns_of(attempt))
    if has_returned and not told & {"returned", "return_seen_elsewhere"}:
        yield Breach("timeline", attempt["reference"], "does not tell that the customer came back")


# --- Customers and devices ------------------------------------------------------------------


def one_podero_user_each(evidence: Evidence) -> Iterator[Breach]:
    living: dict[str, list[str]] = defaultdict(list)
    for user in evidence.podero["users"]:
        if user["deleted_at"] is None and user["external_user_id"] in evidence.person_of:
            living[user["external_user_id"]].append(user["id"])
    for customer in evidence.customers.values():
        number = customer["external_user_id"]
        ids = living.pop(number, [])
        if len(ids) > 1:
            yield Breach("two users", number, f"Podero has {len(ids)} users for this customer")
        elif ids and customer["removed_at"] is not None:
            yield Breach("two users", number, "the user was removed, and Podero has another")
        elif ids and customer["podero_id"] not in (None, *ids):
            known = {user["id"] for user in evidence.podero["users"]}
            if customer["podero_id"] not in known:
                yield Breach("two users", number, "on record is a user that Podero never had")
    for number in living:
        yield Breach("two users", number, "Podero has a user that is no customer of ours")


def devices_have_their_owner(evidence: Evidence) -> Iterator[Breach]:
    at_podero = {row["id"]: row for row in evidence.podero["devices"]}
    numbers = {row["id"]: row["external_user_id"] for row in evidence.podero["users"]}
    for row in evidence.facts["devices"]:
        customer = evidence.customers.get(row["podero_user_id"])
        device = at_podero.get(row["podero_id"])
        owner = numbers.get(device["user_id"]) if device else None
        if customer is None and owner not in evidence.person_of:
            continue
        if device is None:
            yield Breach("owner", _reference(evidence, row), "a device that Podero never had")
        elif customer is None or owner != customer["external_user_id"]:
            yield Breach("owner", _reference(evidence, row), "another customer's device")


def _reference(evidence: Evidence, row: Row) -> str:
    attempt = evidence.attempts.get(row["attempt_id"])
    return str(attempt["reference"] if attempt else row["reference"])


def _leave_to_optimize(evidence: Evidence, device: str) -> float | None:
    """When its owner first did what allows it; None when they did nothing that would."""
    session = evidence.session_of_device.get(device)
    attempt = evidence.attempt_of_session.get(session["id"]) if session else None
    if session is None or attempt is None:
        return None
    person, row = evidence.person(attempt), evidence.device_rows.get(device)
    # A device of one attempt may have been kept by another of the same customer's.
    acts = [
        back.went_at
        for back in person.returns
        if back.is_success
        and back.is_same_browser
        and (back.session == session["id"] or (row and _kept_by(evidence, row, back.session)))
    ]
    acts += [
        said.pressed_at
        for said in person.confirmations
        if row is not None and said.device == row["reference"]
    ]
    return min(acts, default=None)


def _kept_by(evidence: Evidence, row: Row, session: str) -> bool:
    attempt = evidence.attempt_of_session.get(session)
    return attempt is not None and row["attempt_id"] == attempt["id"]


def nothing_is_optimized_without_leave(evidence: Evidence) -> Iterator[Breach]:
    """Neither now nor ever: consent, the owner's own word, and not after they left."""
    for device in evidence.podero["devices"]:
        session = evidence.session_of_device.get(device["id"])
        attempt = evidence.attempt_of_session.get(session["id"]) if session else None
        switched_on = [at for at, is_on in device["switches"] if is_on]
        if not switched_on:
            continue
        if attempt is None:
            yield Breach("optimized", device["id"], "a device that no attempt has brought")
            continue
        reference = attempt["reference"]
        since = _leave_to_optimize(evidence, device["id"])
        if since is None:
            yield Breach("optimized", reference, "without the customer's confirmation")
            continue
        if min(map(evidence.latest, switched_on)) < since - TOLERANCE:
            yield Breach("optimized", reference, "before the customer's confirmation")
        yield from _after_leaving(evidence, attempt, switched_on)


def _after_leaving(evidence: Evidence, attempt: Row, switched_on: list[str]) -> Iterator[Breach]:
    click = evidence.clicks_before(attempt)
    if click is None:
        return
    gone = [
        each.answered_at
        for each in evidence.person(attempt).withdrawals
        if each.pressed_at >= click.pressed_at and each.answered_at != float("inf")
    ]
    if gone and max(map(evidence.earliest, switched_on)) > min(gone) + UNDER_WAY_SECONDS:
        yield Breach("left", attempt["reference"], "switched on after the customer had left")


def who_has_left_is_left_alone(evidence: Evidence) -> Iterator[Breach]:
    for device in evidence.living_devices():
        session = evidence.session_of_device.get(device["id"])
        attempt = evidence.attempt_of_session.get(session["id"]) if session else None
        if attempt is None or not device["fields"]["is_smart_optimization_active"]:
            continue
        click = evidence.clicks_before(attempt)
        since = click.pressed_at if click else 0.0
        if evidence.person(attempt).has_left(since=since):
            yield Breach("left", attempt["reference"], "still optimized at Podero")


def who_stays_is_optimized(evidence: Evidence) -> Iterator[Breach]:
    """A device that its owner brought back in the same browser, or confirmed, is on."""
    for device in evidence.living_devices():
        row = evidence.device_rows.get(device["id"])
        session = evidence.session_of_device.get(device["id"])
        attempt = evidence.attempt_of_session.get(session["id"]) if session else None
        if row is None or session is None or attempt is None:
            continue
        is_on = bool(device["fields"]["is_smart_optimization_active"])
        if is_on != bool(row["is_optimization_wanted"]):
            text = f"{'on' if is_on else 'off'} at Podero, the app wants it otherwise"
            yield Breach("forgotten", _reference(evidence, row), text)
        person = evidence.person(attempt)
        click = evidence.clicks_before(attempt)
        if person.may_have_left(since=click.pressed_at if click else 0.0):
            continue
        was_confirmed = any(
            said.is_answered and said.device == row["reference"] for said in person.confirmations
        )
        if is_on or _may_be_off(person, row):
            continue
        if was_confirmed:
            yield Breach("forgotten", _reference(evidence, row), "confirmed, but off at Podero")
        if _was_brought_back(evidence, row, attempt):
            yield Breach("forgotten", _reference(evidence, row), "brought back, but off at Podero")


def _may_be_off(person: Person, row: Row) -> bool:
    """Whether its owner paused it or had it removed, as far as they know, and did not take it back."""
    last = person.last_press(row["reference"], "pause", "resume", "remove")
    return last is not None and (last.act != "resume" or not last.is_answered)


def _was_brought_back(evidence: Evidence, row: Row, attempt: Row) -> bool:
    """Whether the browser that left came back naming the device, and no other browser ever came.

    That is for the person to say: an app that loses returns knows of none. A device that a look
    had found before is asked about.
    """
    person = evidence.person(attempt)
    came = [back for back in evidence.returns_of(attempt) if back.is_success]
    if row["attempt_id"] != attempt["id"] or not came or came[0].device != row["podero_id"]:
        return False
    was_found_before = any(
        event["state_after"] == "linked"
        and event["state_before"] != "returned"
        and evidence.earliest(event["at"]) < came[0].went_at + TOLERANCE
        for event in filter(_is_move, evidence.events[attempt["id"]])
    )
    return not was_found_before and all(back.is_same_browser for back in person.returns)


def what_was_pressed_is_so(evidence: Evidence) -> Iterator[Breach]:
    """What its owner paused is off, what they removed is to go, and what the app says is gone is."""
    living = {row["id"]: row for row in evidence.living_devices()}
    for row in evidence.facts["devices"]:
        customer = evidence.customers.get(row["podero_user_id"])
        if customer is None:
            continue
        there = living.get(row["podero_id"])
        person = evidence.person_of[customer["external_user_id"]]
        last = person.last_press(row["reference"], "pause", "resume", "remove")
        if there and row["removed_at"] is not None:
            yield Breach("removed", _reference(evidence, row), "removed here, but not at Podero")
        if last is None or not last.is_answered:
            continue
        if last.act == "pause" and there and there["fields"]["is_smart_optimization_active"]:
            yield Breach("paused", _reference(evidence, row), "paused, but on at Podero")
        if last.act == "remove" and there and row["removal_wanted_at"] is None:
            yield Breach("removed", _reference(evidence, row), "to be removed, and not under way")


def _both_agree_on_withdrawal(evidence: Evidence) -> Iterator[Breach]:
    """A withdrawal that was answered stands in the database, unless a new consent came later."""
    by_number = {row["external_user_id"]: row for row in evidence.customers.values()}
    for person in evidence.people:
        gone = [each.answered_at for each in person.withdrawals if each.answered_at < float("inf")]
        consents = [click.pressed_at for click in person.clicks if click.is_consent]
        if not gone or max(gone) < max(consents, default=0.0):
            continue
        customer = by_number.get(person.number)
        held = [
            row
            for row in evidence.consents.values()
            if customer and row["podero_user_id"] == customer["id"]
        ]
        if any(row["withdrawn_at"] is None for row in held):
            yield Breach("left", person.number, "withdrew, but a consent is still in force")


RULES = (
    nothing_is_lost,
    one_attempt_per_click,
    every_attempt_is_final,
    every_attempt_is_right,
    timelines_are_complete,
    one_podero_user_each,
    devices_have_their_owner,
    nothing_is_optimized_without_leave,
    who_has_left_is_left_alone,
    who_stays_is_optimized,
    what_was_pressed_is_so,
    _both_agree_on_withdrawal,
)


def by_rule(breaches: Iterable[Breach]) -> Counter[str]:
    return Counter(breach.rule for breach in breaches)
