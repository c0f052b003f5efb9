from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboarding import podero
from onboarding.podero import parsing
from onboarding.podero.exchange import Reply
from onboarding.podero.parsing import NotUnderstood
from onboarding.podero.reading import refused_fields

from . import values
from .values import unhurried

EV = podero.DeviceType.EV


def device(**fields: object) -> podero.Device:
    return parsing.device_from({**values.DEVICE_BODY, **fields}, EV)


def test_user_in_full() -> None:
    assert parsing.user_from(values.USER_BODY) == podero.User(
        id=values.USER_ID, email=values.EMAIL, external_user_id=values.EXTERNAL_ID, role="user"
    )


def test_user_needs_only_an_id() -> None:
    user = parsing.user_from({"id": str(values.USER_ID), "email": None, "role": 7})

    assert user == podero.User(id=values.USER_ID)


def test_session_in_full() -> None:
    body = {**values.SESSION_BODY, "device_type": "hp", "object_id": "abc"}

    assert parsing.hosted_session_from(body) == podero.HostedSession(
        id=values.SESSION_ID,
        authentication_url=values.ADDRESS,
        user_id=values.USER_ID,
        expiration_date=date(2026, 3, 2),
        object_id="abc",
        device_type=podero.DeviceType.HP,
    )


def test_session_tolerates_the_other_owner_name_and_unknown_types() -> None:
    body = {
        "id": str(values.SESSION_ID),
        "user_id": str(values.USER_ID),
        "device_type": "boat",
        "expiration_date": "2026-13-45",
    }

    assert parsing.hosted_session_from(body) == podero.HostedSession(
        id=values.SESSION_ID, user_id=values.USER_ID
    )


def test_device_in_full() -> None:
    body = {
        **values.DEVICE_BODY,
        "monitoring_status": "warning",
        "steering_status": "error",
        "lifecycle_state": "authenticated",
        "lifecycle_error": "none",
        "action_needed": True,
        "current_mode": "charging",
        "boost_state": "available",
        "is_plugged_in": True,
        "is_charging": False,
        "is_fully_charged": False,
        "battery_level": 55,
        "current_state_last_updated_at": "2026-03-01T12:00:00.5Z",
        "created_at": "2026-02-01T10:00:00+02:00",
        "deleted_at": None,
        "actions": [
            {
                "code": "reauthenticate",
                "resolution_link": {
                    "url": "https://api.example/cues/1/resolve?secret=s",
                    "required_parameters": ["successUrl", "cancelUrl"],
                },
            },
            {"code": "information"},
            {"no": "code"},
            "nonsense",
        ],
    }

    assert parsing.device_from(body, EV) == podero.Device(
        id=values.DEVICE_ID,
        device_type=EV,
        owner_id=values.USER_ID,
        owner_external_id=values.EXTERNAL_ID,
        manufacturer="Tesla",
        model="Model 3",
        is_authenticated=True,
        is_smart_optimization_active=False,
        connection_status="ok",
        monitoring_status="warning",
        steering_status="error",
        lifecycle_state="authenticated",
        lifecycle_error="none",
        is_action_needed=True,
        current_mode="charging",
        boost_state="available",
        is_plugged_in=True,
        is_charging=False,
        is_fully_charged=False,
        battery_level=55,
        state_updated_at=datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC),
        created_at=datetime(2026, 2, 1, 8, 0, tzinfo=UTC),
        is_deleted=False,
        actions=(
            podero.Action(
                code="reauthenticate",
                url="https://api.example/cues/1/resolve?secret=s",
                required_parameters=("successUrl", "cancelUrl"),
            ),
            podero.Action(code="information"),
        ),
    )


def test_device_needs_only_an_id() -> None:
    body = {"id": str(values.DEVICE_ID), "owner": 3, "device_model": [], "actions": {}}

    assert parsing.device_from(body, EV) == podero.Device(id=values.DEVICE_ID, device_type=EV)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Te\x00sl\u202ea\x1b[0m", "Tesla[0m"),
        (" Nibe \n  S-Series\t", "Nibe S-Series"),
        ("\ud800x", "x"),
        ("x" * 300, "x" * 255),
        ("Škoda", "Škoda"),
        (None, ""),
        (5, ""),
    ],
)
def test_manufacturer_is_fit_for_people(sent: object, shown: str) -> None:
    assert device(device_model={"manufacturer": sent}).manufacturer == shown


