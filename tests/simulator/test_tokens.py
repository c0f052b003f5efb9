from __future__ import annotations

import requests

from tests.simulator.launch import SimulatorControl
from tests.simulator.partner import CLIENT, Partner


def test_token_is_opaque_and_lives_ten_hours(partner: Partner) -> None:
    reply = partner.token()

    assert reply.status_code == 200
    body = reply.json()
    assert len(body.pop("access_token")) == 30
    assert body == {"expires_in": 36000, "token_type": "Bearer", "scope": "read write"}


def test_wrong_secret_is_refused(partner: Partner) -> None:
    reply = partner.token(auth=(CLIENT[0], "guess"))

    assert (reply.status_code, reply.json()) == (401, {"error": "invalid_client"})


def test_form_body_is_not_seen_by_default(partner: Partner) -> None:
    reply = partner.token(data={"grant_type": "client_credentials"})

    assert (reply.status_code, reply.json()) == (400, {"error": "unsupported_grant_type"})


def test_form_only_mode_does_not_see_json(partner: Partner, control: SimulatorControl) -> None:
    control.settings(token_body="form")

    as_json = partner.token()
    as_form = partner.token(data={"grant_type": "client_credentials"})

    assert (as_json.status_code, as_json.json()) == (400, {"error": "unsupported_grant_type"})
    assert as_form.status_code == 200


def test_token_lifetime_can_be_set(partner: Partner, control: SimulatorControl) -> None:
    control.settings(token_seconds=0)

    reply = partner.token()

    assert reply.json()["expires_in"] == 0
    bearer = {"Authorization": f"Bearer {reply.json()['access_token']}"}
    assert requests.get(partner.users, headers=bearer, timeout=5).status_code == 401


def test_every_route_but_reporting_an_outcome_wants_a_bearer(partner: Partner) -> None:
    some_id = "5b1bd2c0-3f0e-4d8c-9e7e-0d5e4f6a7b8c"
    del partner.http.headers["Authorization"]

    for method, path in (
        ("GET", partner.users),
        ("POST", partner.users),
        ("GET", f"{partner.users}/by-ext-id/C-1"),
        ("POST", "device-onboarding"),
        ("GET", f"device-onboarding/{some_id}"),
        ("GET", partner.devices(some_id, "heat-pumps")),
        ("POST", f"cues/{some_id}/resolve"),
        ("POST", f"cues/{some_id}/information/resolve"),
    ):
        reply = partner.call(method, path)
        assert (reply.status_code, reply.json()) == (401, {"detail": "Unauthorized"}), path
    assert partner.call("POST", f"cues/{some_id}/state", {"state": "fail"}).status_code == 404


def test_expired_tokens_are_refused(partner: Partner, control: SimulatorControl) -> None:
    assert partner.call("GET", partner.users).status_code == 200

    control.expire_tokens()

    assert partner.call("GET", partner.users).status_code == 401


def test_unknown_path_and_method_answer_in_json(partner: Partner) -> None:
    unknown = partner.call("GET", "no-such-thing")
    wrong_method = partner.call("DELETE", "device-onboarding")

    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})
    assert (wrong_method.status_code, wrong_method.json()) == (
        405,
        {"detail": "Method not allowed"},
    )


def test_another_organisation_is_unknown(partner: Partner) -> None:
    other = "11111111-0000-4000-8000-000000000001"

    assert partner.call("GET", f"org/{other}/users").status_code == 404
    assert partner.call("GET", "org/not-a-uuid/users").status_code == 422
