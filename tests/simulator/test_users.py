from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.simulator.launch import SimulatorControl
from tests.simulator.partner import ORG_ID, Partner


def test_created_user_is_returned_with_200(partner: Partner) -> None:
    reply = partner.create_user(first_name="Anna", zip_code=11011, country_iso2="DE")

    assert reply.status_code == 200
    body = reply.json()
    assert body["organization_id"] == ORG_ID
    assert body["email"] == "anna@example.com"
    assert body["external_user_id"] == "C-1"
    assert body["role"] == "user"
    assert body["zip_code"] == "11011"
    assert body["country"] == "DE"
    assert body["num_heat_pumps"] == 0
    assert body["is_onboarded"] is False


def test_create_status_can_be_201(partner: Partner, control: SimulatorControl) -> None:
    control.settings(create_status=201)

    assert partner.create_user().status_code == 201


@pytest.mark.parametrize("status", [400, 409, 422])
def test_taken_email_is_refused_whatever_its_case(
    partner: Partner, control: SimulatorControl, status: int
) -> None:
    control.settings(duplicate_status=status)
    partner.create_user()

    reply = partner.create_user(email="ANNA@example.com", external_user_id="C-2")

    assert reply.status_code == status
    assert isinstance(reply.json()["detail"], list if status == 422 else str)
    assert len(control.state()["users"]) == 1


def test_taken_external_id_is_refused(partner: Partner) -> None:
    partner.create_user()

    assert partner.create_user(email="other@example.com").status_code == 409


def test_two_clients_at_once_make_one_user(partner: Partner, control: SimulatorControl) -> None:
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: partner.create_user().status_code, range(32)))

    assert sorted(replies) == [200] + [409] * 31
    assert len(control.state()["users"]) == 1


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"email": "nonsense"}, "value_error"),
        ({"role": "guest"}, "enum"),
        ({"role": None}, "enum"),
        ({"external_user_id": 5}, "string_type"),
        ({"mail": "a@example.com"}, "extra_forbidden"),
    ],
)
def test_wrong_fields_are_refused_and_counted(
    partner: Partner, control: SimulatorControl, values: dict[str, object], problem: str
) -> None:
    reply = partner.create_user(**values)

    assert reply.status_code == 422
    (error,) = reply.json()["detail"]
    assert error["type"] == problem
    assert error["loc"] == ["body", "payload", next(iter(values))]
    state = control.state()
    assert state["counters"]["rejected"] == 1
    assert state["rejected"][0]["endpoint"] == "create_user"
    assert state["users"] == []


def test_missing_fields_are_named(partner: Partner) -> None:
    reply = partner.call("POST", partner.users, {})

    assert reply.status_code == 422
    assert {error["loc"][-1] for error in reply.json()["detail"]} == {"role", "email"}


def test_unparsable_json_is_a_400(partner: Partner) -> None:
    reply = partner.http.post(partner.users, data="{not json", timeout=5)

    assert reply.status_code == 400
    assert isinstance(reply.json()["detail"], str)


def test_user_is_found_by_external_id_even_with_a_slash(partner: Partner) -> None:
    user_id = partner.user_id(external_user_id="Kd 5/ü")

    reply = partner.call("GET", f"{partner.users}/by-ext-id/Kd%205%2F%C3%BC")

    assert reply.json()["id"] == user_id
    assert partner.call("GET", f"{partner.users}/by-ext-id/other").status_code == 404


def test_put_changes_only_what_was_sent(partner: Partner) -> None:
    user_id = partner.user_id(first_name="Anna")

    reply = partner.call("PUT", f"{partner.users}/{user_id}", {"external_user_id": "C-9"})

    assert reply.status_code == 200
    body = partner.call("GET", f"{partner.users}/{user_id}").json()
    assert (body["external_user_id"], body["first_name"]) == ("C-9", "Anna")
    assert partner.call("GET", f"{partner.users}/by-ext-id/C-1").status_code == 404
    assert partner.call("GET", f"{partner.users}/by-ext-id/C-9").status_code == 200


def test_put_cannot_take_anothers_email(partner: Partner) -> None:
    partner.create_user()
    other = partner.user_id(email="b@example.com", external_user_id="C-2")

    taken = partner.call("PUT", f"{partner.users}/{other}", {"email": "anna@example.com"})
    own = partner.call("PUT", f"{partner.users}/{other}", {"email": "B@example.com"})

    assert taken.status_code == 409
    assert own.status_code == 200


def test_deleted_user_is_seen_only_when_asked_for(partner: Partner) -> None:
    user_id = partner.user_id()

    assert partner.call("DELETE", f"{partner.users}/{user_id}").status_code == 204

    assert partner.call("GET", f"{partner.users}/{user_id}").status_code == 404
    assert partner.call("GET", partner.users).json() == []
    assert partner.call("GET", f"{partner.users}/by-ext-id/C-1").status_code == 404
    everyone = partner.call("GET", f"{partner.users}?include_deleted=true").json()
    assert [user["id"] for user in everyone] == [user_id]
    found = partner.call("GET", f"{partner.users}/by-ext-id/C-1?include_deleted=true")
    assert found.json()["id"] == user_id
    assert partner.call("DELETE", f"{partner.users}/{user_id}").status_code == 404


def test_deleted_user_blocks_reuse_only_by_switch(
    partner: Partner, control: SimulatorControl
) -> None:
    partner.call("DELETE", f"{partner.users}/{partner.user_id()}")
    control.settings(deleted_users_block_reuse=True)

    assert partner.create_user().status_code == 409
    control.settings(deleted_users_block_reuse=False)
    assert partner.create_user().status_code == 200


def test_user_delete_status_can_be_200(partner: Partner, control: SimulatorControl) -> None:
    control.settings(user_delete_status=200)

    reply = partner.call("DELETE", f"{partner.users}/{partner.user_id()}")

    assert reply.status_code == 200


@pytest.mark.parametrize("status", [403, 404, 405, 409, 422])
def test_user_delete_may_be_refused(
    partner: Partner, control: SimulatorControl, status: int
) -> None:
    control.settings(user_delete_status=status)
    address = f"{partner.users}/{partner.user_id()}"

    assert partner.call("DELETE", address).status_code == status
    assert partner.call("GET", address).status_code == 200


def test_customer_number_may_be_taken_twice_where_podero_would_allow_it(
    partner: Partner, control: SimulatorControl
) -> None:
    control.settings(duplicates_allowed=True)
    partner.create_user()

    assert partner.create_user().status_code == 200
    assert [user["external_user_id"] for user in control.state()["users"]] == ["C-1", "C-1"]
