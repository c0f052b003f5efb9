"""Rows for the gallery. Runs inside the app's own environment, as `manage.py shell -c` does."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from onboarding.flows import reminders
from onboarding.models import (
    ChargeWish,
    Consent,
    Mail,
    OnboardingSession,
    PoderoUser,
    Reconnection,
)
from onboarding.states import FailureCode, State
from tests.factories import (
    make_attempt,
    make_consent,
    make_customer,
    make_device,
    make_reconnection,
)

LONG = "Donaudampfschifffahrtsgesellschaftselektrizitaetenhauptbetriebswerkbau"


def with_own_id(fields: dict[str, Any], number: int) -> dict[str, Any]:
    """A device that is not taken for another one."""
    return fields | {"external_device_id": str(number)}


def write_rows() -> None:
    """Make a customer for each state of the pages, and print where to find it as JSON."""
    with transaction.atomic():
        print(json.dumps(_Rows(timezone.now()).made))  # noqa: T201


class _Rows:
    """`made` maps a state's name to its customer's number, e-mail and attempt."""

    def __init__(self, now: datetime) -> None:
        self.made: dict[str, dict[str, str]] = {}
        self._now = now
        self._unopened()
        self._opened()
        self._ended()
        self._failed()
        self._linked()
        self._devices()
        self._removed()
        self._living()
        self._reconnections()
        self._withdrawn()
        self._customer("fresh")
        often = self._customer("too-often")
        for _time in range(10):
            make_attempt(customer=often, state=State.EXPIRED, started_at=self._now)
        staff = self._customer("staff")
        User.objects.filter(pk=staff.account_id).update(is_staff=True)

    def _customer(self, name: str, **fields: Any) -> PoderoUser:
        email = fields.pop("email", f"gallery-{name}@example.com")
        account = User.objects.create_user(username=f"gallery-{name}", email=email)
        number = fields.pop("external_user_id", f"G-{name}")
        customer = make_customer(account=account, email=email, external_user_id=number, **fields)
        self.made[name] = {"number": number, "email": email, "attempt": ""}
        return customer

    def _attempt(self, name: str, state: State, **fields: Any) -> OnboardingSession:
        customer = fields.pop("customer", None) or self._customer(name)
        times = {"started_at": self._now - timedelta(hours=2)}
        if state != State.STARTED:
            times |= {
                "opened_at": self._now - timedelta(hours=2),
                "expires_at": self._now + timedelta(days=2),
            }
        attempt = make_attempt(customer=customer, state=state, **(times | fields))
        self.made[name]["attempt"] = str(attempt.reference)
        return attempt

    def _unopened(self) -> None:
        # Not so soon that a page would try again while it is looked at.
        later = {"next_try_at": self._now + timedelta(days=1)}
        unreachable, busy = FailureCode.UNREACHABLE, FailureCode.BUSY
        self._attempt("started", State.STARTED, **later)
        self._attempt("started-unreachable", State.STARTED, failure_code=unreachable, **later)
        self._attempt("started-busy", State.STARTED, failure_code=busy, **later)
        self._attempt("started-given-up", State.STARTED, failure_code=unreachable, tries=9, **later)
        withdrawn = self._attempt("started-withdrawn", State.STARTED, **later)
        Consent.objects.filter(podero_user=withdrawn.podero_user).withdraw(at=self._now)

    def _opened(self) -> None:
        self._attempt("open", State.OPEN, device_type="ev")
        continued = self._attempt("open-continued", State.OPEN, device_type="ev")
        make_attempt(
            customer=continued.podero_user,
            consent=continued.consent,
            continues=continued,
            state=State.OPEN,
            started_at=self._now,
        )
        self._reminded()
        self._attempt("returned", State.RETURNED)
        self._attempt("returned-unreachable", State.RETURNED, failure_code=FailureCode.UNREACHABLE)

    def _reminded(self) -> None:
        for name in ("open-reminder", "open-reminded", "open-reminder-stopped"):
            customer = self._customer(name)
            consent = make_consent(customer, allows_reminder=True)
            attempt = self._attempt(name, State.OPEN, customer=customer, consent=consent)
            reminders.plan_reminder(attempt=attempt, now=attempt.started_at)
            self.made[name]["stop_token"] = reminders.stop_token(consent)
        done = Mail.objects.get(consent__podero_user__external_user_id="G-open-reminded")
        done.claim(now=self._now)
        done.write_off(at=self._now)
        stopped = PoderoUser.objects.get(external_user_id="G-open-reminder-stopped")
        reminders.stop_reminders(customer=stopped, now=self._now)

    def _ended(self) -> None:
        self._attempt("cancelled", State.CANCELLED, device_type="hp")
        withdrawn = self._attempt("cancelled-withdrawn", State.CANCELLED)
        Consent.objects.filter(podero_user=withdrawn.podero_user).withdraw(at=self._now)
        self._attempt("expired", State.EXPIRED, failure_code=FailureCode.RAN_OUT)
        self._attempt("expired-never-opened", State.EXPIRED, failure_code=FailureCode.NEVER_OPENED)

    def _failed(self) -> None:
        for code in (
            FailureCode.EMAIL_TAKEN,
            FailureCode.PRICE_ZONE_MISSING,
            FailureCode.NOT_CONFIRMED,
            FailureCode.WITHDRAWN,
            FailureCode.REFUSED,
        ):
            attempt = self._attempt(
                f"failed-{code.value.replace('_', '-')}", State.FAILED, failure_code=code
            )
            if code == FailureCode.WITHDRAWN:
                Consent.objects.filter(podero_user=attempt.podero_user).withdraw(at=self._now)

    def _working(self) -> dict[str, Any]:
        return {
            "linked_at": self._now - timedelta(hours=1),
            "checked_at": self._now,
            "confirmed_at": self._now,
            "is_optimization_wanted": True,
            "is_optimization_active": True,
        }

    def _linked(self) -> None:
        make_device(attempt=self._attempt("linked", State.LINKED), **self._working())
        unconfirmed = self._attempt("linked-unconfirmed", State.LINKED)
        make_device(attempt=unconfirmed, checked_at=self._now)
        several = self._attempt("linked-several", State.LINKED)
        make_device(attempt=several, **self._working())
        make_device(attempt=several, model="Model Y")
        self._attempt("linked-before", State.LINKED)

    def _devices(self) -> None:
        full = self._attempt("devices-full", State.LINKED)
        working = self._working()
        make_device(attempt=full, **working)
        make_device(attempt=full, device_type="hp", manufacturer="Nibe", model="S2125-8", **working)
        make_device(attempt=full, device_type="iv", manufacturer=LONG, model=LONG, **working)
        make_device(attempt=full, device_type="wb", manufacturer="", model="", **working)
        soon = working | {"is_optimization_active": False}
        make_device(attempt=full, model="to be switched on soon", **soon)
        stopping = working | {"is_optimization_wanted": False}
        make_device(attempt=full, model="to be switched off soon", **stopping)
        off = soon | {"is_optimization_wanted": False}
        make_device(attempt=full, model="switched off", **off)
        needy = self._attempt("devices-need-you", State.LINKED)
        make_device(attempt=needy, **(working | {"is_authenticated": False}))
        make_device(attempt=needy, device_type="hp", **(working | {"is_action_needed": True}))
        unsure = self._attempt("devices-unconfirmed", State.LINKED)
        make_device(attempt=unsure)
        make_device(attempt=unsure, model="Model Y", is_optimization_active=True)
        make_attempt(customer=unsure.podero_user, state=State.OPEN, started_at=self._now)
        make_attempt(customer=unsure.podero_user, state=State.RETURNED, started_at=self._now)
        self._customer("devices-empty")

    def _removed(self) -> None:
        """One device of each kind: still on, off, refused, gone."""
        working = self._working()
        off = working | {"is_optimization_wanted": False, "is_optimization_active": False}
        wanted = off | {"removal_wanted_at": self._now, "removal_due_at": self._now}
        refused = wanted | {"removal_refusals": 1, "removal_refused_status": 405}
        gone = off | {"removal_wanted_at": self._now, "removed_at": self._now}
        attempt = self._attempt("devices-being-removed", State.LINKED)
        make_device(
            attempt=attempt, model="stopping", **(wanted | {"is_optimization_active": True})
        )
        for name, fields in (
            ("removing", wanted),
            ("removal-refused", refused),
            ("removed", gone),
            ("working", working),
        ):
            device = make_device(attempt=attempt, model=name, **fields)
            self.made[name] = self.made["devices-being-removed"] | {"device": str(device.reference)}

    def _living(self) -> None:
        """What devices tell of themselves, and how wishes stand."""
        working = self._working()
        told = self._attempt("devices-told", State.LINKED)
        savings = {
            "currency": "EUR",
            "periods": [
                {
                    "started_at": "2026-02-01T00:00:00Z",
                    "ended_at": "2026-03-01T00:00:00Z",
                    "total": 12.4,
                },
                {
                    "started_at": "2026-01-01T00:00:00Z",
                    "ended_at": "2026-02-01T00:00:00Z",
                    "total": -1.5,
                },
            ],
        }
        car = {"is_plugged_in": True, "is_charging": False, "battery_level": 62}
        silent = {"state_at": (self._now - timedelta(days=1)).isoformat()}
        make_device(attempt=told, report=car, savings=savings, **working)
        make_device(attempt=told, device_type="hp", report={"mode": "low"} | silent, **working)
        sun = {"solar_production_w": 3200, "battery_level": 57, "battery_flow_w": -500}
        make_device(attempt=told, device_type="iv", report=sun, **working)
        paused = self._attempt("devices-paused", State.LINKED)
        off = working | {"is_optimization_wanted": False, "is_optimization_active": False}
        make_device(attempt=paused, device_type="hp", **off)
        pausing = working | {"is_optimization_wanted": False, "is_optimization_in_doubt": True}
        make_device(attempt=paused, device_type="iv", next_try_at=self._now, **pausing)
        self._charging(working)
        doubled = self._attempt("devices-doubled", State.LINKED)
        make_device(attempt=doubled, external_device_id="1", **working)
        make_device(attempt=doubled, external_device_id="1", **working)
        make_device(attempt=doubled, device_type="wb", report={"mode": "READY"}, **working)
        make_device(attempt=doubled, device_type="hp", **working)
        make_device(attempt=doubled, device_type="hp", **working)

    def _charging(self, working: dict[str, Any]) -> None:
        answers = self._attempt("devices-charging", State.LINKED)
        for number, answer in enumerate(("", *ChargeWish.Answer.values)):
            device = make_device(
                attempt=answers, model=f"Model {number}", **with_own_id(working, number)
            )
            ChargeWish.objects.create(
                device=device,
                is_start=answer != "taken_back",
                wished_at=self._now,
                answer=answer,
                answered_at=self._now if answer else None,
                # Nothing asks Podero while it is looked at.
                next_try_at=None,
            )
        for number, state in enumerate(("requested", "ongoing", "unavailable")):
            make_device(
                attempt=answers,
                report={"boost_state": state},
                **with_own_id(working, 100 + number),
            )

    def _reconnections(self) -> None:
        doubtful = self._attempt(
            "devices-in-doubt", State.LINKED, foreign_return_at=self._now - timedelta(hours=1)
        )
        make_device(attempt=doubtful, checked_at=self._now)
        doubted = self._attempt("login-in-doubt", State.LINKED)
        for kind, mark in (("hp", "1"), ("iv", "")):
            make_device(
                attempt=doubted,
                device_type=kind,
                checked_at=self._now,
                login_doubted_at=self._now,
                account_mark=mark,
            )
        for state in Reconnection.State.values:
            attempt = self._attempt(f"reconnection-{state}", State.LINKED)
            is_other = state == Reconnection.State.OTHER_DEVICE
            fields = {"confirmed_at": None, "is_optimization_wanted": False} if is_other else {}
            device = make_device(attempt=attempt, **(self._working() | fields))
            reconnection = make_reconnection(
                device=device,
                state=state,
                started_at=self._now - timedelta(minutes=5),
                opened_at=self._now - timedelta(minutes=4),
                failure_code=FailureCode.UNREACHABLE if state == "not_opened" else "",
            )
            self.made[f"reconnection-{state}"]["reconnection"] = str(reconnection.reference)

    def _withdrawn(self) -> None:
        pending = self._attempt("left-pending", State.LINKED)
        stopping = {
            "is_optimization_wanted": False,
            "removal_wanted_at": self._now,
            "removal_due_at": self._now,
        }
        make_device(attempt=pending, **(self._working() | stopping))
        long_name = self._customer(
            "left-done", external_user_id=LONG, email=f"{LONG[:60]}@{LONG[:50]}.example"
        )
        done = self._attempt("left-done", State.LINKED, customer=long_name)
        wanted = {"is_optimization_wanted": False, "removal_wanted_at": self._now}
        off = wanted | {"is_optimization_active": False}
        make_device(attempt=done, **(self._working() | off | {"removed_at": self._now}))
        make_device(attempt=pending, **(self._working() | off | {"removal_due_at": self._now}))
        refused = self._attempt("left-refused", State.LINKED)
        make_device(attempt=refused, **(self._working() | off | {"removal_refusals": 5}))
        half = self._attempt("left-half", State.CANCELLED, finished_at=self._now)
        came_back = self._attempt("left-came-back", State.LINKED)
        make_device(attempt=came_back, **(self._working() | off | {"removal_due_at": self._now}))
        for attempt in (pending, done, refused, half, came_back):
            Consent.objects.filter(podero_user=attempt.podero_user).withdraw(at=self._now)
            attempt.podero_user.record_withdrawal(at=self._now)
        PoderoUser.objects.filter(pk=came_back.podero_user_id).update(withdrawn_at=None)
        PoderoUser.objects.filter(pk=long_name.pk).update(
            removal_wanted_at=self._now, removed_at=self._now
        )
