"""A customer leaves: their Podero user goes after the devices, and a new one is made later."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from onboarding import podero
from onboarding.clients import podero_client
from onboarding.flows import keeping, removal
from onboarding.flows.discovery import Finding
from onboarding.models import Consent, Device, OnboardingSession, PoderoUser
from onboarding.podero import Device as Found
from onboarding.podero import DeviceType
from tests.factories import make_customer
from tests.journeys.customer import Customer
from tests.journeys.removal.steps import (
    REFUSED,
    RETRIED,
    answer_deletion,
    is_listed,
    sweep_at,
    user_at_podero,
    user_at_podero_by_id,
)
from tests.journeys.test_leaving import is_steered, leave, link_a_device
from tests.simulator.launch import Completed, RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("answer", [200, 204])
def test_user_is_gone_when_podero_says_so(
    customer: Customer, simulator: RunningSimulator, answer: int | str
) -> None:
    answer_deletion(simulator, "user", answer)

    leave(customer)

    customer.podero_user.refresh_from_db()
    assert (customer.podero_user.is_removed, customer.podero_user.podero_id) == (True, None)
    assert customer.podero_user.is_creation_in_doubt
    ended = customer.browser.get(reverse("left")).context["ended"]
    assert (ended.is_all_off, ended.is_all_removed) == (True, True)


@pytest.mark.parametrize("answer", REFUSED)
def test_user_that_podero_refuses_to_remove_is_left_to_staff(
    customer: Customer, simulator: RunningSimulator, answer: int | str
) -> None:
    if isinstance(answer, int):
        answer_deletion(simulator, "user", answer)
    else:
        simulator.control.arm("delete_user", answer, count=-1)

    leave(customer)
    for day in range(1, 12):
        sweep_at(timezone.now() + timedelta(days=day))

    customer.podero_user.refresh_from_db()
    assert len(simulator.control.requests_to("delete_user")) == removal.MAX_REFUSALS
    assert customer.podero_user.is_removal_given_up
    assert customer.podero_user.podero_id is not None
    page = customer.browser.get(reverse("left"))
    assert not page.context["ended"].is_all_removed
    assert "did not remove everything when we asked" in page.content.decode()


@pytest.mark.parametrize("answer", RETRIED)
def test_user_is_asked_for_again_until_podero_has_removed_it(
    customer: Customer, simulator: RunningSimulator, answer: str
) -> None:
    answer_deletion(simulator, "user", answer)
    leave(customer)
    customer.podero_user.refresh_from_db()
    assert not customer.podero_user.is_removed
    assert (
        "everything of yours is removed" in customer.browser.get(reverse("left")).content.decode()
    )
    simulator.control.clear_faults()

    sweep_at(timezone.now() + timedelta(minutes=1))

    assert user_at_podero(simulator)["deleted_at"] is not None
    # Where it was removed before, Podero has to say twice that there is no such user.
    sweep_at(timezone.now() + timedelta(hours=2))
    assert PoderoUser.objects.get().is_removed


def test_user_stays_while_a_device_could_not_be_removed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(device_delete_status=405)
    leave(customer)
    for day in range(1, 12):
        sweep_at(timezone.now() + timedelta(days=day))
    assert not simulator.control.requests_to("delete_user")
    assert (
        "could not be removed at Podero" in customer.browser.get(reverse("left")).content.decode()
    )
    simulator.control.settings(device_delete_status=204)

    customer.podero_user.refresh_from_db()
    assert removal.try_again(customer=customer.podero_user, now=timezone.now())
    sweep_at(timezone.now())

    assert not is_listed(simulator)
    assert user_at_podero(simulator)["deleted_at"] is not None


def test_whoever_comes_back_after_everything_was_removed_gets_a_user_of_their_own_again(
    customer: Customer, simulator: RunningSimulator
) -> None:
    leave(customer)
    customer.podero_user.refresh_from_db()
    assert customer.podero_user.podero_id is None

    link_a_device(customer, simulator)

    customer.podero_user.refresh_from_db()
    old, new = simulator.control.state()["users"]
    assert (old["deleted_at"] is not None, new["deleted_at"]) == (True, None)
    assert str(customer.podero_user.podero_id) == new["id"]
    assert not customer.podero_user.is_removal_wanted
    assert customer.attempt.state == "linked"
    working = Device.objects.get(attempt=customer.attempt)
    assert is_steered(simulator, working)
    sweep_at(timezone.now() + timedelta(days=1))
    assert user_at_podero_by_id(simulator, new["id"])["deleted_at"] is None


def test_whoever_removed_the_last_device_and_never_came_again_is_forgotten_at_podero_too(
    customer: Customer, simulator: RunningSimulator
) -> None:
    (device,) = Device.objects.all()
    customer.browser.post(reverse("remove_device", args=[device.reference]))
    years_later = timezone.now() + timedelta(days=settings.RETAIN_CONSENTS_DAYS + 1)
    User.objects.update(last_login=timezone.now())
    sweep_at(years_later - timedelta(days=2))
    assert Consent.objects.exists()

    sweep_at(years_later)
    assert not Consent.objects.exists()
    assert user_at_podero(simulator)["deleted_at"] is None
    sweep_at(years_later + timedelta(minutes=1))

    assert user_at_podero(simulator)["deleted_at"] is not None
    assert not PoderoUser.objects.exists()
    assert not User.objects.exists()


def test_number_still_held_by_the_removed_user_is_for_support(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(deleted_users_block_reuse=True)
    leave(customer)

    customer.opt_in()

    attempt = customer.attempt
    assert (attempt.state, attempt.failure_code) == ("failed", "email_taken")
    page = customer.page.content.decode()
    assert "is left there from before you withdrew" in page
    assert 'href="#help"' in page
    assert len(simulator.control.state()["users"]) == 1


def test_user_whose_removal_took_effect_unseen_is_made_anew(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("delete_user", "reset_after", count=1)
    leave(customer)
    customer.podero_user.refresh_from_db()
    assert customer.podero_user.podero_id is not None

    link_a_device(customer, simulator)

    assert customer.attempt.state == "linked"
    assert len(simulator.control.state()["users"]) == 2


def test_user_whose_making_was_never_answered_is_found_and_removed(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    customer = Customer(make_customer())
    simulator.control.arm("create_user", "reset_after", count=1)
    customer.opt_in()
    assert customer.podero_user.podero_id is None

    leave(customer)

    assert user_at_podero(simulator)["deleted_at"] is not None
    customer.podero_user.refresh_from_db()
    assert customer.podero_user.is_removed


def test_whoever_never_got_to_podero_leaves_without_a_call(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    customer = Customer(make_customer())
    simulator.control.arm("create_user", "http_400", count=1)
    customer.opt_in()
    PoderoUser.objects.update(is_creation_in_doubt=False)
    before = len(simulator.control.state()["journal"])

    leave(customer)

    customer.podero_user.refresh_from_db()
    assert customer.podero_user.is_removed
    assert len(simulator.control.state()["journal"]) == before


def test_user_stays_while_a_form_may_still_bring_a_device_and_goes_after_it(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    late = customer.attempt
    leave(customer)
    page = customer.browser.get(reverse("left")).content.decode()
    assert "Podero keeps your entry" in page
    simulator.control.complete(str(late.podero_id))

    assert late.expires_at is not None
    for minutes in (1, 2, 20, 90, 400, 1200):
        sweep_at(timezone.now() + timedelta(minutes=minutes))
    sweep_at(late.expires_at)
    sweep_at(late.expires_at + timedelta(minutes=1))

    held = simulator.control.state()
    assert [d["fields"]["deleted_at"] is not None for d in held["devices"]] == [True, True]
    assert user_at_podero(simulator)["deleted_at"] is not None
    assert Device.objects.filter(removed_at=None).count() == 0


def test_what_a_form_brings_a_day_late_is_undone_although_podero_keeps_the_user(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    late = customer.attempt
    leave(customer)
    answer_deletion(simulator, "user", 405)
    assert late.expires_at is not None
    for hours in range(23):
        sweep_at(late.expires_at + timedelta(hours=hours))

    simulator.control.complete(str(late.podero_id))
    (_, found) = simulator.control.state()["devices"]
    simulator.control.set_device(found["id"], is_smart_optimization_active=True)
    for hours in range(23, 50):
        sweep_at(late.expires_at + timedelta(hours=hours))

    (_, found) = simulator.control.state()["devices"]
    assert found["fields"]["is_smart_optimization_active"] is False
    assert found["fields"]["deleted_at"] is not None
    customer.podero_user.refresh_from_db()
    assert customer.podero_user.is_removal_given_up


def test_user_stays_while_the_form_of_an_attempt_that_a_look_has_linked_is_open(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    podero_settings.ONBOARDING_ACTIVATION = "immediately"
    customer = Customer(make_customer())
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    customer.opt_in()
    late = customer.attempt
    customer.press_check()
    customer.go(str(way_back))
    leave(customer)
    assert customer.attempt.state == "linked"
    for minutes in (1, 20, 400, 1200):
        sweep_at(timezone.now() + timedelta(minutes=minutes))

    simulator.control.complete(str(late.podero_id), account="another@example.com")
    assert late.expires_at is not None
    for minutes in (0, 1, 20):
        sweep_at(late.expires_at + timedelta(minutes=minutes))

    held = simulator.control.state()
    steered = [device["fields"]["is_smart_optimization_active"] for device in held["devices"]]
    assert steered == [False, False]
    assert user_at_podero(simulator)["deleted_at"] is not None


def test_device_that_nobody_knew_of_is_undone_before_the_user_goes(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(user_delete_removes_devices=False)
    simulator.control.arm("delete_user", "http_503", count=1)
    leave(customer)
    # It turned up with another id, and nothing but the removal of the user would look for it.
    (held,) = simulator.control.state()["devices"]
    simulator.control.set_device(held["id"], deleted_at=None, is_smart_optimization_active=True)
    Device.objects.update(podero_id=uuid.uuid4())
    OnboardingSession.objects.update(next_try_at=None)

    for minutes in (1, 2, 3):
        sweep_at(timezone.now() + timedelta(minutes=minutes))

    (held,) = simulator.control.state()["devices"]
    assert held["fields"]["is_smart_optimization_active"] is False
    assert held["fields"]["deleted_at"] is not None
    assert user_at_podero(simulator)["deleted_at"] is not None


def test_look_that_ends_after_the_user_is_gone_leaves_nothing_to_be_done(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """Podero told of the device a moment before the user was removed, and everything with it."""
    link_a_device(customer, simulator)
    found = Found(id=uuid.uuid4(), device_type=DeviceType.EV, manufacturer="Tesla", model="X")
    leave(customer)
    gone = PoderoUser.objects.get()
    assert (gone.is_removed, gone.podero_id) == (True, None)

    is_undone = keeping.undo_devices(
        attempt=customer.attempt, findings=[Finding(found, is_named=False)], now=timezone.now()
    )

    assert not is_undone
    assert not Device.objects.filter(podero_id=found.id).exists()
    ended = customer.browser.get(reverse("left")).context["ended"]
    assert (ended.is_all_off, ended.is_all_removed) == (True, True)


def test_look_that_ends_while_the_user_is_being_removed_leaves_nothing_to_be_done(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It found a device that Podero had not listed a moment ago, and that goes with the user."""
    link_a_device(customer, simulator)
    found = Found(id=uuid.uuid4(), device_type=DeviceType.EV, manufacturer="Tesla", model="X")
    delete = podero.PoderoClient.delete_user

    def delete_meanwhile(client: podero.PoderoClient, user_id: uuid.UUID) -> None:
        findings = [Finding(found, is_named=False)]
        assert keeping.undo_devices(attempt=customer.attempt, findings=findings, now=timezone.now())
        delete(client, user_id)

    monkeypatch.setattr(podero.PoderoClient, "delete_user", delete_meanwhile)
    leave(customer)

    gone = PoderoUser.objects.get()
    assert (gone.is_removed, gone.podero_id) == (True, None)
    turned_up = Device.objects.get(podero_id=found.id)
    assert turned_up.is_removed
    assert turned_up.is_settled
    assert (turned_up.next_try_at, turned_up.removal_due_at) == (None, None)


