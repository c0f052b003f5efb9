"""Each API call × each fault: the right state, the right page, one Podero user, and a way on."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import Device, OnboardingSession
from tests.connected import let_the_breaker_rest
from tests.factories import make_customer
from tests.journeys.customer import Customer
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)

STARTED, OPEN, RETURNED, LINKED, FAILED = "started", "open", "returned", "linked", "failed"

# What the attempt is after the customer's POST while the fault lasts, by the call it strikes.
# The opening calls are made in this order: token, create_user, create_session.
OPENING: dict[str, dict[str, str]] = {
    "http_400": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "http_401": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "http_403": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "http_404": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "http_409": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "http_422": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "http_422_text": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "http_429": {"token": STARTED, "create_user": STARTED, "create_session": STARTED},
    "http_429_retry_after": {"token": STARTED, "create_user": STARTED, "create_session": STARTED},
    "http_500": {"token": STARTED, "create_user": STARTED, "create_session": STARTED},
    "http_502": {"token": STARTED, "create_user": STARTED, "create_session": STARTED},
    "http_503": {"token": STARTED, "create_user": STARTED, "create_session": STARTED},
    "timeout_before": {"token": STARTED, "create_user": STARTED, "create_session": STARTED},
    "timeout_after": {"token": STARTED, "create_user": STARTED, "create_session": STARTED},
    "reset_before": {"token": STARTED, "create_user": STARTED, "create_session": STARTED},
    "reset_after": {"token": STARTED, "create_user": STARTED, "create_session": STARTED},
    "drip": {"token": STARTED, "create_user": STARTED, "create_session": STARTED},
    "broken_json": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "not_json_html": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "empty_body": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "missing_field": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "wrong_type": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "huge_body": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "redirect": {"token": FAILED, "create_user": FAILED, "create_session": FAILED},
    "extra_fields": {"token": OPEN, "create_user": OPEN, "create_session": OPEN},
    "unknown_enum": {"create_user": OPEN, "create_session": OPEN},
    "null_authentication_url": {"create_session": FAILED},
    "foreign_authentication_url": {"create_session": FAILED},
    "duplicate": {"create_user": FAILED},
}

# What it is after the customer came back while the fault lasts. Where the device is refused by its
# id, the customer's collection names it. `update_device` comes after the confirmation: the attempt
# is linked whatever happens to it, and the device waits its turn.
RETURNING: dict[str, dict[str, str]] = {
    "http_400": {"token": RETURNED, "get_device": LINKED, "update_device": LINKED},
    "http_401": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "http_403": {"token": RETURNED, "get_device": LINKED, "update_device": LINKED},
    "http_404": {"token": RETURNED, "get_device": LINKED, "update_device": LINKED},
    "http_409": {"token": RETURNED, "get_device": LINKED, "update_device": LINKED},
    "http_422": {"token": RETURNED, "get_device": LINKED, "update_device": LINKED},
    "http_422_text": {"token": RETURNED, "get_device": LINKED, "update_device": LINKED},
    "http_429": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "http_429_retry_after": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "http_500": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "http_502": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "http_503": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "timeout_before": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "timeout_after": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "reset_before": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "reset_after": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "drip": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "broken_json": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "not_json_html": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "empty_body": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "missing_field": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "wrong_type": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "huge_body": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "redirect": {"token": RETURNED, "get_device": RETURNED, "update_device": LINKED},
    "extra_fields": {"token": LINKED, "get_device": LINKED, "update_device": LINKED},
    "unknown_enum": {"get_device": LINKED, "update_device": LINKED},
}

# Once the return names no device, these calls decide.
SEARCHING = ("get_session", "list_devices")
REFUSALS = {"http_400", "http_403", "http_404", "http_409", "http_422", "http_422_text"}


def rows(table: dict[str, dict[str, str]]) -> list[Any]:
    return [
        pytest.param(endpoint, fault, state, id=f"{endpoint}-{fault}")
        for fault, by_endpoint in table.items()
        for endpoint, state in by_endpoint.items()
    ]


@pytest.fixture
def customer(podero_settings: Any) -> Customer:
    podero_settings.PODERO_TIMEOUT_SECONDS = 1
    return Customer(make_customer())


@pytest.fixture(autouse=True)
def nothing_leaks(caplog: pytest.LogCaptureFixture, customer: Customer, keys_of: Any) -> Any:
    """No traceback and no key in the log, whatever happened."""
    caplog.set_level(logging.DEBUG, logger="onboarding")
    caplog.set_level(logging.INFO, logger="django")
    yield
    written = "\n".join(record.getMessage() + str(vars(record)) for record in caplog.records)
    assert not [record for record in caplog.records if record.exc_info]
    assert not [key for key in keys_of(customer) if key in written]


def arm(simulator: RunningSimulator, endpoint: str, fault: str) -> None:
    params = {"seconds": 3.0} if fault in ("timeout_before", "timeout_after", "drip") else {}
    if endpoint == "token":
        simulator.control.expire_tokens()
    simulator.control.arm(endpoint, fault, count=-1, **params)


def recover(simulator: RunningSimulator) -> None:
    """Podero is well again, and whatever pause it had asked for is over."""
    simulator.control.clear_faults()
    let_the_breaker_rest()


def one_user_and_linked(simulator: RunningSimulator, customer: Customer) -> None:
    """After the fault is over the customer gets there, and Podero holds exactly one of them."""
    session_id = customer.attempt.podero_id
    completed = simulator.control.complete(str(session_id))
    customer.go(str(completed.redirect_url))
    assert customer.attempt.state == LINKED
    users = simulator.control.state()["users"]
    number = customer.podero_user.external_user_id
    assert [user["external_user_id"] for user in users] == [number]
    device = Device.objects.get()
    assert device.is_optimization_active
    assert str(device.podero_id) == completed.device_id


@pytest.mark.parametrize(("endpoint", "fault", "state"), rows(OPENING))
def test_fault_while_the_form_is_opened(
    endpoint: str, fault: str, state: str, customer: Customer, simulator: RunningSimulator
) -> None:
    arm(simulator, endpoint, fault)

    response = customer.opt_in()

    attempt = customer.attempt
    assert attempt.state == state, attempt.failure_code
    assert bool(attempt.failure_code) == (state != OPEN)
    assert attempt.claimed_at is None
    if state != OPEN:
        assert response.headers["Location"].endswith(f"/optimize/attempts/{attempt.reference}/")
    page = customer.page
    assert page.status_code == 200
    assert f"onboarding/attempts/{state}.html" in [part.name for part in page.templates]

    recover(simulator)
    if state != OPEN:
        customer.press_continue()
    one_user_and_linked(simulator, customer)


@pytest.mark.parametrize(("endpoint", "fault", "state"), rows(RETURNING))
def test_fault_while_the_return_is_verified(
    endpoint: str, fault: str, state: str, customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    arm(simulator, endpoint, fault)

    response = customer.go(str(completed.redirect_url))

    attempt = customer.attempt
    assert attempt.state == state, list(attempt.events.values("event", "failure_code"))
    assert response.headers["Location"].endswith(f"/optimize/attempts/{attempt.reference}/")
    page = customer.page
    assert page.status_code == 200
    assert f"onboarding/attempts/{state}.html" in [part.name for part in page.templates]

    recover(simulator)
    make_everything_due()
    sweep(client=podero_client(), now=timezone.now())
    assert customer.attempt.state == LINKED
    device = Device.objects.get()
    assert str(device.podero_id) == completed.device_id
    assert device.is_confirmed
    assert device.is_optimization_active


@pytest.mark.parametrize("endpoint", SEARCHING)
@pytest.mark.parametrize("fault", [fault for fault in RETURNING if fault != "unknown_enum"])
def test_fault_while_a_return_without_device_id_is_verified(
    endpoint: str, fault: str, customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    simulator.control.settings(object_id_filled=False)
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    arm(simulator, endpoint, fault)

    customer.go(str(completed.redirect_url).split("?")[0])

    # Whether a finished session can still be read is not documented: a refusal is no obstacle.
    is_refused = fault in REFUSALS and endpoint == "get_session"
    is_linked = fault == "extra_fields" or is_refused
    assert customer.attempt.state == (LINKED if is_linked else RETURNED)
    assert customer.page.status_code == 200

    recover(simulator)
    make_everything_due()
    sweep(client=podero_client(), now=timezone.now())
    assert customer.attempt.state == LINKED
    device = Device.objects.get()
    assert not device.is_confirmed
    assert not device.is_optimization_active


@pytest.mark.parametrize("status", [400, 409, 422])
@pytest.mark.parametrize("fault", ["timeout_after", "reset_after"])
def test_user_made_by_a_lost_call_is_found_again(
    status: int, fault: str, customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(duplicate_status=status)
    simulator.control.arm("create_user", fault, count=1, **hang(fault))
    customer.opt_in()
    assert customer.attempt.state == STARTED

    customer.press_continue()

    assert customer.attempt.state == OPEN
    assert len(simulator.control.requests_to("create_user")) == 1
    one_user_and_linked(simulator, customer)


def test_user_made_by_a_lost_call_stays_the_only_one_when_the_search_is_mistaken_once(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(duplicates_allowed=True)
    simulator.control.arm("create_user", "reset_after", count=1)
    customer.opt_in()
    simulator.control.arm("find_user", "http_404", count=1)

    customer.press_continue()

    assert customer.attempt.state == OPEN
    one_user_and_linked(simulator, customer)


@pytest.mark.parametrize("status", [400, 409, 422])
def test_user_that_podero_already_has_is_reused(
    status: int, customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(duplicate_status=status)
    podero_client().create_user(
        email=customer.podero_user.email, external_user_id=customer.podero_user.external_user_id
    )

    customer.opt_in()

    assert customer.attempt.state == OPEN
    one_user_and_linked(simulator, customer)


@pytest.mark.parametrize("status", [400, 409, 422])
def test_email_of_another_customer_is_a_case_for_support(
    status: int, customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(duplicate_status=status)
    podero_client().create_user(email=customer.podero_user.email, external_user_id="another")

    customer.opt_in()

    attempt = customer.attempt
    assert (attempt.state, attempt.failure_code) == (FAILED, "email_taken")
    assert customer.page.status_code == 200
    assert [u["external_user_id"] for u in simulator.control.state()["users"]] == ["another"]
    assert simulator.control.requests_to("create_session") == []


@pytest.mark.parametrize("status", [200, 201])
def test_both_success_codes_of_a_creation_are_taken(
    status: int, customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(create_status=status)

    customer.opt_in()

    one_user_and_linked(simulator, customer)


def test_token_that_dies_midway_is_renewed_without_the_customer_noticing(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    simulator.control.expire_tokens()

    customer.go(str(completed.redirect_url))

    assert customer.attempt.state == LINKED
    assert [event.event for event in customer.attempt.events.order_by("pk")] == [
        "consented",
        "opened",
        "returned",
        "linked",
        "optimization_on",
    ]


def test_forged_device_id_alone_never_links(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("hosted_form", "return_forged_nothing_linked", count=1)
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))

    customer.go(str(completed.redirect_url))

    assert customer.attempt.state == RETURNED
    assert Device.objects.count() == 0
    assert b"linked" not in customer.page.content.lower().replace(b"stylesheet", b"")


def test_forged_device_id_does_not_hide_the_device_that_was_linked(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("hosted_form", "return_forged_device", count=1)
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))

    customer.go(str(completed.redirect_url))

    assert customer.attempt.state == LINKED
    assert str(Device.objects.get().podero_id) == completed.device_id


def test_second_return_changes_nothing(customer: Customer, simulator: RunningSimulator) -> None:
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    customer.go(str(completed.redirect_url))
    told = customer.attempt.events.count()
    calls = len(simulator.control.state()["journal"])

    response = customer.go(str(completed.redirect_url))

    assert response.status_code == 302
    assert customer.attempt.events.count() == told
    assert len(simulator.control.state()["journal"]) == calls


def test_customer_who_never_returns_is_found_and_asked(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("hosted_form", "never_return", count=1)
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id))
    make_everything_due()

    sweep(client=podero_client(), now=timezone.now())

    assert customer.attempt.state == LINKED
    device = Device.objects.get()
    assert not device.is_confirmed
    assert not device.is_optimization_active


def hang(fault: str) -> dict[str, float]:
    return {"seconds": 3.0} if fault == "timeout_after" else {}


def make_everything_due() -> None:
    OnboardingSession.objects.exclude(next_try_at=None).update(next_try_at=timezone.now())
    Device.objects.exclude(next_try_at=None).update(next_try_at=timezone.now())
