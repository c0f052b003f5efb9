"""Everything held about a customer is known, can be told and can be erased."""

from __future__ import annotations

import json
import uuid
from contextlib import nullcontext
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessAttemptExpiration, AccessFailureLog, AccessLog
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding import tasks
from onboarding.flows import throttling, withdrawal
from onboarding.flows.personal_data import FOUND_OTHERWISE, HELD, sign_ins_of
from onboarding.models import (
    Breaker,
    ChargeWish,
    Device,
    ErasedCount,
    JobRun,
    LeavingReason,
    Mail,
    OnboardingSession,
    PoderoUser,
    Reconnection,
    Tally,
    UsedHandoff,
)
from onboarding.models.return_tokens import fresh_token, kept_hash_of
from onboarding.states import Actor, Event, State
from tests.factories import (
    NOON,
    make_attempt,
    make_consent,
    make_customer,
    make_device,
    make_reconnection,
)
from tests.journeys.customer import Customer
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db

# Models that say nothing about a customer, and why.
IMPERSONAL = {
    Group: "rights of staff",
    Permission: "rights of staff",
    ContentType: "names of tables",
    UsedHandoff: "a digest of a random number",
    ErasedCount: "numbers",
    LeavingReason: "numbers",
    AccessAttemptExpiration: "never written",
    AccessFailureLog: "never written",
    AccessLog: "never written",
    Breaker: "how Podero is doing",
    JobRun: "when jobs ran",
}


def test_every_column_of_every_model_is_covered() -> None:
    """A new model or column must be named in flows/personal_data.py, or here as impersonal."""
    covered = {held.model for held in HELD} | set(FOUND_OTHERWISE) | set(IMPERSONAL)
    assert set(apps.get_models()) == covered

    for held in HELD:
        columns = {field.name for field in held.model._meta.concrete_fields}
        named = [*held.told, *held.withheld]
        assert len(named) == len(set(named)), held.name
        assert set(named) == columns, held.name
        assert all(held.withheld.values())


def everything_of(number: str) -> PoderoUser:
    """A customer with a row in every table that holds personal data."""
    account = User.objects.create_user(
        username=f"name-{number}",
        email=f"{number}@example.com",
        password="demo",
        first_name=f"given-{number}",
        last_name=f"family-{number}",
    )
    customer = make_customer(
        account=account, external_user_id=number, email=f"{number}@example.com", language="de-AT"
    )
    consent = make_consent(customer)
    first = make_attempt(customer=customer, consent=consent, state=State.EXPIRED)
    attempt = make_attempt(
        customer=customer,
        consent=consent,
        state=State.LINKED,
        continues=first,
        returned_device_id=uuid.uuid4(),
        return_token_hash=uuid.uuid4().hex * 2,
    )
    attempt.note(Event.LINKED, at=NOON, actor=Actor.SYSTEM, podero_status=200)
    device = make_device(
        attempt=attempt,
        manufacturer=f"maker-{number}",
        model=f"model-{number}",
    )
    ChargeWish.objects.create(
        device=device, is_start=False, wished_at=NOON, answer="taken_back", answered_at=NOON
    )
    make_reconnection(
        device=device,
        cue_id=uuid.uuid4(),
        returned_device_id=uuid.uuid4(),
        token_hash=uuid.uuid4().hex * 2,
    )
    Mail.objects.create(consent=consent, kind=Mail.Kind.RECEIPT, sent_at=NOON)
    Client().force_login(account)
    Client().post("/sign-in/", {"username": f"Name-{number}", "password": "wrong"})
    throttling.count_refused_handoff(address="", customer_number=number, now=NOON)
    LogEntry.objects.create(
        user=User.objects.create_user(f"staff-{uuid.uuid4().hex}", is_staff=True),
        content_type=ContentType.objects.get_for_model(PoderoUser),
        object_id=str(customer.pk),
        object_repr=number,
        action_flag=CHANGE,
        change_message=f"looked at {number}",
    )
    withdrawal.withdraw(customer=customer, now=NOON)
    # Leaving has emptied it; here a row is to be full.
    Device.objects.filter(pk=device.pk).update(
        external_device_id=f"serial-{number}", confirmed_at=NOON
    )
    return customer


