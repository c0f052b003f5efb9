"""The page of a linked attempt, and what else tells how a device stands, says what is so now."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from onboarding.models import Device, Reconnection
from onboarding.states import State
from tests.factories import NOON, make_attempt, make_consent, make_device, make_reconnection

pytestmark = pytest.mark.django_db

QUESTION = "Is this your device?"
TO_GO = "What you linked is to be removed"
LINKED = "Your device is linked"
GONE = "Podero does not know your device any more"
NOTHING_TO_DO = "You need not do anything more."

CONFIRMED: dict[str, Any] = {"confirmed_at": NOON}


def signed_in(device: Device) -> Client:
    browser = Client()
    browser.force_login(device.podero_user.account)
    return browser


def page_of(device: Device) -> str:
    address = reverse("attempt", args=[device.attempt.reference])
    return signed_in(device).get(address).content.decode()


@pytest.mark.parametrize(
    ("fields", "heading", "is_all_done"),
    [
        ({}, QUESTION, False),
        (
            CONFIRMED | {"is_optimization_wanted": True, "is_optimization_active": True},
            LINKED,
            True,
        ),
        (CONFIRMED, LINKED, True),
        (CONFIRMED | {"is_authenticated": False}, LINKED, False),
        (CONFIRMED | {"missing_since": NOON}, GONE, False),
        (CONFIRMED | {"is_optimization_wanted": True}, LINKED, False),
        ({"missing_since": NOON}, GONE, False),
        ({"removal_wanted_at": NOON}, TO_GO, False),
        (CONFIRMED | {"removal_wanted_at": NOON, "removal_refusals": 1}, TO_GO, False),
    ],
)
def test_heading_and_lead_are_about_how_the_device_stands(
    fields: dict[str, Any], heading: str, is_all_done: bool
) -> None:
    shown = page_of(make_device(**fields))

    assert re.findall(r"<h1>(.*?)\s*</h1>", shown) == [heading]
    assert f"<title>{heading}" in shown
    assert (NOTHING_TO_DO in shown) == is_all_done
    assert (reverse("confirm_device", args=[Device.objects.get().reference]) in shown) == (
        heading == QUESTION
    )


@pytest.mark.parametrize("is_asked", [True, False])
def test_several_devices_are_asked_about_only_where_one_waits(is_asked: bool) -> None:
    device = make_device(**CONFIRMED)
    make_device(attempt=device.attempt, **({} if is_asked else CONFIRMED))

    shown = page_of(device)

    assert ("Please look whether each of them is yours" in shown) == is_asked


@pytest.mark.parametrize("withdrawn_at", [None, NOON])
def test_who_has_withdrawn_is_not_offered_to_withdraw(withdrawn_at: datetime | None) -> None:
    consent = make_consent(withdrawn_at=withdrawn_at)
    attempt = make_attempt(customer=consent.podero_user, consent=consent, state=State.LINKED)

    shown = page_of(make_device(attempt=attempt, **CONFIRMED))

    own_choices = shown.partition("What you can do next")[2].partition("</ul>")[0]
    assert (reverse("leave") in own_choices) == (withdrawn_at is None)


@pytest.mark.parametrize("fields", [{"removal_wanted_at": NOON}, {"missing_since": NOON}, {}])
def test_what_is_gone_is_not_among_what_a_wrong_account_has_brought(fields: dict[str, Any]) -> None:
    device = make_device(**CONFIRMED)
    make_device(attempt=device.attempt, model="Brought", **fields)
    found = make_reconnection(device=device, state=Reconnection.State.OTHER_DEVICE)

    shown = signed_in(device).get(reverse("reconnection", args=[found.reference]))

    assert ("Brought" in shown.content.decode()) == (not fields)


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (State.EXPIRED, "podero_unreachable", "could not tell us whether a device was linked"),
        (State.EXPIRED, "ran_out", "as far as we know no device was linked"),
        (State.FAILED, "of_another_customer", "it belongs to another customer of"),
    ],
)
def test_end_of_an_attempt_says_no_more_than_is_known(state: State, code: str, words: str) -> None:
    attempt = make_attempt(state=state, failure_code=code)
    browser = Client()
    browser.force_login(attempt.podero_user.account)

    shown = browser.get(reverse("attempt", args=[attempt.reference])).content.decode()

    assert words in shown


def test_page_of_an_attempt_whose_device_was_linked_again_and_removed_does_not_say_it_is_linked() -> (
    None
):
    newer = make_device(removal_wanted_at=NOON, removed_at=NOON)
    customer = newer.podero_user
    consent = newer.attempt.consent
    older = make_attempt(customer=customer, consent=consent, state=State.LINKED)

    page = signed_in(newer).get(reverse("attempt", args=[older.reference])).content.decode()

    assert LINKED not in page
    assert "A device was linked" in page
    assert "How it stands now is told among your devices." in page
