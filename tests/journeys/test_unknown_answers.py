"""Replies that Podero's reference leaves open: whichever it gives, the customer gets through."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding import podero
from onboarding.clients import podero_client
from onboarding.flows import returning
from onboarding.flows.sweep import sweep
from onboarding.models import Device, OnboardingSession
from onboarding.podero.calls import Calls
from tests.factories import make_customer
from tests.journeys.customer import Customer
from tests.journeys.test_leaving import is_steered, leave, link_a_device
from tests.simulator.launch import RunningSimulator
from tests.simulator.partner import Partner
from tests.views.test_enter import token

pytestmark = pytest.mark.django_db(transaction=True)

ChangeSession = Callable[..., None]


@pytest.fixture
def steering_from_the_start(podero_settings: Any) -> None:
    podero_settings.ONBOARDING_ACTIVATION = "immediately"


@pytest.fixture
def change_created_session(monkeypatch: pytest.MonkeyPatch) -> ChangeSession:
    """Let Podero say something else in the sessions that it creates."""
    create = podero.PoderoClient.create_onboarding_session

    def change(**fields: Any) -> None:
        def changed(client: podero.PoderoClient, **asked: Any) -> podero.HostedSession:
            return dataclasses.replace(create(client, **asked), **fields)

        monkeypatch.setattr(podero.PoderoClient, "create_onboarding_session", changed)

    return change


def sweep_after(**wait: float) -> None:
    sweep(client=podero_client(), now=timezone.now() + timedelta(**wait))


def success_address(simulator: RunningSimulator, attempt: OnboardingSession) -> str:
    held = simulator.control.state()["sessions"]
    return str(next(s["success_url"] for s in held if s["id"] == str(attempt.podero_id)))


def link_without_a_name(customer: Customer, simulator: RunningSimulator) -> str:
    """Link a device that neither the session nor the way back names; the way back."""
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id))
    simulator.control.set_session(str(customer.attempt.podero_id), object_id=None)
    return success_address(simulator, customer.attempt)


# --- Leaving, coming back and cancelling ------------------------------------------------------


@pytest.mark.usefixtures("steering_from_the_start")
def test_form_finished_before_leaving_is_undone_although_nobody_came_back(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id))

    leave(customer)
    page = customer.browser.get(reverse("left")).content.decode()
    sweep_after()

    assert "Should a device turn up from that, it is switched off and removed as well" in page
    device = Device.objects.get()
    assert not device.is_confirmed
    assert is_steered(simulator, device) is False


@pytest.mark.usefixtures("steering_from_the_start")
def test_device_linked_in_spite_of_a_cancel_is_off_until_it_is_confirmed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("hosted_form", "return_to_cancel_after_link", count=1)
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    customer.go(str(completed.redirect_url))
    assert customer.attempt.state == "cancelled"
    page = customer.page.content.decode()
    assert "Nothing is controlled" not in page
    assert "as far as we know no device was linked" in page

    sweep_after()
    sweep_after(minutes=1)

    assert customer.attempt.state == "linked"
    device = Device.objects.get()
    assert not device.is_confirmed
    assert is_steered(simulator, device) is False


def test_late_return_of_a_stranger_has_an_expired_attempt_looked_up(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    attempt = customer.attempt
    assert attempt.expires_at is not None
    sweep(client=podero_client(), now=attempt.expires_at)
    assert customer.attempt.state == "expired"
    simulator.control.complete(str(attempt.podero_id))
    customer.browser.logout()

    customer.go(success_address(simulator, attempt))
    assert customer.attempt.state == "expired"
    sweep_after()

    assert customer.attempt.state == "linked"
    assert not Device.objects.get().is_confirmed


def test_page_of_the_customer_before_is_not_shown_to_the_next(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    shared = Client(HTTP_HOST="localhost")
    shared.get(reverse("attempt", args=[customer.attempt.reference]))

    response = shared.get("/enter/", {"token": token()})

    assert response.headers["Location"] == reverse("start")


# --- Which device it was ----------------------------------------------------------------------


def test_device_that_only_the_list_knows_is_the_one_named_by_the_return(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    simulator.control.set_session(str(customer.attempt.podero_id), object_id=None)
    simulator.control.arm("get_device", "http_404", count=-1)

    customer.go(str(completed.redirect_url))

    assert customer.attempt.state == "linked"
    device = Device.objects.get()
    assert str(device.podero_id) == completed.device_id
    assert device.is_confirmed
    assert is_steered(simulator, device) is True


@pytest.mark.parametrize("fault", ["http_400", "http_403", "http_409", "http_422"])
def test_made_up_device_that_podero_refuses_to_show_is_no_obstacle(
    customer: Customer, simulator: RunningSimulator, fault: str
) -> None:
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    simulator.control.arm("get_device", fault, count=1)

    customer.go(f"{success_address(simulator, customer.attempt)}?deviceId={uuid.uuid4()}")

    assert customer.attempt.state == "linked"
    assert str(Device.objects.get().podero_id) == completed.device_id


@pytest.mark.parametrize("status", [405, 410])
def test_made_up_device_that_is_refused_in_an_odd_way_is_no_obstacle(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    made_up = uuid.uuid4()
    find = podero.PoderoClient.find_device

    def refuse(
        client: podero.PoderoClient, user_id: Any, device_id: Any, **likely: Any
    ) -> podero.Device | None:
        if device_id == made_up:
            raise podero.Refused("find_device", status=status)
        return find(client, user_id, device_id, **likely)

    monkeypatch.setattr(podero.PoderoClient, "find_device", refuse)

    customer.go(f"{success_address(simulator, customer.attempt)}?deviceId={made_up}")

    assert customer.attempt.state == "linked"
    assert str(Device.objects.get().podero_id) == completed.device_id


@pytest.mark.parametrize("fault", ["http_400", "http_403", "http_404", "http_409", "http_422"])
@pytest.mark.parametrize("skip", [0, 1, 2, 3])
def test_collection_that_podero_refuses_to_list_hides_none(
    customer: Customer, simulator: RunningSimulator, fault: str, skip: int
) -> None:
    customer.opt_in(device_type="hp")
    simulator.control.complete(str(customer.attempt.podero_id), device_type="hp")
    simulator.control.set_session(str(customer.attempt.podero_id), object_id=None)
    simulator.control.arm("list_devices", fault, count=1, skip=skip)

    customer.go(success_address(simulator, customer.attempt))

    assert customer.attempt.state == "linked"


@pytest.mark.parametrize("fault", ["http_400", "http_403", "http_404", "http_422"])
def test_finished_session_that_cannot_be_read_is_no_obstacle(
    customer: Customer, simulator: RunningSimulator, fault: str
) -> None:
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    simulator.control.arm("get_session", fault, count=-1)

    customer.go(success_address(simulator, customer.attempt))

    assert customer.attempt.state == "linked"
    assert str(Device.objects.get().podero_id) == completed.device_id


def test_finished_session_that_is_gone_is_no_obstacle(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))

    def gone(client: podero.PoderoClient, session_id: Any) -> podero.HostedSession:
        raise podero.Refused("get_onboarding_session", status=410)

    monkeypatch.setattr(podero.PoderoClient, "get_onboarding_session", gone)

    customer.go(success_address(simulator, customer.attempt))

    assert customer.attempt.state == "linked"
    assert str(Device.objects.get().podero_id) == completed.device_id


def test_return_that_brought_an_unnamed_device_is_not_denied(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.go(link_without_a_name(customer, simulator))

    attempt = customer.attempt
    assert (attempt.state, attempt.is_return_matched) == ("linked", True)
    assert not Device.objects.get().is_confirmed
    page = customer.page.content.decode()
    assert "You did not come back from" not in page
    assert "not for certain that it is the one you have just linked" in page


def test_known_device_linked_again_without_a_name_is_linked_in_the_end(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    customer.opt_in()
    second = customer.attempt
    simulator.control.set_session(str(second.podero_id), object_id=str(device.podero_id))

    customer.go(success_address(simulator, second))

    assert customer.attempt.state == "linked"
    assert Device.objects.get().attempt == second
    assert is_steered(simulator, device) is True


def test_return_that_names_nothing_new_leaves_the_known_device_alone(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    customer.opt_in()

    customer.go(success_address(simulator, customer.attempt))

    assert customer.attempt.state == "returned"
    assert Device.objects.get().attempt != customer.attempt
    assert is_steered(simulator, device) is True


# --- Whether Podero said no or nothing --------------------------------------------------------


def test_silence_of_podero_does_not_count_as_a_no(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    address = success_address(simulator, customer.attempt)
    simulator.control.arm("*", "http_503", count=-1)
    customer.go(f"{address}?deviceId={uuid.uuid4()}")
    now = timezone.now()
    for minutes in (1, 2, 4, 8, 16, 31):
        returning.verify_return(
            client=podero_client(),
            attempt=customer.attempt,
            now=now + timedelta(minutes=minutes),
        )
    assert (customer.attempt.state, customer.attempt.tries) == ("returned", 7)

    simulator.control.clear_faults()
    returning.verify_return(
        client=podero_client(), attempt=customer.attempt, now=now + timedelta(minutes=50)
    )

    assert customer.attempt.state == "returned"
    assert customer.attempt.next_try_at is not None


# --- Users that Podero has deleted ------------------------------------------------------------


@pytest.mark.parametrize("fault", ["http_400", "http_403", "http_404", "http_422"])
def test_customer_whose_podero_user_is_gone_gets_a_new_one(
    podero_settings: Any, simulator: RunningSimulator, fault: str
) -> None:
    gone = uuid.uuid4()
    customer = Customer(make_customer(podero_id=gone))
    simulator.control.arm("create_session", fault, count=1)

    customer.opt_in()

    assert customer.attempt.state == "open"
    customer.podero_user.refresh_from_db()
    users = simulator.control.state()["users"]
    assert [user["id"] for user in users] == [str(customer.podero_user.podero_id)]
    assert customer.podero_user.podero_id != gone


@pytest.mark.parametrize("fault", ["http_400", "http_403", "http_422"])
def test_refusal_of_a_form_makes_no_second_user(
    customer: Customer, simulator: RunningSimulator, fault: str
) -> None:
    customer.opt_in()
    customer.podero_user.refresh_from_db()
    known = customer.podero_user.podero_id
    simulator.control.arm("create_session", fault, count=1)

    customer.opt_in()

    assert customer.attempt.state == "failed"
    customer.podero_user.refresh_from_db()
    assert customer.podero_user.podero_id == known
    assert len(simulator.control.requests_to("create_user")) == 1


@pytest.mark.parametrize("is_number_blocked", [False, True])
def test_deleted_podero_user_is_never_taken_for_the_customer(
    customer: Customer, simulator: RunningSimulator, is_number_blocked: bool
) -> None:
    simulator.control.settings(deleted_users_block_reuse=is_number_blocked)
    partner = Partner(simulator.base_url)
    deleted = partner.user_id(
        email=customer.podero_user.email,
        external_user_id=customer.podero_user.external_user_id,
    )
    partner.call("DELETE", f"{partner.users}/{deleted}")

    customer.opt_in()

    customer.podero_user.refresh_from_db()
    attempt = customer.attempt
    if is_number_blocked:
        assert (attempt.state, attempt.failure_code) == ("failed", "email_taken")
        assert customer.podero_user.podero_id is None
    else:
        assert attempt.state == "open"
        assert str(customer.podero_user.podero_id) != deleted


# --- What the session says --------------------------------------------------------------------


def test_hosted_address_of_any_length_is_led_to(
    customer: Customer, simulator: RunningSimulator, change_created_session: ChangeSession
) -> None:
    address = f"http://{simulator.host}/connect?x=" + "a" * 2500
    change_created_session(authentication_url=address)

    response = customer.opt_in()

    assert (response.status_code, response.headers["Location"]) == (302, address)
    assert customer.attempt.state == "open"


@pytest.mark.parametrize("said", [date.max, date.min, date(2001, 1, 1), None])
def test_unlikely_last_day_of_the_form_is_not_believed(
    customer: Customer,
    simulator: RunningSimulator,
    change_created_session: ChangeSession,
    said: date | None,
) -> None:
    change_created_session(expiration_date=said)
    before = timezone.now()

    response = customer.opt_in()

    assert response.status_code == 302
    attempt = customer.attempt
    assert attempt.state == "open"
    assert attempt.expires_at is not None
    assert before < attempt.expires_at < before + timedelta(days=5)
    assert attempt.expires_at > datetime(2026, 1, 1, tzinfo=UTC)


# --- What the pages say -----------------------------------------------------------------------


def test_device_that_podero_no_longer_names_is_not_called_working(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    assert "Linked, and optimization is on." in devices_page(customer)
    simulator.control.drop_device(str(device.podero_id))

    sweep_after(minutes=16)

    device.refresh_from_db()
    assert device.missing_since is not None
    page = devices_page(customer)
    assert "Linked, and optimization is on." not in page
    assert "Podero does not know this device any more" in page


def test_lapsed_login_is_noticed_without_anybody_looking(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    simulator.control.set_device(str(device.podero_id), is_authenticated=False)

    sweep_after(minutes=14)
    assert not Device.objects.get().needs_customer
    sweep_after(minutes=16)

    assert Device.objects.get().needs_customer
    assert "The login at the manufacturer has lapsed" in devices_page(customer)


def test_failed_attempt_does_not_deny_the_device_that_works(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    simulator.control.arm("create_session", "http_422", count=1)

    customer.opt_in()

    assert customer.attempt.state == "failed"
    page = customer.page.content.decode()
    assert "Nothing is linked or controlled" not in page
    assert "No device was linked by this." in page


def test_consent_page_shows_every_address_that_may_follow(
    customer: Customer, podero_settings: Any
) -> None:
    podero_settings.PODERO_CONNECT_HOSTS = frozenset({"connect.podero.com", "backup.podero.com"})

    page = customer.browser.get(reverse("consent")).content.decode()

    assert "<b>https://backup.podero.com/ or https://connect.podero.com/</b>" in page


def devices_page(customer: Customer) -> str:
    return str(customer.browser.get(reverse("devices")).content.decode())


@pytest.mark.parametrize(("refusals", "state"), [(2, "linked"), (4, "expired")])
def test_attempt_does_not_run_out_on_one_answer_with_a_gap(
    customer: Customer,
    simulator: RunningSimulator,
    monkeypatch: pytest.MonkeyPatch,
    refusals: int,
    state: str,
) -> None:
    """Each look asks a second time for what it was refused."""
    simulator.control.settings(object_id_filled=False)
    customer.opt_in(device_type="ev")
    simulator.control.complete(str(customer.attempt.podero_id))
    expires_at = customer.attempt.expires_at
    assert expires_at is not None
    OnboardingSession.objects.update(next_try_at=expires_at)
    collection, left = Calls.collection_path, [None] * refusals

    def refuse_cars(calls: Any, user_id: uuid.UUID, kind: podero.DeviceType) -> str:
        if kind == podero.DeviceType.EV and left:
            left.pop()
            raise podero.Forbidden("list_devices", status=403)
        return collection(calls, user_id, kind)

    monkeypatch.setattr(Calls, "collection_path", refuse_cars)

    sweep(client=podero_client(), now=expires_at)
    assert customer.attempt.state == "open"
    sweep(client=podero_client(), now=expires_at + timedelta(minutes=5))

    assert customer.attempt.state == state
