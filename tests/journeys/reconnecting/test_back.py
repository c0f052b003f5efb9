"""Back from the manufacturer: the return is a hint, the API is the truth."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep, take_up_due_reconnections
from onboarding.models import Device, Reconnection
from tests.connected import let_the_breaker_rest
from tests.journeys.cards import remove
from tests.journeys.customer import Customer, heading_of
from tests.journeys.reconnecting.steps import (
    RENEWED,
    break_off,
    calls_of,
    finish,
    newest,
    page_of,
    press_reconnect,
    told_of,
)
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("appends", [True, False])
@pytest.mark.parametrize("way", ["action", "auth_session"])
@pytest.mark.parametrize("closes_itself", [True, False])
def test_same_browser_sees_the_device_connected_again(
    customer: Customer,
    device: Device,
    simulator: RunningSimulator,
    appends: bool,
    way: str,
    closes_itself: bool,
) -> None:
    simulator.control.settings(reconnect_appends_device_id=appends, cue_closes_itself=closes_itself)
    if way == "auth_session":
        simulator.control.settings(cue_secret_seconds=0)
    address = press_reconnect(customer).headers["Location"]
    simulator.control.settings(cue_secret_seconds=3600)
    way_back = finish(address)

    response = customer.go(way_back)

    shown = newest(customer)
    assert response.headers["Location"] == reverse("reconnection", args=[shown.reference])
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    assert heading_of(page_of(customer)) == RENEWED
    assert (shown.state, shown.is_return_matched, shown.next_try_at) == ("renewed", True, None)
    device.refresh_from_db()
    assert (device.is_authenticated, device.is_action_needed) == (True, False)
    assert device.is_optimization_wanted
    assert [cue["state"] for cue in simulator.control.state()["cues"]] == ["done"]
    assert told_of(customer)[-3:] == ["reconnect_opened", "reconnect_returned", "reconnected"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_report_that_podero_does_not_take_is_no_obstacle(
    customer: Customer, device: Device, simulator: RunningSimulator, status: int
) -> None:
    """The page says that the secret must be the same one; we keep none, so a fresh one may fail."""
    address = press_reconnect(customer).headers["Location"]
    simulator.control.settings(cue_secret_seconds=0, cue_secret_status=status)

    customer.go(finish(address))

    assert newest(customer).state == "renewed"
    assert Device.objects.get().is_authenticated


def test_return_without_a_new_login_is_not_believed(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    press_reconnect(customer)
    (relogin,) = simulator.control.state()["relogins"]

    customer.go(relogin["success_url"])

    assert newest(customer).state == "returned"
    assert heading_of(page_of(customer)) == "We are checking with Podero"
    assert not Device.objects.get().is_authenticated
    now = timezone.now()
    for minutes in range(1, 30, 3):
        sweep(client=podero_client(), now=now + timedelta(minutes=minutes))
    assert (newest(customer).state, newest(customer).failure_code) == (
        "not_renewed",
        "not_confirmed",
    )
    assert calls_of(simulator).count("cue_state") == 1, "told Podero that it came to nothing"
    assert newest(customer).next_try_at is None
    assert heading_of(page_of(customer)) == "The device is not connected again"


def test_podero_away_after_the_return_is_waited_out(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"])
    simulator.control.arm("*", "http_503", count=-1)
    customer.go(way_back)
    assert newest(customer).state == "returned"
    assert "cannot be reached" in page_of(customer).content.decode()

    simulator.control.clear_faults()
    sweep(client=podero_client(), now=timezone.now() + timedelta(minutes=20))

    assert newest(customer).state == "renewed"


def test_podero_away_for_a_day_ends_the_wait(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"])
    simulator.control.arm("*", "http_503", count=-1)
    customer.go(way_back)
    now = timezone.now()

    for hours in range(1, 80, 6):
        let_the_breaker_rest()
        take_up_due_reconnections(client=podero_client(), now=now + timedelta(hours=hours))

    shown = newest(customer)
    assert (shown.state, shown.failure_code) == ("not_renewed", "podero_unreachable")
    assert shown.next_try_at is None, "no retry without an end"


def test_device_that_is_to_be_removed_is_not_renewed_by_an_older_page(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    customer.browser.post(reverse("remove_device", args=[device.reference]))
    simulator.control.clear_faults()
    let_the_breaker_rest()
    before = simulator.control.state(journal=0)["counters"]["requests"]

    response = press_reconnect(customer, device)

    assert response.headers["Location"] == reverse("devices")
    assert simulator.control.state(journal=0)["counters"]["requests"] == before
    assert Reconnection.objects.count() == 0


def test_check_button_asks_at_once(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"])
    simulator.control.arm("*", "http_503", count=-1)
    customer.go(way_back)
    simulator.control.clear_faults()
    address = reverse("check_reconnection", args=[newest(customer).reference])

    customer.browser.get(address)
    assert newest(customer).state == "returned"
    customer.browser.post(address)

    assert newest(customer).state == "renewed"


def test_cancel_is_said_and_reported(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    way_back = break_off(press_reconnect(customer).headers["Location"])

    response = customer.go(way_back)
    sweep(client=podero_client(), now=timezone.now())

    assert response.headers["Location"] == reverse(
        "reconnection", args=[newest(customer).reference]
    )
    assert heading_of(page_of(customer)) == "The sign-in was broken off"
    assert [cue["outcome"] for cue in simulator.control.state()["cues"]] == ["fail"]
    assert newest(customer).cue_id is None
    assert press_reconnect(customer).headers["Location"].startswith(simulator.base_url)


def test_failure_that_cannot_be_reported_is_given_up(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    customer.go(break_off(press_reconnect(customer).headers["Location"]))
    simulator.control.arm("*", "http_503", count=-1)
    now = timezone.now()

    for hours in range(10):
        let_the_breaker_rest()
        take_up_due_reconnections(client=podero_client(), now=now + timedelta(hours=hours))

    assert (newest(customer).state, newest(customer).next_try_at) == ("cancelled", None)


def test_finished_after_all_counts_whatever_was_said_before(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    address = press_reconnect(customer).headers["Location"]
    customer.go(break_off(address))
    assert newest(customer).state == "cancelled"

    customer.go(finish(address))

    assert newest(customer).state == "renewed"
    customer.go(break_off(press_reconnect(customer).headers["Location"]))
    assert Reconnection.objects.earliest("pk").state == "renewed"


def test_never_coming_back_ends_after_two_days(customer: Customer, device: Device) -> None:
    press_reconnect(customer)
    opened_at = newest(customer).opened_at
    assert opened_at is not None

    sweep(client=podero_client(), now=opened_at + timedelta(hours=47))
    assert newest(customer).state == "open"
    sweep(client=podero_client(), now=opened_at + timedelta(hours=48))

    assert newest(customer).state == "expired"
    assert heading_of(page_of(customer)) == "The time has run out"


def test_reload_of_the_way_back_asks_nothing_more(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"])
    customer.go(way_back)
    before, told = len(calls_of(simulator)), told_of(customer)

    customer.go(way_back)

    assert (len(calls_of(simulator)), told_of(customer)) == (before, told)


@pytest.mark.parametrize("kind", ["success", "cancel"])
def test_way_back_that_nobody_knows(customer: Customer, kind: str) -> None:
    response = customer.go(reverse(f"reconnect_{kind}", args=["made-up"]))

    assert response.headers["Location"] == reverse("return_unknown")


def test_killed_during_the_check_is_taken_over(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"])
    simulator.control.arm("*", "http_503", count=-1)
    customer.go(way_back)
    simulator.control.clear_faults()
    killed_at = timezone.now()
    Reconnection.objects.update(claimed_at=killed_at, next_try_at=killed_at)

    sweep(client=podero_client(), now=killed_at + timedelta(minutes=1))
    assert newest(customer).state == "returned"
    sweep(client=podero_client(), now=killed_at + timedelta(minutes=3))

    assert newest(customer).state == "renewed"


def test_page_of_a_device_that_was_removed_since_tells_of_that(
    customer: Customer, device: Device
) -> None:
    customer.go(finish(press_reconnect(customer).headers["Location"]))
    remove(customer, device)

    assert page_of(customer).headers["Location"] == reverse(
        "remove_device", args=[device.reference]
    )