def markers_of(customer: PoderoUser) -> set[str]:
    """Every id, name and address that leads to the customer, as it may stand in a column."""
    number = customer.external_user_id
    found = {f"{kind}-{number}" for kind in ("name", "given", "family", "maker", "model", "serial")}
    found |= {number, f"{number}@example.com"}
    for held in HELD:
        for row in held.rows_of(customer) if not held.is_shared else ():
            values = (getattr(row, field.attname) for field in held.model._meta.concrete_fields)
            found |= {value.hex for value in values if isinstance(value, uuid.UUID)}
    return found


def written_anywhere(markers: set[str]) -> set[str]:
    written = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            written += [str(value) for row in cursor.fetchall() for value in row]
    text = "\n".join(written).replace("-", "")
    return {marker for marker in markers if marker.replace("-", "") in text}


def run(command: str, number: str, *more: str) -> str:
    out = StringIO()
    if command == "erase_customer" and "--no-input" not in more:
        more = ("--no-input", *more)
    call_command(command, "--customer", number, *more, stdout=out)
    return out.getvalue()


def test_export_tells_everything_but_keys_and_nothing_of_others() -> None:
    customer, other = everything_of("NUMBER4711"), everything_of("NUMBER4712")

    text = run("export_customer", "NUMBER4711")

    told = json.loads(text)
    for held in HELD:
        rows = told[held.name]
        assert rows, held.name
        for name in held.told:
            values = [getattr(row, name) for row in held.rows_of(customer)]
            if any(value not in (None, "") for value in values):
                assert any(row[name] not in (None, "") for row in rows), (held.name, name)
    assert told["account"][0]["last_name"] == "family-NUMBER4711"
    assert told["consents"][0]["text"] == told["words"][0]["digest"]
    assert told["attempts"][1]["continues"] == told["attempts"][0]["reference"]
    assert (len(told["sign_ins"]), len(told["seen_by_staff"])) == (1, 1)
    (failed,), (refused,) = told["failed_sign_ins"], told["refused_links_and_looks"]
    assert (failed["address"], failed["times"], refused["times"]) == ("127.0.0.1", 1, 1)
    assert customer.account.password not in text
    for attempt in customer.attempts.all():
        assert str(attempt.podero_id) not in text
        assert attempt.return_token_hash is None or attempt.return_token_hash not in text
    for reconnection in Reconnection.objects.all():
        assert str(reconnection.token_hash) not in text
        assert str(reconnection.cue_id) not in text
    plain = text.replace("-", "")
    assert not any(marker.replace("-", "") in plain for marker in markers_of(other))


