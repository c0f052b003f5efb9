from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
import responses

from onboarding import podero

from . import values

EV = podero.DeviceType.EV
ABOUT_DEVICE_TYPE: list[Any] = [
    {"detail": [{"loc": ["body", "payload", "device_type"], "type": "extra_forbidden"}]},
    {"detail": "Extra fields not permitted: device_type"},
]


def sent_bodies(api: responses.RequestsMock) -> list[dict[str, Any]]:
    return [json.loads(call.request.body or b"") for call in api.calls]


@pytest.mark.parametrize("status", [200, 201])
def test_both_success_statuses_mean_created(
    status: int, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.post(values.SESSIONS, status=status, json=values.SESSION_BODY)

    session = values.create_session(client)

    assert session == podero.HostedSession(
        id=values.SESSION_ID,
        authentication_url=values.ADDRESS,
        user_id=values.USER_ID,
        expiration_date=date(2026, 3, 2),
    )


def test_chosen_device_type_is_sent(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.post(values.SESSIONS, json=values.SESSION_BODY)

    values.create_session(client, device_type=EV)

    (body,) = sent_bodies(api)
    assert body["device_type"] == "ev"


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("problem", ABOUT_DEVICE_TYPE)
def test_refused_device_type_is_left_out_once(
    status: int, problem: Any, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.post(values.SESSIONS, status=status, json=problem)
    api.post(values.SESSIONS, json=values.SESSION_BODY)

    session = values.create_session(client, device_type=EV)

    first, second = sent_bodies(api)
    assert first.pop("device_type") == "ev"
    assert first == second
    assert isinstance(session, podero.HostedSession)


def test_refusal_without_device_type_is_final(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.post(values.SESSIONS, status=422, json=ABOUT_DEVICE_TYPE[0])

    with pytest.raises(podero.Refused) as caught:
        values.create_session(client, device_type=EV)

    assert caught.value.fields == ("device_type",)
    assert len(api.calls) == 2


def test_refusal_of_another_field_is_not_repeated(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    problem = {"detail": [{"loc": ["body", "payload", "language"]}]}
    api.post(values.SESSIONS, status=422, json=problem)

    with pytest.raises(podero.Refused) as caught:
        values.create_session(client, device_type=EV)

    assert caught.value.fields == ("language",)
    assert len(api.calls) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"user": str(values.OTHER_ID)}, "user"),
        ({"id": None}, "id"),
        ({"authentication_url": None}, "authentication_url"),
        ({"authentication_url": ""}, "authentication_url"),
        ({"authentication_url": "https://evil.example/"}, "authentication_url"),
        ({"authentication_url": "http://connect.podero.com/"}, "authentication_url"),
    ],
)
def test_session_that_must_not_be_used_is_unexpected(
    change: dict[str, object],
    field: str,
    client: podero.PoderoClient,
    api: responses.RequestsMock,
) -> None:
    api.post(values.SESSIONS, json={**values.SESSION_BODY, **change})

    with pytest.raises(podero.UnexpectedReply) as caught:
        values.create_session(client)

    assert caught.value.field == field
    assert caught.value.is_outcome_unknown


@pytest.mark.parametrize("address", [None, 5, "https://evil.example/"])
def test_session_is_readable_without_a_usable_address(
    address: object, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    body = {**values.SESSION_BODY, "authentication_url": address, "object_id": "x"}
    api.get(f"{values.SESSIONS}/{values.SESSION_ID}", json=body)

    session = client.get_onboarding_session(values.SESSION_ID)

    assert (session.authentication_url, session.object_id) == (None, "x")


def test_another_session_than_asked_for_is_unexpected(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(f"{values.SESSIONS}/{values.OTHER_ID}", json=values.SESSION_BODY)

    with pytest.raises(podero.UnexpectedReply) as caught:
        client.get_onboarding_session(values.OTHER_ID)

    assert caught.value.field == "id"
