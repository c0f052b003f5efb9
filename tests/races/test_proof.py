"""Returns, words and presses at the same instant: nothing twice, and no device in doubt is wanted."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding import podero, tasks
from onboarding.clients import podero_client
from onboarding.flows import confirming, devices, lookups, reconnecting
from onboarding.models import Device, OnboardingSession, Reconnection
from tests.journeys.cards import link
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import comes_back, finish, newest, press_reconnect
from tests.journeys.test_coming_back import success_address
from tests.journeys.test_detours import edited, gets_nothing
from tests.journeys.test_proof_of_return import events_of, path_of, stranger, worker_hears_of
from tests.races.test_races import Between, at_once, twins
from tests.simulator.launch import Completed, RunningSimulator
from tests.simulator.test_reconnecting import OTHER

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def completed(customer: Customer, simulator: RunningSimulator) -> Completed:
    customer.opt_in()
    return simulator.control.complete(str(customer.attempt.podero_id))


@pytest.fixture
def lapsed(customer: Customer, completed: Completed, simulator: RunningSimulator) -> Device:
    customer.go(str(completed.redirect_url))
    simulator.control.set_device(str(completed.device_id), is_authenticated=False)
    return Device.objects.get()


def test_foreign_returns_at_once_leave_one_line(customer: Customer, completed: Completed) -> None:
    way_back = path_of(completed.redirect_url)

    at_once(*[lambda: stranger().get(way_back).status_code for _browser in range(4)])

    assert events_of(customer.attempt).count("return_seen") == 1


@pytest.mark.parametrize("_time", range(3))
def test_word_and_foreign_return_at_once_never_leave_a_device_wanted(
    customer: Customer, completed: Completed, _time: int
) -> None:
    customer.press_check()
    device = Device.objects.select_related("attempt").get()
    now = timezone.now()

    def confirm() -> None:
        with suppress(confirming.ReturnedElsewhere):
            confirming.confirm_device(device=device, came_back={}, now=now)

    at_once(confirm, lambda: stranger().get(path_of(completed.redirect_url)))
    tasks.look_up_attempt(attempt_id=customer.attempt.pk)

    device.refresh_from_db()
    assert (device.is_confirmed, device.is_optimization_wanted) == (False, False)


def test_stale_copy_does_not_take_back_what_was_proven_meanwhile(
    customer: Customer, completed: Completed
) -> None:
    customer.press_check()
    device = Device.objects.select_related("attempt").get()
    now = timezone.now()
    confirming.confirm_device(device=device, came_back={}, now=now)
    stale = Device.objects.get()

    confirming.confirm_device(device=device, came_back={device.attempt.reference: None}, now=now)

    assert not stale.recall_confirmation(now=now)
    assert Device.objects.get().is_confirmed


def test_word_said_while_the_login_is_put_in_doubt_neither_clears_it_nor_counts(
    customer: Customer, completed: Completed
) -> None:
    customer.press_check()
    stale = Device.objects.get()
    Device.objects.get().doubt_login(at=timezone.now())

    stale.record_holder()

    assert not stale.confirm(now=timezone.now())
    device = Device.objects.get()
    assert (device.is_login_in_doubt, device.is_holder_proven) == (True, False)
    assert (device.is_confirmed, device.is_optimization_wanted) == (False, False)


def test_double_click_makes_one_reconnection(
    customer: Customer, lapsed: Device, simulator: RunningSimulator
) -> None:
    simulator.control.settings(latency_ms=300)

    answers = at_once(*[lambda tab=tab: press_reconnect(tab) for tab in twins(customer, 4)])

    assert newest(customer).state == "open"
    assert Reconnection.objects.count() == 1
    assert len(simulator.control.requests_to("cue_resolve")) == 1
    own = reverse("reconnection", args=[newest(customer).reference])
    places = [answer.headers["Location"] for answer in answers]
    assert places.count(own) == 3
    assert len([place for place in places if place.startswith(simulator.base_url)]) == 1


def test_returns_at_once_are_verified_once(
    customer: Customer, lapsed: Device, simulator: RunningSimulator
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"])
    simulator.control.settings(latency_ms=50)

    at_once(*[lambda tab=tab: tab.go(way_back) for tab in twins(customer, 4)])

    told = events_of(customer.attempt)
    assert told.count("reconnect_returned") == told.count("reconnected") == 1
    assert len(simulator.control.requests_to("cue_state")) == 1


def test_check_that_lost_its_claim_records_nothing(
    customer: Customer, lapsed: Device, simulator: RunningSimulator
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"])
    simulator.control.arm("get_device", "http_503", count=1)
    customer.go(way_back)
    late = Reconnection.objects.with_device().get()

    def take_over() -> None:
        Reconnection.objects.update(claimed_at=None)
        other = Reconnection.objects.with_device().get()
        now = timezone.now()
        reconnecting.take_up(client=podero_client(), reconnection=other, now=now)

    client: Any = Between("list_devices", take_over)
    reconnecting.take_up(client=client, reconnection=late, now=timezone.now())

    assert newest(customer).state == "renewed"
    assert events_of(customer.attempt).count("reconnected") == 1


def test_browser_that_left_and_comes_back_during_the_check_has_finished(
    customer: Customer, lapsed: Device, simulator: RunningSimulator
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"])
    phone = Customer(customer.podero_user)
    simulator.control.arm("get_device", "http_503", count=1)
    phone.go(way_back)
    found = Reconnection.objects.with_device().get()
    client: Any = Between("list_devices", lambda: customer.go(way_back))

    reconnecting.take_up(client=client, reconnection=found, now=timezone.now())

    assert (newest(customer).state, newest(customer).is_return_matched) == ("renewed", True)


def test_word_taken_back_while_a_return_is_taken_up_leaves_the_device_off(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    stale = Device.objects.get()
    Device.objects.get().recall_confirmation(now=timezone.now())

    assert not stale.want_optimization(is_wanted=True, now=timezone.now())

    device.refresh_from_db()
    assert not device.is_optimization_wanted


@pytest.mark.parametrize("activation", ["after_return", "immediately"])
def test_word_said_where_one_came_back_while_the_victim_comes_back_does_not_outlast_that(
    customer: Customer, simulator: RunningSimulator, settings: Any, activation: str
) -> None:
    """The word settles the attacker's own foreign return, in the instant of the victim's."""
    settings.ONBOARDING_ACTIVATION = activation
    simulator.control.settings(object_id_filled=False)
    customer.opt_in()
    victims = customer.attempt
    customer.opt_in()
    own = simulator.control.complete(str(customer.attempt.podero_id), account="own@example.com")
    theirs = simulator.control.complete(str(victims.podero_id), account="victim@example.com")
    browser = stranger()
    browser.get(path_of(edited(own.redirect_url, theirs.device_id)))
    browser.force_login(customer.podero_user.account)
    tasks.look_up_attempt(attempt_id=customer.attempt.pk)
    device = Device.objects.get(podero_id=str(theirs.device_id))

    at_once(
        lambda: browser.post(reverse("confirm_device", args=[device.reference])),
        lambda: stranger().get(path_of(theirs.redirect_url)),
    )

    gets_nothing(Customer(customer.podero_user, browser), simulator, theirs.device_id)
    victims.refresh_from_db()
    assert victims.foreign_return_at is not None


def test_word_about_what_a_sign_in_has_brought_while_its_holder_comes_back_does_not_outlast_that(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """Said in a browser that came back itself, from a sign-in of its own."""
    simulator.control.settings(object_id_filled=False, reconnect_other_account="new_device")
    device = link(customer, simulator)
    address = press_reconnect(customer, device).headers["Location"]
    browser = stranger()
    browser.get(path_of(finish(press_reconnect(customer, device).headers["Location"])))
    browser.force_login(customer.podero_user.account)
    way_back = finish(address, OTHER)
    tasks.look_who_signed_in(customer_id=customer.podero_user.pk)
    theirs = Device.objects.exclude(pk=device.pk).get()

    at_once(
        lambda: browser.post(reverse("confirm_device", args=[theirs.reference])),
        lambda: stranger().get(path_of(way_back)),
    )
    tasks.look_who_signed_in(customer_id=customer.podero_user.pk)

    gets_nothing(Customer(customer.podero_user, browser), simulator, theirs.podero_id)


def test_newest_way_back_while_somebody_comes_back_by_an_older_one_proves_nothing(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    older = press_reconnect(customer, device).headers["Location"]
    own = finish(press_reconnect(customer, device).headers["Location"])
    theirs = finish(older, OTHER)

    at_once(lambda: customer.go(own), lambda: stranger().get(path_of(theirs)))
    customer.browser.post(reverse("confirm_device", args=[device.reference]))
    tasks.look_who_signed_in(customer_id=customer.podero_user.pk)

    gets_nothing(customer, simulator, device.podero_id)


@pytest.mark.parametrize("_time", range(3))
def test_own_way_back_in_the_instant_of_somebody_elses_return_from_a_form_proves_nothing(
    customer: Customer, lapsed: Device, simulator: RunningSimulator, _time: int
) -> None:
    """Their form has made the lapsed login work, and Podero's session names the device."""
    own = finish(press_reconnect(customer, lapsed).headers["Location"])
    customer.opt_in()
    simulator.control.set_session(str(customer.attempt.podero_id), object_id=str(lapsed.podero_id))
    theirs = path_of(edited(success_address(simulator, customer.attempt), lapsed.podero_id))

    at_once(lambda: customer.go(own), lambda: stranger().get(theirs))
    worker_hears_of(customer.attempt)

    gets_nothing(customer, simulator, lapsed.podero_id)


