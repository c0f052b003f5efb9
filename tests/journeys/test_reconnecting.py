"""The manufacturer's login has lapsed: out to renew it, back, and the API says whether it works."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding import tasks
from onboarding.clients import podero_client
from onboarding.flows import withdrawal
from onboarding.flows.sweep import sweep, take_up_due_reconnections
from onboarding.models import Device, Reconnection
from tests.connected import let_the_breaker_rest
from tests.factories import make_customer, make_device
from tests.journeys.customer import Customer, heading_of
from tests.journeys.test_proof_of_return import (
    ELSEWHERE,
    confirm_by_hand,
    path_of,
    stranger,
    worker_hears_of,
)
from tests.simulator.launch import RunningSimulator
from tests.simulator.test_reconnecting import DEMO, OTHER, sign_in

pytestmark = pytest.mark.django_db(transaction=True)

RENEWED = "Your device is connected again"
OTHER_DEVICE = "Another device was linked"


@pytest.fixture
def customer(podero_settings: Any) -> Customer:
    return Customer(make_customer())


@pytest.fixture
def device(customer: Customer, simulator: RunningSimulator) -> Device:
    """A working car whose login at the manufacturer has lapsed."""
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    customer.go(str(completed.redirect_url))
    simulator.control.set_device(str(completed.device_id), is_authenticated=False)
    return Device.objects.get()


def press_reconnect(customer: Customer, device: Device | None = None) -> Any:
    device = device or Device.objects.get(podero_user=customer.podero_user)
    return customer.browser.post(reverse("reconnect_device", args=[device.reference]))


def newest(customer: Customer) -> Reconnection:
    return Reconnection.objects.for_customer(customer.podero_user).latest("pk")


def page_of(customer: Customer) -> Any:
    return customer.browser.get(reverse("reconnection", args=[newest(customer).reference]))


def finish(address: str, login: dict[str, str] | None = None) -> str:
    """Sign in at the manufacturer; returns the way back."""
    return sign_in(address, login or DEMO).headers["Location"]


def break_off(address: str) -> str:
    page = address.replace("/reconnect?", "/reconnect/cancel?")
    return requests.get(page, allow_redirects=False, timeout=5).headers["Location"]


def calls_of(simulator: RunningSimulator) -> list[str]:
    return [entry["endpoint"] for entry in simulator.control.state()["journal"]]


def told_of(customer: Customer) -> list[str]:
    return [event.event for event in customer.attempt.events.order_by("pk")]


# --- Out ---------------------------------------------------------------------------------------


def test_card_offers_to_sign_in_again(customer: Customer, device: Device) -> None:
    Device.objects.update(is_authenticated=False)

    text = customer.browser.get(reverse("devices")).content.decode()

    assert reverse("reconnect_device", args=[device.reference]) in text
    assert "cannot renew" not in text


def test_press_leads_straight_to_the_manufacturer_by_the_action(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    before = len(calls_of(simulator))

    response = press_reconnect(customer)

    assert response.status_code == 302
    assert response.headers["Location"].startswith(f"{simulator.base_url}/reconnect?")
    assert calls_of(simulator)[before:] == ["get_device", "cue_resolve"]
    assert newest(customer).state == "open"
    assert newest(customer).was_lapsed
    assert simulator.control.state()["rejected"] == []


def test_device_without_an_action_goes_by_the_older_way(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    simulator.control.set_device(str(device.podero_id), is_authenticated=True)
    before = len(calls_of(simulator))

    response = press_reconnect(customer)

    assert response.headers["Location"].startswith(f"{simulator.base_url}/reconnect?")
    assert calls_of(simulator)[before:] == ["get_device", "auth_session"]
    assert newest(customer).cue_id is None


@pytest.mark.parametrize("status", [401, 403, 404])
def test_dead_link_is_read_anew_once_and_then_the_older_way_is_taken(
    customer: Customer, device: Device, simulator: RunningSimulator, status: int
) -> None:
    simulator.control.settings(cue_secret_seconds=0, cue_secret_status=status)
    before = len(calls_of(simulator))

    response = press_reconnect(customer)

    assert response.headers["Location"].startswith(f"{simulator.base_url}/reconnect?")
    made = calls_of(simulator)[before:]
    assert made.count("get_device") == 2
    assert made[-1] == "auth_session"


def test_link_that_died_just_now_is_replaced_by_a_fresh_one(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    simulator.control.arm("cue_resolve", "http_403", count=1)

    press_reconnect(customer)

    assert newest(customer).cue_id is not None
    assert "auth_session" not in calls_of(simulator)


@pytest.mark.parametrize("endpoint", ["auth_session", "get_device"])
def test_device_that_cannot_be_renewed_is_explained_with_a_human(
    customer: Customer, device: Device, simulator: RunningSimulator, endpoint: str
) -> None:
    if endpoint == "auth_session":
        simulator.control.set_device(str(device.podero_id), is_authenticated=True)
        simulator.control.arm("auth_session", "null_authentication_url", count=1)
    else:
        simulator.control.drop_device(str(device.podero_id))

    response = press_reconnect(customer)

    shown = newest(customer)
    assert response.headers["Location"] == reverse("reconnection", args=[shown.reference])
    assert shown.state == "impossible"
    text = page_of(customer).content.decode()
    assert heading_of(page_of(customer)) == "This device cannot be renewed here"
    assert "help@alpenstrom.example" in text
    assert shown.support_code in text


@pytest.mark.parametrize("fault", ["http_503", "http_429", "reset_before", "broken_json"])
def test_podero_away_is_said_and_can_be_tried_again(
    customer: Customer, device: Device, simulator: RunningSimulator, fault: str
) -> None:
    simulator.control.arm("*", fault, count=-1)

    press_reconnect(customer)

    assert newest(customer).state == "not_opened"
    page = page_of(customer)
    assert heading_of(page) == "The sign-in page could not be opened"
    assert reverse("reconnect_device", args=[device.reference]) in page.content.decode()
    assert reverse("devices") in page.content.decode()
    simulator.control.clear_faults()
    assert press_reconnect(customer).headers["Location"].startswith(simulator.base_url)


@pytest.mark.parametrize("variant", ["host", "userinfo", "javascript", "scheme"])
@pytest.mark.parametrize("endpoint", ["cue_resolve", "auth_session"])
def test_customer_is_sent_to_listed_hosts_only(
    customer: Customer,
    device: Device,
    simulator: RunningSimulator,
    endpoint: str,
    variant: str,
) -> None:
    if endpoint == "auth_session":
        simulator.control.set_device(str(device.podero_id), is_authenticated=True)
    simulator.control.arm(endpoint, "foreign_authentication_url", variant=variant)

    response = press_reconnect(customer)

    assert response.headers["Location"].startswith("/optimize/")
    assert (newest(customer).state, newest(customer).failure_code) == (
        "not_opened",
        "unexpected_reply",
    )


def test_too_many_waiting_is_said(
    customer: Customer, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onboarding.clients._places.acquire", lambda **_: False)

    press_reconnect(customer)

    assert (newest(customer).state, newest(customer).failure_code) == ("not_opened", "podero_busy")


def test_device_of_somebody_else_cannot_be_reconnected(
    customer: Customer, simulator: RunningSimulator
) -> None:
    assert press_reconnect(customer, make_device()).status_code == 404
    assert Reconnection.objects.count() == 0


def test_after_leaving_nothing_is_renewed(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    withdrawal.withdraw(customer=customer.podero_user, now=timezone.now())
    before = len(calls_of(simulator))

    response = press_reconnect(customer)

    assert response.headers["Location"] == reverse("devices")
    assert Reconnection.objects.count() == 0
    assert len(calls_of(simulator)) == before


def test_opening_that_was_killed_ends_and_frees_the_way(customer: Customer, device: Device) -> None:
    now = timezone.now()
    Reconnection.objects.create(
        device=device, started_at=now, claimed_at=now, next_try_at=now + timedelta(minutes=5)
    )

    sweep(client=podero_client(), now=now + timedelta(minutes=6))

    assert newest(customer).state == "not_opened"
    press_reconnect(customer)
    assert newest(customer).state == "open"


def test_no_key_is_kept_or_shown(
    customer: Customer, device: Device, simulator: RunningSimulator, caplog: Any
) -> None:
    address = press_reconnect(customer).headers["Location"]
    way_back = finish(address)
    customer.go(way_back)

    (relogin,) = simulator.control.state()["relogins"]
    token = relogin["success_url"].split("/")[-3]
    row = str(Reconnection.objects.values().get())
    shown = page_of(customer).content.decode()
    for key in (token, relogin["cancel_url"].split("/")[-3], relogin["id"]):
        assert len(key) >= 36
        assert key not in row + shown + caplog.text
    assert "secret=" not in row + shown + caplog.text


# --- Back --------------------------------------------------------------------------------------


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


# --- In another browser ------------------------------------------------------------------------


@pytest.mark.parametrize("signed_in", [False, True])
def test_foreign_browser_changes_a_time_and_a_line(
    customer: Customer, device: Device, simulator: RunningSimulator, signed_in: bool
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"])
    browser = Customer(make_customer()).browser if signed_in else stranger()
    before = len(calls_of(simulator))

    for _visit in range(2):
        response = browser.get(path_of(way_back))

    leads_to = "/optimize/return/other-customer/" if signed_in else "/sign-in/"
    assert urlsplit(response.headers["Location"]).path == leads_to
    shown = newest(customer)
    assert shown.state == "open"
    assert shown.foreign_return_at is not None
    assert told_of(customer).count("reconnect_seen") == 1
    assert len(calls_of(simulator)) == before


@pytest.mark.parametrize("kind", ["head", "prefetch"])
def test_guess_of_a_browser_or_scanner_acts_not(
    customer: Customer, device: Device, simulator: RunningSimulator, kind: str
) -> None:
    way_back = path_of(finish(press_reconnect(customer).headers["Location"]))

    if kind == "head":
        customer.browser.head(way_back)
    else:
        customer.browser.get(way_back, headers={"Sec-Purpose": "prefetch"})

    assert newest(customer).state == "open"


def test_customer_who_signs_in_where_they_came_back_sees_the_answer(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"])
    phone = stranger()
    entrance = phone.get(path_of(way_back)).headers["Location"]
    way_on = parse_qs(urlsplit(entrance).query)["next"][0]

    page = phone.post(
        entrance,
        {
            "username": customer.podero_user.account.username,
            "password": "demo",
            "next": way_on,
        },
        follow=True,
    )

    assert heading_of(page) == RENEWED
    assert (newest(customer).state, newest(customer).is_return_matched) == ("renewed", False)


def test_browser_that_left_cannot_make_up_a_return(customer: Customer, doubtful: Device) -> None:
    press_reconnect(customer)

    customer.browser.get(reverse("resume_reconnection", args=[newest(customer).reference]))

    assert newest(customer).state == "open"
    assert not Device.objects.get().is_holder_proven


def test_nobody_else_sees_a_reconnection(customer: Customer, device: Device) -> None:
    press_reconnect(customer)
    other = Customer(make_customer())
    reference = newest(customer).reference

    for name in (
        "reconnection",
        "reconnection_status",
        "check_reconnection",
        "resume_reconnection",
    ):
        assert other.browser.get(reverse(name, args=[reference])).status_code == 404
    status = Client().get(reverse("reconnection_status", args=[reference]))
    assert status.status_code == 401


def test_status_says_how_it_stands(customer: Customer, device: Device) -> None:
    address = press_reconnect(customer).headers["Location"]
    where = reverse("reconnection_status", args=[newest(customer).reference])

    assert customer.browser.get(where).json() == {
        "state": "open",
        "is_final": False,
        "next_poll_ms": 3000,
    }
    customer.go(finish(address))
    assert customer.browser.get(where).json() == {
        "state": "renewed",
        "is_final": True,
        "next_poll_ms": None,
    }


# --- Another account ---------------------------------------------------------------------------


def test_account_of_somebody_else_is_noticed_on_the_same_device(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    customer.go(finish(press_reconnect(customer).headers["Location"], OTHER))

    assert heading_of(page_of(customer)) == OTHER_DEVICE
    device.refresh_from_db()
    assert (device.is_confirmed, device.is_optimization_wanted) == (False, False)
    (held,) = simulator.control.state()["devices"]
    assert held["fields"]["is_smart_optimization_active"] is False, "switched off at once"
    sweep(client=podero_client(), now=timezone.now())
    assert [cue["outcome"] for cue in simulator.control.state()["cues"]] == ["fail"]
    assert reverse("confirm_device", args=[device.reference]) in page_of(customer).content.decode()


def test_right_account_after_the_wrong_one_is_asked_about_and_works(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    customer.go(finish(press_reconnect(customer).headers["Location"], OTHER))

    customer.go(finish(press_reconnect(customer).headers["Location"]))

    assert heading_of(page_of(customer)) == RENEWED
    assert not Device.objects.get().is_confirmed
    confirm_by_hand(customer)
    sweep(client=podero_client(), now=timezone.now())
    assert Device.objects.get().is_optimization_active


@pytest.mark.parametrize("appends", [True, False])
def test_account_of_somebody_else_that_brings_a_device_of_its_own_is_noticed(
    customer: Customer, device: Device, simulator: RunningSimulator, appends: bool
) -> None:
    simulator.control.settings(
        reconnect_other_account="new_device", reconnect_appends_device_id=appends
    )

    customer.go(finish(press_reconnect(customer).headers["Location"], OTHER))

    assert heading_of(page_of(customer)) == OTHER_DEVICE
    newcomer = Device.objects.exclude(pk=device.pk).get()
    assert (newcomer.is_confirmed, newcomer.is_optimization_wanted) == (False, False)
    assert (
        reverse("confirm_device", args=[newcomer.reference]) in page_of(customer).content.decode()
    )
    device.refresh_from_db()
    assert device.is_confirmed


def test_way_back_that_names_another_of_my_devices_is_noticed(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    second = simulator.control.complete(str(customer.attempt.podero_id))
    customer.go(str(second.redirect_url))
    way_back = finish(press_reconnect(customer, device).headers["Location"]).split("?")[0]

    customer.go(f"{way_back}?deviceId={second.device_id}")

    assert newest(customer).state == "other_device"


@pytest.mark.parametrize("named", ["0b6e1c9a-5d0f-4f6e-9d3e-3a1b7c2d4e5f", "nonsense", ""])
def test_device_in_the_way_back_that_podero_does_not_know_is_only_a_hint(
    customer: Customer, device: Device, named: str
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"]).split("?")[0]

    customer.go(f"{way_back}?deviceId={named}")

    assert newest(customer).state == "renewed"


# --- Proof of whose device it is ---------------------------------------------------------------


@pytest.fixture
def doubtful(customer: Customer, simulator: RunningSimulator) -> Device:
    """A device with which somebody came back in a browser where the customer was not signed in."""
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    stranger().get(path_of(completed.redirect_url))
    worker_hears_of(customer.attempt)
    return Device.objects.get()


def test_renewed_login_is_proof_of_whose_device_it_is(
    customer: Customer, doubtful: Device, simulator: RunningSimulator
) -> None:
    assert ELSEWHERE in customer.browser.get(reverse("devices")).content.decode()

    customer.go(finish(press_reconnect(customer).headers["Location"]))

    page = page_of(customer).content.decode()
    assert heading_of(page_of(customer)) == RENEWED
    assert not Device.objects.get().is_confirmed, "asked all the same"
    assert reverse("confirm_device", args=[doubtful.reference]) in page
    confirm_by_hand(customer)
    sweep(client=podero_client(), now=timezone.now())
    assert Device.objects.get().is_optimization_active


def test_login_renewed_in_a_foreign_browser_proves_nothing(
    customer: Customer, doubtful: Device, simulator: RunningSimulator
) -> None:
    """The second trick of who tricked somebody into linking: have them sign in again, too."""
    way_back = finish(press_reconnect(customer).headers["Location"])

    stranger().get(path_of(way_back))
    tasks.take_up_reconnection(reconnection_id=newest(customer).pk)
    confirm_by_hand(customer)

    assert not Device.objects.get().is_confirmed


def test_login_renewed_on_another_phone_proves_nothing_for_this_browser(
    customer: Customer, doubtful: Device
) -> None:
    phone = Customer(customer.podero_user)

    phone.go(finish(press_reconnect(customer).headers["Location"]))
    confirm_by_hand(customer)

    assert (newest(customer).state, newest(customer).is_return_matched) == ("renewed", False)
    assert not Device.objects.get().is_holder_proven
    assert not Device.objects.get().is_confirmed


def test_login_renewed_with_another_account_is_no_proof_for_the_device_that_was_there(
    customer: Customer, doubtful: Device, simulator: RunningSimulator
) -> None:
    simulator.control.settings(reconnect_other_account="new_device")

    customer.go(finish(press_reconnect(customer).headers["Location"], OTHER))
    customer.browser.post(reverse("confirm_device", args=[doubtful.reference]))

    assert newest(customer).state == "other_device"
    doubtful.refresh_from_db()
    assert not doubtful.is_confirmed


def test_key_to_break_off_is_no_key_to_the_proof(
    customer: Customer, doubtful: Device, simulator: RunningSimulator
) -> None:
    way_back = break_off(press_reconnect(customer).headers["Location"])
    seen = urlsplit(way_back).path.split("/")[-3]

    response = customer.go(reverse("reconnect_success", args=[seen]))

    assert response.headers["Location"] == reverse("return_unknown")
    assert not Device.objects.get().is_holder_proven
