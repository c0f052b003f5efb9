"""One device is to go: it is removed at Podero, whatever Podero answers to that."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows import expiry, removal
from onboarding.models import Device, PoderoUser
from tests.journeys.customer import Customer, heading_of
from tests.journeys.removal.steps import (
    GONE,
    REFUSED,
    RETRIED,
    answer_deletion,
    is_listed,
    remove,
    sweep_at,
    user_at_podero,
)
from tests.journeys.test_leaving import is_steered, leave, link_a_device
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("answer", GONE)
def test_device_is_gone_when_podero_says_so(
    customer: Customer, simulator: RunningSimulator, answer: int | str
) -> None:
    answer_deletion(simulator, "device", answer)

    page = remove(customer)

    device = Device.objects.get()
    assert (device.is_removed, device.removal_due_at) == (True, None)
    assert heading_of(page) == "The device is removed"
    assert is_steered(simulator, device) is False
    told = [event.event for event in customer.attempt.events.order_by("pk")]
    assert told[-3:] == ["removal_wanted", "optimization_off", "removed"]
    assert "article" not in customer.browser.get(reverse("devices")).content.decode()


def test_device_that_podero_shows_is_removed_when_it_says_twice_that_there_is_none(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(device_delete_status=404)

    page = remove(customer)

    assert not Device.objects.get().is_removed
    assert heading_of(page) != "The device is removed"
    sweep_at(timezone.now() + timedelta(minutes=30))
    assert len(simulator.control.requests_to("delete_device")) == 1
    sweep_at(timezone.now() + timedelta(hours=2))
    assert Device.objects.get().is_removed


def test_device_is_not_removed_by_a_podero_that_knows_of_nothing_for_half_an_hour(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """Long enough to believe that a device is off which nobody knows of, not that it is gone."""
    simulator.control.arm("*", "http_404", count=-1)

    remove(customer)
    for minutes in (5, 15, 20, 30):
        sweep_at(timezone.now() + timedelta(minutes=minutes))

    assert simulator.control.requests_to("delete_device")
    assert not Device.objects.get().is_removed
    simulator.control.clear_faults()
    for hours in (2, 3):
        sweep_at(timezone.now() + timedelta(hours=hours))
    assert Device.objects.get().is_removed
    assert not is_listed(simulator)


@pytest.mark.parametrize("answer", REFUSED)
def test_device_that_podero_refuses_to_remove_is_off_and_left_to_staff(
    customer: Customer, simulator: RunningSimulator, answer: int | str
) -> None:
    if isinstance(answer, int):
        answer_deletion(simulator, "device", answer)
    else:
        simulator.control.arm("delete_device", answer, count=-1)

    page = remove(customer)
    for day in range(1, 12):
        sweep_at(timezone.now() + timedelta(days=day))

    device = Device.objects.get()
    assert len(simulator.control.requests_to("delete_device")) == removal.MAX_REFUSALS
    assert (device.is_removed, device.is_removal_given_up) == (False, True)
    status = {"redirect": 302, "http_400": 400, "http_403": 403, "http_422_text": 422}
    assert device.removal_refused_status == status.get(str(answer), answer)
    assert is_steered(simulator, device) is False
    assert heading_of(page) == "The device could not be removed"
    card = customer.browser.get(reverse("devices")).content.decode()
    assert "Could not be removed" in card


@pytest.mark.parametrize("answer", RETRIED)
def test_device_is_asked_for_again_until_podero_has_removed_it(
    customer: Customer, simulator: RunningSimulator, answer: str
) -> None:
    answer_deletion(simulator, "device", answer)
    page = remove(customer)
    device = Device.objects.get()
    assert (device.is_removed, device.removal_refusals) == (False, 0)
    assert device.is_being_removed
    assert heading_of(page) == "The device is being removed"
    simulator.control.clear_faults()

    sweep_at(timezone.now() + timedelta(minutes=1))

    device.refresh_from_db()
    assert device.is_removed
    assert not is_listed(simulator)


def test_nothing_is_removed_before_it_is_off(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("update_device", "http_403", count=-1)
    leave(customer)
    sweep_at(timezone.now() + timedelta(days=1))
    assert not simulator.control.requests_to("delete_device")
    assert not simulator.control.requests_to("delete_user")
    simulator.control.clear_faults()

    sweep_at(timezone.now() + timedelta(days=2))

    called = [entry["endpoint"] for entry in simulator.control.state()["journal"]]
    assert called.index("delete_device") < called.index("delete_user")
    assert not is_listed(simulator)


def test_other_device_and_the_agreement_stay_when_one_is_removed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    first = Device.objects.get()
    link_a_device(customer, simulator)
    second = Device.objects.exclude(pk=first.pk).get()

    remove(customer, first)
    sweep_at(timezone.now() + timedelta(hours=2))

    assert is_steered(simulator, second)
    assert customer.podero_user.consents.filter(withdrawn_at=None).count() == 2
    assert user_at_podero(simulator)["deleted_at"] is None
    shown = customer.browser.get(reverse("devices")).context["devices"]
    assert shown == [second]


def test_device_that_is_listed_although_it_was_removed_stays_removed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(device_delete_status=404)
    remove(customer)
    assert is_listed(simulator)

    for hours in (1, 2, 30):
        sweep_at(timezone.now() + timedelta(hours=hours))
    link_a_device(customer, simulator)
    sweep_at(timezone.now() + timedelta(hours=3))

    removed, other = Device.objects.order_by("pk")
    assert removed.is_removed
    assert not removed.is_optimization_wanted
    assert customer.browser.get(reverse("devices")).context["devices"] == [other]


def test_removed_device_that_podero_steers_again_is_switched_off(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(device_delete_status=404)
    first = Device.objects.get()
    link_a_device(customer, simulator)
    remove(customer, first)
    simulator.control.set_device(str(first.podero_id), is_smart_optimization_active=True)

    sweep_at(timezone.now() + timedelta(minutes=20))
    sweep_at(timezone.now() + timedelta(minutes=21))

    assert is_steered(simulator, first) is False


def test_what_was_removed_is_not_asked_about_any_more(
    customer: Customer, simulator: RunningSimulator
) -> None:
    first = Device.objects.get()
    link_a_device(customer, simulator)
    remove(customer, first)
    sweep_at(timezone.now() + timedelta(hours=2))
    asked = len(simulator.control.requests_to("get_device"))

    sweep_at(timezone.now() + timedelta(hours=3))

    assert len(simulator.control.requests_to("get_device")) == asked
    first.refresh_from_db()
    assert first.missing_since is None


def test_older_page_cannot_switch_on_or_confirm_what_is_to_be_removed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("delete_device", "http_503", count=-1)
    older = Device.objects.get()
    remove(customer)

    assert not older.want_optimization(is_wanted=True, now=timezone.now())
    customer.browser.post(reverse("confirm_device", args=[older.reference]))
    sweep_at(timezone.now() + timedelta(hours=1))

    assert is_steered(simulator, older) is False
    assert not Device.objects.get().is_optimization_wanted


@pytest.mark.parametrize("is_answered", [False, True])
@pytest.mark.parametrize("what", ["device", "user"])
def test_process_killed_around_the_call_is_taken_over(
    customer: Customer, simulator: RunningSimulator, what: str, is_answered: bool
) -> None:
    """Killed after the claim, before or after Podero has done it; nothing else is recorded."""
    simulator.control.arm(f"delete_{what}", "http_503", count=1)
    leave(customer)
    now = timezone.now() + timedelta(minutes=1)
    Device.objects.filter(removed_at=None).update(removal_due_at=now)
    PoderoUser.objects.update(removal_due_at=now)
    row: Device | PoderoUser = (
        Device.objects.get() if what == "device" else PoderoUser.objects.get()
    )
    assert row.claim(now=now)
    if is_answered and isinstance(row, PoderoUser):
        assert row.podero_id is not None
        podero_client().delete_user(row.podero_id)
    elif is_answered:
        simulator.control.drop_device(str(Device.objects.get().podero_id))
    sweep_at(now)
    assert len(simulator.control.requests_to(f"delete_{what}")) == 1 + (
        is_answered and what == "user"
    )

    later = now + timedelta(minutes=5)
    expiry.free_stuck_claims(now=later)
    sweep_at(later)
    sweep_at(later + timedelta(hours=2))

    assert Device.objects.get().is_removed
    assert PoderoUser.objects.get().is_removed
    assert user_at_podero(simulator)["deleted_at"] is not None


def test_page_of_the_attempt_says_that_its_device_is_removed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    remove(customer)

    assert heading_of(customer.page) == "What you linked is removed"
    assert "has been removed at Podero since" in customer.page.content.decode()