@pytest.mark.parametrize("refused", [1, 4])
def test_user_stays_until_podero_has_told_what_it_holds(
    customer: Customer, simulator: RunningSimulator, refused: int
) -> None:
    """It refuses once to list the collection with a device that nobody knew of, or all four."""
    link_a_device(customer, simulator)
    there = already_steered(customer, simulator)
    simulator.control.arm("list_devices", "http_403", count=refused)

    leave(customer)
    sweep_at(timezone.now() + timedelta(hours=1))

    turned_up = Device.objects.get(podero_id=str(there.device_id))
    assert turned_up.is_removed
    assert not is_steered(simulator, turned_up)
    assert user_at_podero(simulator)["deleted_at"] is not None


def test_user_whom_podero_has_lost_is_gone(customer: Customer, simulator: RunningSimulator) -> None:
    link_a_device(customer, simulator)
    customer.podero_user.refresh_from_db()
    assert customer.podero_user.podero_id is not None
    podero_client().delete_user(customer.podero_user.podero_id)

    leave(customer)
    customer.podero_user.refresh_from_db()
    assert not customer.podero_user.is_removed
    for hours in (2, 8, 20):
        sweep_at(timezone.now() + timedelta(hours=hours))

    gone = PoderoUser.objects.get()
    assert (gone.is_removed, gone.podero_id) == (True, None)