@pytest.mark.parametrize(
    ("sent", "level"),
    [
        (0, 0),
        (100, 100),
        (55.4, 55),
        (-1, None),
        (101, None),
        (True, None),
        ("55", None),
        (None, None),
        (float("inf"), None),
        pytest.param(10**400, None, id="huge"),
    ],
)
def test_battery_level_is_a_percentage_or_unknown(sent: object, level: int | None) -> None:
    assert device(battery_level=sent).battery_level == level


def test_inverter_tells_its_battery_level_by_another_name() -> None:
    assert device(battery_charge_level_percent=80).battery_level == 80


@pytest.mark.parametrize(
    ("sent", "is_deleted"),
    [
        (None, False),
        ("", False),
        ("0001-01-01T00:00:00Z", False),
        ("2026-03-01T12:00:00Z", True),
        ("some day", True),
    ],
)
def test_set_deletion_time_means_deleted(sent: object, is_deleted: bool) -> None:
    assert device(deleted_at=sent).is_deleted is is_deleted


@pytest.mark.parametrize(
    "sent", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "x"]
)
def test_unset_or_impossible_time_is_none(sent: str) -> None:
    assert device(created_at=sent).created_at is None


def test_time_without_zone_is_utc() -> None:
    moment = device(created_at="2026-03-01T12:00:00").created_at

    assert moment == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "sent",
    [None, 7, "", "x", str(values.USER_ID)[:-1], f"{{{values.USER_ID}}}", values.USER_ID.hex],
)
def test_id_in_any_other_form_is_named_as_the_problem(sent: object) -> None:
    with pytest.raises(NotUnderstood) as caught:
        parsing.user_from({"id": sent})

    assert caught.value.field == "id"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (None, ()),
        ({"detail": "email taken"}, ()),
        ({"detail": [{"loc": ["body", "payload", "email"], "msg": "m"}]}, ("email",)),
        ({"detail": [{"loc": ["body", "tags", 3]}]}, ("tags",)),
        ({"detail": [{"loc": ["a"]}, {"loc": ["b"]}, {"loc": ["a"]}]}, ("a", "b")),
        ({"detail": [{"loc": "email"}, {"loc": [1]}, {}, 5, None]}, ()),
        ({"detail": [{"loc": ["jane@customer.example"]}]}, ()),
        ({"detail": [{"loc": [f"f{n}"]} for n in range(50)]}, tuple(f"f{n}" for n in range(20))),
    ],
)
def test_refused_fields_are_the_last_names_of_the_locations(
    body: object, fields: tuple[str, ...]
) -> None:
    assert refused_fields(body) == fields


OTHER_KEYS = (
    "actions code resolution_link url required_parameters detail loc battery_level deleted_at "
    "created_at manufacturer user_id device_type"
)
KEYS = st.sampled_from(
    [
        *values.USER_BODY,
        *values.SESSION_BODY,
        *values.DEVICE_BODY,
        *values.RENEWAL_BODY,
        *OTHER_KEYS.split(),
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([str(values.USER_ID), "2026-03-01", "2026-03-01T12:00:00Z", "ev", "\ud800"])
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS | st.text(), inner), max_leaves=30
)
PARSERS: list[Callable[[object], Any]] = [
    parsing.user_from,
    parsing.users_from,
    parsing.hosted_session_from,
    lambda body: parsing.device_from(body, EV),
    lambda body: parsing.devices_from(body, EV),
    parsing.reauthentication_from,
]


@pytest.mark.parametrize("parse", PARSERS)
@unhurried
@given(body=JSON, has_id=st.booleans())
def test_any_json_is_a_result_or_not_understood(
    parse: Callable[[object], Any], body: object, has_id: bool
) -> None:
    if has_id and isinstance(body, dict):
        body = {**body, "id": str(values.USER_ID)}

    try:
        result = parse(body)
    except NotUnderstood:
        return

    assert result is not None
    refused_fields(body)


@unhurried
@given(body=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_content_or_none(body: bytes) -> None:
    reply = Reply(endpoint="get_user", is_write=False, status=422, body=body)

    reply.content()

    assert isinstance(reply.refusal(), podero.Refused)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"\xff\xfe\x00", b"[" * 500_000, b"9" * 5000, b"NaN", b'{"id": Infinity}'],
)
def test_what_is_not_json_has_no_content(body: bytes) -> None:
    reply = Reply(endpoint="get_user", is_write=False, status=200, body=body)

    assert reply.content() is None
