"""What the customer wants gone is removed at Podero, whatever Podero answers to that."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows import expiry, removal
from onboarding.flows.sweep import sweep
from onboarding.models import Device, OnboardingSession, PoderoUser
from tests.factories import make_customer
from tests.journeys.customer import Customer, heading_of
from tests.journeys.test_leaving import is_steered, leave, link_a_device
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)

# What is done with a device or a user by what a DELETE is answered. Faults are named as in
# simulator/faults/catalogue.py; a number is the switch for what Podero answers always.
GONE = [200, 204, 404, "http_404 after effect"]
REFUSED = [403, 405, 409, 422, "http_400", "http_403", "redirect", "http_422_text"]
RETRIED = [
    "http_500",
    "http_500 after effect",
    "http_502",
    "http_503",
    "http_429",
    "http_401",
    "timeout_before",
    "timeout_after",
    "reset_before",
    "reset_after",
]


@pytest.fixture
def customer(podero_settings: Any, simulator: RunningSimulator) -> Customer:
    podero_settings.PODERO_TIMEOUT_SECONDS = 1
    customer = Customer(make_customer())
    link_a_device(customer, simulator)
    return customer


def remove(customer: Customer, device: Device | None = None) -> Any:
    device = device or Device.objects.get()
    return customer.browser.post(reverse("remove_device", args=[device.reference]), follow=True)


def sweep_at(now: datetime) -> dict[str, int]:
    return sweep(client=podero_client(), now=now)


def answer_deletion(simulator: RunningSimulator, what: str, answer: int | str) -> None:
    """Have DELETE answered so; faults strike once, and again where the client asks again."""
    if isinstance(answer, int):
        simulator.control.settings(**{f"{what}_delete_status": answer})
        return
    # A 204 is complete with its headers, so there would be nothing to wait for.
    simulator.control.settings(**{f"{what}_delete_status": 200})
    name, _, effect = answer.partition(" ")
    more: dict[str, Any] = {"takes_effect": True} if effect else {}
    times = 2 if name == "http_401" else 1
    simulator.control.arm(f"delete_{what}", name, count=times, **more)


def user_at_podero(simulator: RunningSimulator) -> dict[str, Any]:
    (user,) = simulator.control.state()["users"]
    return dict(user)


def is_listed(simulator: RunningSimulator) -> bool:
    (device,) = simulator.control.state()["devices"]
    return device["fields"]["deleted_at"] is None


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
    assert told[-3:] == ["removal_wanted", "optimization_switched", "removed"]
    assert "article" not in customer.browser.get(reverse("devices")).content.decode()


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


@pytest.mark.parametrize("answer", GONE)
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

    assert PoderoUser.objects.get().is_removed
    assert user_at_podero(simulator)["deleted_at"] is not None


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


def comes_back_naming(
    customer: Customer, simulator: RunningSimulator, device: Device, *, browser: Any = None
) -> None:
    """Finish the newest form with a device that Podero had before."""
    simulator.control.set_session(str(customer.attempt.podero_id), object_id=str(device.podero_id))
    held = simulator.control.state()["sessions"]
    session = next(s for s in held if s["id"] == str(customer.attempt.podero_id))
    customer.go(f"{session['success_url']}?deviceId={device.podero_id}")


def test_removed_device_comes_back_properly_when_it_is_linked_again(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(device_delete_status=404)
    remove(customer)
    device = Device.objects.get()
    assert device.is_removed
    customer.opt_in()

    comes_back_naming(customer, simulator, device)

    device.refresh_from_db()
    assert customer.attempt.state == "linked"
    assert (device.is_removed, device.is_removal_wanted) == (False, False)
    assert (device.is_confirmed, device.attempt) == (True, customer.attempt)
    assert is_steered(simulator, device)
    assert customer.browser.get(reverse("devices")).context["devices"] == [device]


def test_removing_waits_for_a_form_that_may_link_the_device_anew(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = Device.objects.get()
    simulator.control.arm("delete_device", "http_503", count=1)
    remove(customer)
    customer.opt_in()

    sweep_at(timezone.now() + timedelta(minutes=10))
    assert is_listed(simulator)
    comes_back_naming(customer, simulator, device)
    sweep_at(timezone.now() + timedelta(minutes=20))

    device.refresh_from_db()
    assert not device.is_removal_wanted
    assert is_steered(simulator, device)
    assert len(simulator.control.requests_to("delete_device")) == 1


def test_form_opened_after_the_wish_holds_removing_back_at_once(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("delete_device", "http_503", count=1)
    remove(customer)
    customer.opt_in()
    Device.objects.update(removal_due_at=timezone.now())

    sweep_at(timezone.now())

    assert is_listed(simulator)


def test_form_that_was_open_before_holds_back_only_what_could_not_be_done_promptly(
    customer: Customer, simulator: RunningSimulator
) -> None:
    first = Device.objects.get()
    link_a_device(customer, simulator)
    second = Device.objects.exclude(pk=first.pk).get()
    customer.opt_in()

    remove(customer, first)
    simulator.control.arm("delete_device", "http_503", count=1)
    remove(customer, second)
    sweep_at(timezone.now() + timedelta(minutes=10))

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.is_removed, second.is_removed) == (True, False)
    assert customer.attempt.expires_at is not None
    for minutes in (1, 2):
        sweep_at(customer.attempt.expires_at + timedelta(minutes=minutes))
    second.refresh_from_db()
    assert second.is_removed


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


def test_removing_goes_on_when_the_form_brought_something_else(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = Device.objects.get()
    simulator.control.arm("delete_device", "http_503", count=1)
    remove(customer)
    link_a_device(customer, simulator)

    sweep_at(timezone.now() + timedelta(minutes=10))

    device.refresh_from_db()
    assert device.is_removed


def test_removal_wished_after_coming_back_is_the_newer_wish(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = Device.objects.get()
    customer.opt_in()
    simulator.control.arm("get_device", "http_503", count=-1)
    simulator.control.arm("delete_device", "http_503", count=1)
    comes_back_naming(customer, simulator, device)
    assert customer.attempt.state == "returned"
    remove(customer)
    simulator.control.clear_faults()

    for minutes in (1, 2):
        sweep_at(timezone.now() + timedelta(minutes=minutes))

    device.refresh_from_db()
    assert device.is_removed
    assert not is_listed(simulator)


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

    assert Device.objects.get().is_removed
    assert PoderoUser.objects.get().is_removed
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


def user_at_podero_by_id(simulator: RunningSimulator, user_id: str) -> dict[str, Any]:
    return next(dict(u) for u in simulator.control.state()["users"] if u["id"] == user_id)


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