def test_whoever_comes_back_before_a_404_is_believed_keeps_what_they_link(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    before = Device.objects.get(attempt=customer.attempt)
    customer.podero_user.refresh_from_db()
    assert customer.podero_user.podero_id is not None
    podero_client().delete_user(customer.podero_user.podero_id)
    leave(customer)

    link_a_device(customer, simulator)
    for hours in (2, 8, 20):
        sweep_at(timezone.now() + timedelta(hours=hours))

    kept = Device.objects.exclude(pk=before.pk).get(attempt=customer.attempt)
    assert is_steered(simulator, kept)
    assert not kept.is_removed
    assert not PoderoUser.objects.get().is_removal_wanted


def test_podero_that_knows_of_nothing_for_an_hour_is_not_believed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """What stands before it may answer 404 to everything while it is not there."""
    link_a_device(customer, simulator)
    simulator.control.arm("*", "http_404", count=-1)

    leave(customer)

    ended = customer.browser.get(reverse("left")).context["ended"]
    assert (ended.is_all_off, ended.is_all_removed) == (False, False)
    assert not Device.objects.filter(removed_at__isnull=False).exists()
    assert PoderoUser.objects.get().podero_id is not None
    simulator.control.clear_faults()
    for minutes in (30, 60, 90, 150):
        sweep_at(timezone.now() + timedelta(minutes=minutes))
    device = Device.objects.get(attempt=customer.attempt)
    assert not is_steered(simulator, device)
    assert PoderoUser.objects.get().is_removed
    assert user_at_podero(simulator)["deleted_at"] is not None


def test_one_mistaken_404_removes_nobody(customer: Customer, simulator: RunningSimulator) -> None:
    simulator.control.arm("delete_user", "http_404", count=1)

    leave(customer)

    customer.podero_user.refresh_from_db()
    assert not customer.podero_user.is_removed
    assert customer.podero_user.podero_id is not None
    sweep_at(timezone.now() + timedelta(hours=2))
    assert PoderoUser.objects.get().is_removed
    assert user_at_podero(simulator)["deleted_at"] is not None


def test_one_mistaken_404_to_the_search_leaves_no_user_behind_that_was_perhaps_made(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    customer = Customer(make_customer())
    simulator.control.arm("create_user", "reset_after", count=1)
    customer.opt_in()
    simulator.control.arm("find_user", "http_404", count=1)

    leave(customer)

    assert user_at_podero(simulator)["deleted_at"] is None
    customer.podero_user.refresh_from_db()
    assert not customer.podero_user.is_removed
    sweep_at(timezone.now() + timedelta(hours=2))
    assert user_at_podero(simulator)["deleted_at"] is not None
    customer.podero_user.refresh_from_db()
    assert customer.podero_user.is_removed


def test_device_that_is_there_is_not_removed_by_a_404(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = Device.objects.get()
    simulator.control.settings(user_delete_status=405)
    simulator.control.arm("delete_device", "http_404", count=1)

    leave(customer)

    assert not Device.objects.get(pk=device.pk).is_removed
    sweep_at(timezone.now() + timedelta(hours=2))
    assert Device.objects.get(pk=device.pk).is_removed
    assert not is_listed(simulator)


def agree_while_podero_breaks_off(customer: Customer, simulator: RunningSimulator) -> None:
    """Nothing is learnt of the user."""
    simulator.control.arm("create_user", "reset_before", count=-1)
    customer.opt_in()
    assert PoderoUser.objects.get(pk=customer.podero_user.pk).is_creation_in_doubt


def already_steered(customer: Customer, simulator: RunningSimulator) -> Completed:
    """Podero has them already, with a device that it steers, from before this app."""
    user = customer.podero_user
    client = podero_client()
    there = client.find_user_by_external_id(user.external_user_id) or client.create_user(
        email=user.email, external_user_id=user.external_user_id
    )
    form = client.create_onboarding_session(
        user_id=there.id,
        language="en",
        price_zone="AT",
        is_smart_optimization_active=True,
        success_url="https://portal.example/success",
        cancel_url="https://portal.example/cancel",
        device_type=None,
    )
    return simulator.control.complete(str(form.id), device_type="ev")


def test_device_of_a_user_that_was_perhaps_made_is_switched_off_before_the_user_goes(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    customer = Customer(make_customer())
    steered = already_steered(customer, simulator)
    agree_while_podero_breaks_off(customer, simulator)

    leave(customer)
    for minutes in (1, 3):
        sweep_at(timezone.now() + timedelta(minutes=minutes))

    assert simulator.control.requests_to("update_device"), "switched off"
    assert not is_steered(simulator, Device.objects.get(podero_id=str(steered.device_id)))
    assert user_at_podero(simulator)["deleted_at"] is not None
    user = PoderoUser.objects.get(pk=customer.podero_user.pk)
    assert (user.is_removed, user.podero_id) == (True, None)


def test_worker_killed_once_it_knows_the_user_leaves_the_device_to_the_next_one(
    podero_settings: Any, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = Customer(make_customer())
    steered = already_steered(customer, simulator)
    agree_while_podero_breaks_off(customer, simulator)
    record = PoderoUser.record_podero_id

    def record_and_die(self: PoderoUser, podero_id: uuid.UUID) -> bool:
        record(self, podero_id)
        raise SystemExit

    with monkeypatch.context() as killed:
        killed.setattr(PoderoUser, "record_podero_id", record_and_die)
        with pytest.raises(SystemExit):
            leave(customer)
    for minutes in (1, 3):
        sweep_at(timezone.now() + timedelta(minutes=minutes))

    assert not is_steered(simulator, Device.objects.get(podero_id=str(steered.device_id)))
    assert PoderoUser.objects.get(pk=customer.podero_user.pk).is_removed


def test_user_on_record_for_another_customer_is_not_removed(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    customer = Customer(make_customer())
    user = customer.podero_user
    there = podero_client().create_user(email=user.email, external_user_id=user.external_user_id)
    make_customer(external_user_id="ANOTHER", podero_id=there.id)
    agree_while_podero_breaks_off(customer, simulator)

    leave(customer)
    sweep_at(timezone.now() + timedelta(minutes=1))

    assert user_at_podero(simulator)["deleted_at"] is None
    user.refresh_from_db()
    assert user.is_removed