def test_erasure_leaves_no_trace_but_counts_and_nothing_of_others_is_touched(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    customer, other = everything_of("NUMBER4711"), everything_of("NUMBER4712")
    mine, others = markers_of(customer), markers_of(other)
    assert written_anywhere(mine) == mine
    Device.objects.update(is_optimization_in_doubt=False, removal_due_at=None)

    out = run("erase_customer", "NUMBER4711")

    assert written_anywhere(mine) == set()
    assert written_anywhere(others) == others
    assert "onboarding.PoderoUser: 1\n" in out
    assert dict(ErasedCount.objects.values_list("kind", "count")) == {
        "onboarding.SessionEvent": 2,
        "onboarding.Mail": 1,
        "onboarding.ChargeWish": 1,
        "onboarding.Reconnection": 1,
        "onboarding.Device": 1,
        "onboarding.OnboardingSession": 2,
        "onboarding.Consent": 1,
        "onboarding.PoderoUser": 1,
        "auth.User": 1,
        "admin.LogEntry": 1,
        "sessions.Session": 1,
        "axes.AccessAttempt": 1,
        "onboarding.Tally": 1,
    }
    assert AccessAttempt.objects.count() == Tally.objects.count() == 1
    assert Session.objects.count() == 1


@pytest.mark.parametrize("way_back", ["return_success", "reconnect_success"])
def test_browser_that_came_back_signed_out_is_forgotten_too(way_back: str) -> None:
    customer, _other = everything_of("NUMBER4711"), everything_of("NUMBER4712")
    token = fresh_token()
    kept = kept_hash_of(token)
    if way_back == "return_success":
        OnboardingSession.objects.filter(pk=customer.attempts.latest("pk").pk).update(
            return_token_hash=kept
        )
    else:
        Reconnection.objects.filter(device__podero_user=customer).update(token_hash=kept)
    stranger = Client()
    stranger.get(reverse(way_back, args=[token]))
    held = [session.pk for session in sign_ins_of(customer)]
    assert stranger.session.session_key in held
    assert len(held) == 2

    Device.objects.update(is_optimization_in_doubt=False, removal_due_at=None)
    run("erase_customer", "NUMBER4711")

    assert not Session.objects.filter(pk__in=held).exists()
    assert Session.objects.count() == 1


@pytest.mark.parametrize(
    ("typed", "is_erased"), [("NUMBER4711", True), ("yes", False), ("", False), (None, False)]
)
def test_whoever_erases_types_the_number_once_more(
    monkeypatch: pytest.MonkeyPatch, typed: str | None, is_erased: bool
) -> None:
    make_customer(external_user_id="NUMBER4711")

    def answer(_question: str) -> str:
        if typed is None:
            raise EOFError
        return typed

    monkeypatch.setattr("builtins.input", answer)

    with nullcontext() if is_erased else pytest.raises(CommandError, match="not typed again"):
        call_command("erase_customer", "--customer", "NUMBER4711", stdout=StringIO())

    assert PoderoUser.objects.exists() != is_erased


@pytest.mark.parametrize("command", ["export_customer", "erase_customer"])
def test_unknown_customer_is_said(podero_settings: Any, command: str) -> None:
    with pytest.raises(CommandError, match="there is no such customer"):
        run(command, "nobody")


@pytest.fixture
def linked(podero_settings: Any, simulator: RunningSimulator) -> Customer:
    customer = Customer(make_customer(external_user_id="NUMBER4711"))
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    customer.go(str(way_back))
    return customer


def refused(number: str = "NUMBER4711") -> str:
    before = PoderoUser.objects.count(), User.objects.count(), Device.objects.count()
    with pytest.raises(CommandError) as refusal:
        run("erase_customer", number)
    assert before == (PoderoUser.objects.count(), User.objects.count(), Device.objects.count())
    assert ErasedCount.objects.count() == 0
    return str(refusal.value)


def test_erasure_is_refused_while_a_device_is_steered(linked: Customer) -> None:
    assert "devices may still be steered; use --withdraw, then run `sweep`" in refused()


def test_erasure_is_refused_while_a_paused_device_is_linked_at_podero(
    linked: Customer, simulator: RunningSimulator
) -> None:
    linked.browser.post(reverse("pause_device", args=[Device.objects.get().reference]))
    tasks.switch_customer_devices(customer_id=linked.podero_user.pk)

    assert "devices are still linked at Podero" in refused()

    run("erase_customer", "NUMBER4711", "--withdraw")
    held = simulator.control.state()
    assert [device["fields"]["deleted_at"] is not None for device in held["devices"]] == [True]
    assert [user["deleted_at"] is not None for user in held["users"]] == [True]
    assert PoderoUser.objects.count() == User.objects.count() == 0


def test_erasure_asks_podero_what_is_steered_now(
    linked: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("update_device", "http_503", count=-1)
    linked.browser.post(reverse("leave"))
    Device.objects.update(
        is_optimization_active=False, is_optimization_in_doubt=False, removal_due_at=None
    )
    assert "devices may still be steered; run `sweep` and try again" in refused()

    simulator.control.arm("*", "http_503", count=-1)

    assert "Podero could not be asked" in refused()


def test_erasure_after_leaving_names_the_user_that_podero_still_has(
    linked: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(user_delete_status=405)
    linked.browser.post(reverse("leave"))
    assert "Podero is still to remove devices or the user" in refused()
    PoderoUser.objects.update(removal_due_at=None)

    out = run("erase_customer", "NUMBER4711")

    user = simulator.control.state()["users"][0]
    assert f"Podero still has user {user['id']}" in out
    assert PoderoUser.objects.count() == User.objects.count() == 0
    assert linked.browser.get(reverse("devices")).status_code == 302


def test_erasure_waits_for_devices_that_podero_is_still_to_remove(
    linked: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(device_delete_status=409)
    linked.browser.post(reverse("leave"))
    assert "Podero is still to remove devices or the user" in refused()

    Device.objects.update(removal_due_at=None)

    assert "Podero still has user" in run("erase_customer", "NUMBER4711")


def test_erasure_takes_the_unsent_acknowledgement_along(linked: Customer, settings: Any) -> None:
    settings.IS_MAIL_ON = True
    linked.browser.post(reverse("leave"))
    assert Mail.objects.get().kind == Mail.Kind.WITHDRAWAL

    out = run("erase_customer", "NUMBER4711")

    assert "onboarding.Mail: 1" in out
    assert "Podero still has" not in out


@pytest.mark.parametrize("has_left", [False, True])
def test_erasure_is_refused_while_a_form_may_still_bring_a_device(
    podero_settings: Any, simulator: RunningSimulator, has_left: bool
) -> None:
    customer = Customer(make_customer(external_user_id="NUMBER4711"))
    customer.opt_in()
    if has_left:
        customer.browser.post(reverse("leave"))

    said = refused()

    assert "a form at Podero may still bring a device" in said
    assert customer.attempt.expires_at is not None
    assert customer.attempt.expires_at > timezone.now() + timedelta(hours=12)
    assert f"{customer.attempt.expires_at:%Y-%m-%d %H:%M} UTC" in said


def test_erasure_is_refused_while_a_form_is_being_opened(podero_settings: Any) -> None:
    customer = make_customer(external_user_id="NUMBER4711")
    make_attempt(customer=customer, claimed_at=timezone.now())

    assert "a form at Podero may still bring a device" in refused()


@pytest.mark.parametrize("is_matched", [True, False])
def test_erasure_is_refused_while_podero_has_not_said_what_somebody_came_back_with(
    podero_settings: Any, is_matched: bool
) -> None:
    customer = make_customer(external_user_id="NUMBER4711", podero_id=uuid.uuid4())
    attempt = make_attempt(
        customer=customer,
        state=State.FAILED,
        next_try_at=timezone.now(),
        is_return_matched=is_matched,
        foreign_return_at=None if is_matched else NOON,
    )

    said = refused()

    assert "a form at Podero may still bring a device" in said
    assert f"try after {attempt.next_try_at:%Y-%m-%d %H:%M} UTC" in said
    PoderoUser.objects.update(podero_id=None)
    run("erase_customer", "NUMBER4711")
    assert not PoderoUser.objects.exists()


def test_member_of_staff_is_not_erased(podero_settings: Any) -> None:
    customer = make_customer(external_user_id="NUMBER4711")
    User.objects.filter(pk=customer.account_id).update(is_staff=True)

    assert "member of staff" in refused()


@pytest.mark.parametrize("fault", ["http_401", "http_503", "not_json_html"])
def test_erasure_is_refused_while_podero_does_not_tell_how_devices_stand(
    linked: Customer, simulator: RunningSimulator, fault: str
) -> None:
    """Its answer to the last question may be old: the device may be steered again."""
    simulator.control.settings(device_delete_status=405)
    linked.browser.post(reverse("leave"))
    Device.objects.update(removal_due_at=None)
    simulator.control.arm("*", fault, count=-1)

    assert "Podero could not be asked" in refused()

    simulator.control.clear_faults()
    assert "Podero still has user" in run("erase_customer", "NUMBER4711")


def test_export_tells_not_by_what_a_device_of_perhaps_somebody_else_goes() -> None:
    device = make_device(external_device_id="VIN-1")
    own = make_device(attempt=device.attempt, external_device_id="VIN-2", confirmed_at=NOON)

    told = json.loads(run("export_customer", device.podero_user.external_user_id))

    ids = {row["reference"]: row["external_device_id"] for row in told["devices"]}
    assert ids == {str(device.reference): "", str(own.reference): "VIN-2"}


def test_user_whom_podero_may_have_made_is_asked_about_before_all_is_forgotten(
    podero_settings: Any,
) -> None:
    customer = make_customer()
    PoderoUser.objects.update(is_creation_in_doubt=True)

    with pytest.raises(CommandError, match=r"Podero may have a user of theirs; use --withdraw"):
        run("erase_customer", customer.external_user_id, "--no-input")

    assert PoderoUser.objects.exists()
