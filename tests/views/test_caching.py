"""No page made for one person stays in a cache, whatever its address."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from onboarding import urls
from onboarding.flows import reminders
from onboarding.models import Device, Reconnection
from onboarding.states import State
from tests.factories import make_attempt, make_customer, make_device, make_reconnection

pytestmark = pytest.mark.django_db

# The same for everybody, and meant to be kept or asked again at once.
PUBLIC = {"brand_css", "health_live", "health_metrics", "health_ready", "home"}
OF_AN_ATTEMPT = {"resume_return", "stop_reminders_here"}
NAMES = sorted({str(pattern.name) for pattern in urls.urlpatterns} - PUBLIC)


@pytest.fixture
def signed_in(client: Client) -> Client:
    customer = make_customer()
    attempt = make_attempt(customer=customer, state=State.LINKED)
    make_reconnection(device=make_device(attempt=attempt))
    client.force_login(customer.account)
    return client


def address_of(name: str) -> str:
    """The address of a row that is the customer's, where there is one."""
    device, reconnection = Device.objects.get(), Reconnection.objects.get()
    attempt = device.attempt
    references = {
        "attempt": attempt.reference,
        "device": device.reference,
        "reconnection": reconnection.reference,
        "receipt": attempt.consent.reference,
        "withdrawal": attempt.consent.reference,
    }
    parameters = get_resolver().reverse_dict.getlist(name)[0][0][0][1]
    values: dict[str, Any] = {"token": "made-up", "reference": uuid.uuid4(), "appended": "&a=b"}
    if name == "stop_reminders":
        values["token"] = reminders.stop_token(attempt.consent)
    for kind, reference in references.items():
        if kind in name or (kind == "attempt" and name in OF_AN_ATTEMPT):
            values["reference"] = reference
    return reverse(name, kwargs={parameter: values[parameter] for parameter in parameters})


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", NAMES)
def test_signed_in_page_is_kept_by_nobody(signed_in: Client, name: str, method: str) -> None:
    response = getattr(signed_in, method)(address_of(name))

    assert response.status_code != 404 or name == "return_unknown"
    if response.status_code != 405:
        assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.parametrize(
    "name", ["return_success", "return_cancel", "reconnect_success", "reconnect_cancel"]
)
def test_address_with_a_key_is_never_passed_on_as_referrer(signed_in: Client, name: str) -> None:
    for browser in (signed_in, Client()):
        assert browser.get(address_of(name)).headers["Referrer-Policy"] == "no-referrer"
