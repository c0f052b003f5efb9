"""The exact request each method sends."""

from __future__ import annotations

import json
from typing import Any

import pytest
import responses

from onboarding import podero

from . import values
from .conftest import MakeClient

LANGUAGE_AND_ZONE = {"language": "de", "price_zone_default": "DE_LU"}
BODIES: dict[str, Any] = {
    "create_user": {
        "role": "user",
        "email": values.EMAIL,
        "external_user_id": values.EXTERNAL_ID,
    },
    "create_onboarding_session": {
        "user_id": str(values.USER_ID),
        **LANGUAGE_AND_ZONE,
        "is_smart_optimization_active_default": False,
        "success_url": values.SUCCESS_URL,
        "cancel_url": values.CANCEL_URL,
    },
    "update_device": {"is_smart_optimization_active": True},
    "reauthenticate_device": {
        "success_url": values.SUCCESS_URL,
        "cancel_url": values.CANCEL_URL,
    },
}
REPLIES: dict[str, Any] = {
    "find_user_by_external_id": values.USER_BODY,
    "list_users": [values.USER_BODY],
    "get_user": values.USER_BODY,
    "get_onboarding_session": values.SESSION_BODY,
    "list_devices_of_type": [values.DEVICE_BODY],
    "get_device": values.DEVICE_BODY,
    "find_device": values.DEVICE_BODY,
    "create_user": values.USER_BODY,
    "create_onboarding_session": values.SESSION_BODY,
    "update_device": values.DEVICE_BODY,
    "reauthenticate_device": values.RENEWAL_BODY,
    "get_savings": {"data": []},
    "delete_device": None,
    "delete_user": None,
    "start_boost": None,
    "stop_boost": None,
}


@pytest.mark.parametrize("endpoint", REPLIES)
def test_request_is_exactly_as_documented(
    endpoint: str, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    method, url, act = values.CALLS[endpoint]
    api.add(method, url, json=REPLIES[endpoint])

    act(client)

    (call,) = api.calls
    sent = dict(call.request.headers)
    assert (call.request.method, call.request.url) == (method, url)
    assert sent.pop("Authorization") == f"Bearer {values.TOKEN}"
    assert sent.pop("Accept") == "application/json"
    assert sent.pop("Accept-Encoding") == "gzip"
    assert sent.pop("User-Agent") == "podero-onboarding"
    assert sent.pop("Connection") == "keep-alive"
    if method in ("POST", "DELETE") and endpoint not in BODIES:
        assert sent.pop("Content-Length") == "0"
    if endpoint in BODIES:
        assert sent.pop("Content-Type") == "application/json"
        assert int(sent.pop("Content-Length")) == len(call.request.body or b"")
        assert json.loads(call.request.body or b"") == BODIES[endpoint]
    else:
        assert call.request.body is None
    assert sent == {}


def test_list_devices_asks_all_four_collections(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    collections = ["electric-vehicles", "heat-pumps", "inverters", "wallboxes"]
    for collection in collections:
        api.get(f"{values.USER}/{collection}", json=[])

    devices = client.list_devices(values.USER_ID)

    assert devices == []
    assert [call.request.url for call in api.calls] == [
        f"{values.USER}/{collection}" for collection in collections
    ]


def test_deleted_users_are_listed_on_request(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(f"{values.ORG}/users?include_deleted=true", json=[], match_querystring=None)

    assert client.list_users(include_deleted=True) == []


def test_netrc_does_not_replace_the_token(
    make_client: MakeClient,
    api: responses.RequestsMock,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.example login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    api.get(values.USER, json=values.USER_BODY)

    make_client().get_user(values.USER_ID)

    assert api.calls[0].request.headers["Authorization"] == f"Bearer {values.TOKEN}"


def test_cookies_are_not_kept(client: podero.PoderoClient, api: responses.RequestsMock) -> None:
    api.get(values.USER, json=values.USER_BODY, headers={"Set-Cookie": "sessionid=1; Path=/"})
    client.get_user(values.USER_ID)

    client.get_user(values.USER_ID)

    assert "Cookie" not in api.calls[1].request.headers


@pytest.mark.parametrize(
    "base_url", ["", "app.podero.com", "ftp://x", "https://", "https://a@b", "https://x/?a=b"]
)
def test_base_url_that_cannot_work_stops_the_start(make_client: MakeClient, base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        make_client(base_url)


def test_observer_is_told_each_exchange(
    make_client: MakeClient, api: responses.RequestsMock
) -> None:
    seen: list[tuple[str, str]] = []
    api.get(values.USER, status=503)
    api.get(values.USER, json=values.USER_BODY)
    client = make_client(on_call=lambda endpoint, outcome, _: seen.append((endpoint, outcome)))

    with pytest.raises(podero.Unavailable):
        client.get_user(values.USER_ID)
    client.get_user(values.USER_ID)

    assert seen == [("get_user", "server_error"), ("get_user", "ok")]