def test_older_answer_does_not_settle_what_a_newer_one_has_left_in_doubt(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker signs in with the first account again, while somebody else is about to."""
    device = link(customer, simulator)
    comes_back(finish(press_reconnect(customer, device).headers["Location"], OTHER), customer)
    assert Device.objects.get().is_login_in_doubt
    read = podero.PoderoClient.list_devices
    first, theirs = device.external_device_id, Device.objects.get().podero_id

    def read_before_a_newer_reading(
        client: podero.PoderoClient, user_id: Any
    ) -> list[podero.Device]:
        monkeypatch.undo()
        simulator.control.set_device(str(theirs), external_device_id=first)
        listed = read(client, user_id)
        simulator.control.set_device(str(theirs), external_device_id="theirs")
        tasks.look_who_signed_in(customer_id=customer.podero_user.pk)
        return listed

    monkeypatch.setattr(podero.PoderoClient, "list_devices", read_before_a_newer_reading)
    tasks.look_who_signed_in(customer_id=customer.podero_user.pk)

    assert Device.objects.get().is_login_in_doubt
    gets_nothing(customer, simulator, device.podero_id)


def test_older_answer_that_comes_while_a_newer_one_is_taken_over_settles_nothing(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = link(customer, simulator)
    comes_back(finish(press_reconnect(customer, device).headers["Location"], OTHER), customer)
    customer.podero_user.refresh_from_db()
    user_id = customer.podero_user.podero_id
    assert user_id is not None
    newer = podero_client().list_devices(user_id)
    simulator.control.set_device(
        str(device.podero_id), external_device_id=device.external_device_id
    )
    older = podero_client().list_devices(user_id)
    now = timezone.now()
    begun, over = threading.Event(), threading.Event()
    record_seen = Device.record_seen

    def seen(device: Device, found: podero.Device, **more: Any) -> None:
        if more["at"] == now:
            begun.set()
            over.wait(1)
        record_seen(device, found, **more)

    def take_over_older() -> None:
        begun.wait(10)
        _read(customer, older, now=now - timedelta(seconds=1))
        over.set()

    Device.objects.update(checked_at=now - timedelta(minutes=1))
    monkeypatch.setattr(Device, "record_seen", seen)

    at_once(lambda: _read(customer, newer, now=now), take_over_older)

    assert Device.objects.get().is_login_in_doubt


def test_who_comes_back_elsewhere_during_a_look_for_more_is_looked_for_soon(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    way_back = success_address(simulator, customer.attempt)
    simulator.control.complete(str(customer.attempt.podero_id))
    customer.press_check()
    attempt = customer.attempt
    assert attempt.state == "linked"
    client: Any = Between("list_devices", lambda: stranger().get(path_of(way_back)))
    now = timezone.now()

    lookups.look_up_attempt(client=client, attempt=attempt, now=now)

    assert customer.attempt.next_try_at is not None
    assert customer.attempt.next_try_at <= now + timedelta(minutes=2)


@pytest.mark.parametrize("is_answered", [True, False])
def test_who_comes_back_elsewhere_during_a_look_up_is_looked_for_soon(
    customer: Customer, simulator: RunningSimulator, is_answered: bool
) -> None:
    customer.opt_in()
    attempt = customer.attempt
    way_back = success_address(simulator, attempt)
    if not is_answered:
        simulator.control.arm("list_devices", "http_503", count=-1)
    client: Any = Between("get_onboarding_session", lambda: stranger().get(path_of(way_back)))
    now = timezone.now()

    lookups.look_up_attempt(client=client, attempt=attempt, now=now)

    seen = customer.attempt
    assert seen.foreign_return_at is not None
    assert seen.next_try_at is not None
    assert seen.next_try_at <= now + timedelta(minutes=2)


def test_device_that_is_linked_while_podero_answers_is_not_missed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link(customer, simulator)
    customer.podero_user.refresh_from_db()
    client: Any = Between("list_devices", lambda: link(customer, simulator, "hp"))
    now = timezone.now()

    devices.read_devices(client=client, customer=customer.podero_user, now=now)

    assert [device.missing_since for device in Device.objects.all()] == [None, None]


def _read(customer: Customer, answer: list[podero.Device], *, now: datetime) -> None:
    client: Any = SimpleNamespace(list_devices=lambda _user_id: answer)
    devices.read_devices(client=client, customer=customer.podero_user, now=now)


@pytest.mark.parametrize("_time", range(3))
@pytest.mark.parametrize("activation", ["after_return", "immediately"])
def test_word_in_the_instant_in_which_the_victim_comes_back_under_the_same_name_does_not_outlast_that(
    customer: Customer, completed: Completed, simulator: RunningSimulator, settings: Any,
    activation: str, _time: int,
) -> None:  # fmt: skip
    """A link from the portal has signed the victim's browser in as the attacker."""
    settings.ONBOARDING_ACTIVATION = activation
    customer.press_check()
    device = Device.objects.get()
    victim = Customer(customer.podero_user)

    at_once(
        lambda: customer.browser.post(reverse("confirm_device", args=[device.reference])),
        lambda: victim.go(str(completed.redirect_url)),
    )
    worker_hears_of(customer.attempt)

    assert customer.attempt.foreign_return_at is not None
    gets_nothing(customer, simulator, completed.device_id)


def test_victim_who_comes_back_under_the_same_name_leaves_a_doubt_though_the_process_is_killed(
    customer: Customer,
    completed: Completed,
    simulator: RunningSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between writing down that another browser came back and taking the return up."""

    def killed(*_args: Any, **_more: Any) -> None:
        raise SystemExit

    victim = Customer(customer.podero_user)
    monkeypatch.setattr(OnboardingSession, "mark_returned", killed)
    with pytest.raises(SystemExit):
        victim.go(str(completed.redirect_url))
    monkeypatch.undo()

    assert customer.attempt.state == "open"
    gets_nothing(customer, simulator, completed.device_id)
    assert Device.objects.filter(podero_id=str(completed.device_id)).exists()
