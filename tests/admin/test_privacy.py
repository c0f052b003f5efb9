"""Support's screens name a customer where one is looked at, not where many are listed."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from onboarding.models import OnboardingSession
from onboarding.states import State
from tests.factories import make_attempt, make_customer, make_device

pytestmark = pytest.mark.django_db


@pytest.fixture
def attempt() -> OnboardingSession:
    customer = make_customer(email="ann@example.com", external_user_id="4711-A")
    attempt = make_attempt(customer=customer, state=State.LINKED)
    make_device(attempt=attempt)
    return attempt


@pytest.mark.parametrize("name", ["onboardingsession", "poderouser", "device"])
def test_list_shows_customer_numbers_and_no_addresses(
    admin_client: Client, attempt: OnboardingSession, name: str
) -> None:
    response = admin_client.get(reverse(f"admin:onboarding_{name}_changelist"))

    text = response.content.decode()
    assert response.context["cl"].result_count == 1
    assert "4711-A" in text
    assert "ann@example.com" not in text


def test_customer_shows_the_address_that_support_is_asked_about(
    admin_client: Client, attempt: OnboardingSession
) -> None:
    change = reverse("admin:onboarding_poderouser_change", args=[attempt.podero_user_id])

    assert "ann@example.com" in admin_client.get(change).content.decode()
