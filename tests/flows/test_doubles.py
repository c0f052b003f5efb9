"""Which two devices of a customer get in each other's way, and which had better be paused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from onboarding.flows.doubles import find_doubles, linked_already, shares_cable_with
from onboarding.models import Device, OnboardingSession
from onboarding.states import State
from tests.factories import NOON, make_attempt, make_device

pytestmark = pytest.mark.django_db

NIBE = {"device_type": "hp", "manufacturer": "Nibe", "model": "S2125-8"}


@pytest.fixture
def attempt() -> OnboardingSession:
    return make_attempt(state=State.LINKED)


def controlled(attempt: OnboardingSession, **fields: Any) -> Device:
    values = {"confirmed_at": NOON, "is_optimization_wanted": True}
    return make_device(attempt=attempt, **(values | fields))


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ({"external_device_id": "a"}, {"external_device_id": "a"}, "same"),
        ({"external_device_id": "a"}, {"external_device_id": "a", "model": "S3"}, "same"),
        ({"external_device_id": "a"}, {"external_device_id": "b"}, None),
        ({"external_device_id": "a"}, {}, "maybe_same"),
        ({}, {}, "maybe_same"),
        ({}, {"manufacturer": "NIBE"}, "maybe_same"),
        ({}, {"model": "S3"}, None),
        ({}, {"device_type": "iv"}, None),
        ({"manufacturer": "", "model": ""}, {"manufacturer": "", "model": ""}, None),
        ({"external_device_id": "a"}, {"external_device_id": "a", "manufacturer": "Kia"}, None),
        ({"device_type": "ev"}, {"device_type": "wb"}, "car_and_wallbox"),
        ({"device_type": "ev"}, {"device_type": "wb", "is_optimization_wanted": False}, None),
        ({}, {"is_optimization_wanted": False}, None),
        ({}, {"missing_since": NOON}, None),
        ({}, {"is_optimization_wanted": False, "confirmed_at": None}, "maybe_same"),
    ],
)
def test_two_devices_are_told_to_get_in_each_others_way_or_not(
    attempt: OnboardingSession, one: dict[str, Any], other: dict[str, Any], kind: str | None
) -> None:
    pair = [controlled(attempt, **(NIBE | one)), controlled(attempt, **(NIBE | other))]

    assert [double.kind for double in find_doubles(pair)] == ([kind] if kind else [])


def test_older_of_two_links_is_the_one_to_pause(attempt: OnboardingSession) -> None:
    newer = controlled(attempt, linked_at=NOON + timedelta(days=1))
    older = controlled(attempt, linked_at=NOON)

    (double,) = find_doubles([newer, older])

    assert double.to_pause == older


def test_car_is_the_one_to_pause_beside_a_wallbox(attempt: OnboardingSession) -> None:
    car = controlled(attempt)
    wallbox = controlled(attempt, device_type="wb")

    (double,) = find_doubles([wallbox, car])

    assert double.to_pause == car


def test_car_beside_two_wallboxes_is_told_once(attempt: OnboardingSession) -> None:
    car = controlled(attempt)
    boxes = [controlled(attempt, device_type="wb", external_device_id=name) for name in ("a", "b")]

    assert [double.to_pause for double in find_doubles([*boxes, car])] == [car]


def test_nothing_is_to_be_paused_where_only_one_is_controlled(attempt: OnboardingSession) -> None:
    pair = [controlled(attempt), make_device(attempt=attempt)]

    (double,) = find_doubles(pair)

    assert double.to_pause is None


def test_what_is_linked_is_known_before_leaving_for_the_form(attempt: OnboardingSession) -> None:
    car = controlled(attempt)
    wallbox = controlled(attempt, device_type="wb")
    gone = controlled(attempt, missing_since=NOON)
    own = [car, wallbox, gone]

    assert linked_already(own, "ev") == [car]
    assert shares_cable_with(own, "ev") == [wallbox]
    assert shares_cable_with(own, "wb") == [car]
    assert shares_cable_with(own, "hp") == shares_cable_with(own, "") == []
