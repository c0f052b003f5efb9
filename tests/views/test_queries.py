"""What every customer page costs the database: five queries at most, a stranger's start none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from onboarding.flows import reminders, withdrawal
from onboarding.models import OnboardingSession, PoderoUser
from onboarding.states import State
from tests.factories import (
    make_attempt,
    make_consent,
    make_customer,
    make_device,
    make_reconnection,
)

pytestmark = pytest.mark.django_db

MOST = 5
# Addresses that show no page of their own to a signed-in customer.
NO_PAGES = {
    "attempt_status": "JSON",
    "brand_css": "style",
    "charge_device": "redirects",
    "check_attempt": "redirects",
    "confirm_device": "redirects",
    "continue_attempt": "redirects",
    "devices_status": "JSON",
    "do_not_charge_device": "redirects",
    "enter": "redirects, or refuses a link",
    "health_live": "for machines",
    "health_ready": "for machines",
    "home": "redirects",
    "leaving_reason": "redirects",
    "look_again": "redirects",
    "pause_device": "redirects",
    "resume_device": "redirects",
    "check_reconnection": "redirects",
    "health_metrics": "for machines",
    "reconnect_cancel": "redirects",
    "reconnect_device": "redirects",
    "reconnect_success": "redirects",
    "reconnection_status": "JSON",
    "resume_reconnection": "redirects",
    "resume_return": "redirects",
    "return_cancel": "redirects",
    "return_success": "redirects",
    "sign_in": "for strangers",
    "sign_out": "redirects",
    "stop_reminders_here": "redirects",
}


@pytest.fixture(autouse=True)
def _mail_on(settings: Any) -> None:
    settings.IS_MAIL_ON = True


@pytest.fixture
def customer() -> PoderoUser:
    """A customer with as much of everything as there may be."""
    customer = make_customer()
    now = timezone.now()
    for number in range(12):
        consent = make_consent(
            customer,
            allows_reminder=True,
            given_at=now - timedelta(hours=number),
            withdrawn_at=now if number == 3 else None,
        )
        for state in State:
            attempt = make_attempt(customer=customer, consent=consent, state=state, started_at=now)
            reminders.plan_reminder(attempt=attempt, now=now)
            make_attempt(customer=customer, consent=consent, state=State.OPEN, continues=attempt)
            make_device(attempt=attempt, checked_at=now)
    return customer


@pytest.fixture
def signed_in(client: Client, customer: PoderoUser) -> Client:
    client.force_login(customer.account)
    return client


def attempt_in(customer: PoderoUser, state: State, **kwargs: Any) -> OnboardingSession:
    return customer.attempts.filter(state=state, **kwargs).latest("pk")


def _attempt_page(state: State) -> Callable[[PoderoUser], str]:
    return lambda customer: reverse("attempt", args=[attempt_in(customer, state).reference])


def _receipt(customer: PoderoUser) -> str:
    return reverse("receipt", args=[customer.consents.latest("pk").reference])


def _withdrawal(customer: PoderoUser) -> str:
    return reverse("withdrawal", args=[customer.consents.latest("pk").reference])


def _stop(customer: PoderoUser) -> str:
    return reverse("stop_reminders", args=[reminders.stop_token(customer.consents.latest("pk"))])


def _reconnection(customer: PoderoUser) -> str:
    found = make_reconnection(device=customer.devices.latest("pk"))
    return reverse("reconnection", args=[found.reference])


def _remove_device(customer: PoderoUser) -> str:
    return reverse("remove_device", args=[customer.devices.latest("pk").reference])


def _plain(name: str) -> Callable[[PoderoUser], str]:
    return lambda _customer: reverse(name)


PAGES: dict[str, Callable[[PoderoUser], str]] = {
    **{
        name: _plain(name)
        for name in (
            "start",
            "consent",
            "devices",
            "leave",
            "return_unknown",
            "return_other_customer",
        )
    },
    **{f"attempt {state}": _attempt_page(state) for state in State},
    "receipt": _receipt,
    "stop_reminders": _stop,
    "reconnection": _reconnection,
    "remove_device": _remove_device,
    "left": _plain("left"),
    "withdrawal": _withdrawal,
}


def _names() -> Iterator[str]:
    for pattern in get_resolver("onboarding.urls").url_patterns:
        yield str(pattern.name)  # type: ignore[union-attr]


def test_every_address_is_counted_here() -> None:
    assert {name.split()[0] for name in PAGES} | set(NO_PAGES) == set(_names())


@pytest.mark.parametrize("name", PAGES)
def test_page_costs_few_queries_however_much_there_is(
    signed_in: Client,
    customer: PoderoUser,
    django_assert_max_num_queries: Any,
    name: str,
) -> None:
    if name in ("left", "withdrawal"):
        withdrawal.withdraw(customer=customer, now=timezone.now())
        customer.refresh_from_db()
    address = PAGES[name](customer)

    with django_assert_max_num_queries(MOST):
        response = signed_in.get(address)

    assert response.status_code == (
        403 if name == "return_other_customer" else 404 if name == "return_unknown" else 200
    )
    assert b"<h1" in response.content


def test_start_page_costs_a_stranger_nothing(
    client: Client, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        response = client.get(reverse("start"))

    assert response.status_code == 200


def test_account_that_no_portal_brought_becomes_a_customer_once(
    client: Client, django_user_model: Any
) -> None:
    account = django_user_model.objects.create_user("ann@example.com", password="demo")
    client.force_login(account)

    client.get(reverse("devices"))
    client.get(reverse("devices"))

    assert PoderoUser.objects.get().external_user_id == f"account-{account.pk}"
