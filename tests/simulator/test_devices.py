from __future__ import annotations

import pytest

from tests.simulator.launch import SimulatorControl
from tests.simulator.partner import Partner

COLLECTIONS = {
    "hp": "heat-pumps",
    "ev": "electric-vehicles",
    "iv": "inverters",
    "wb": "wallboxes",
}


def linked(partner: Partner, control: SimulatorControl, device_type: str) -> str:
    """Link a device and return its address."""
    user_id = partner.user_id()
    done = control.complete(partner.session_id(user_id), device_type=device_type)
    return f"{partner.devices(user_id, COLLECTIONS[device_type])}/{done.device_id}"


def device_id_of(address: str) -> str:
    return address.rsplit("/", 1)[1]


@pytest.mark.parametrize("device_type", list(COLLECTIONS))
def test_list_is_a_bare_array_without_actions(
    partner: Partner, control: SimulatorControl, device_type: str
) -> None:
    address = linked(partner, control, device_type)

    (listed,) = partner.call("GET", address.rsplit("/", 1)[0]).json()
    detail = partner.call("GET", address).json()

    assert "actions" not in listed
    assert detail.pop("actions") == []
    assert detail == listed
    assert detail["action_needed"] is False
    assert detail["device_model"]["device_type"]["short_name"]


def test_device_of_another_user_or_type_is_unknown(
    partner: Partner, control: SimulatorControl
) -> None:
    address = linked(partner, control, "ev")
    other = partner.user_id(email="b@example.com", external_user_id="C-2")
    device_id = device_id_of(address)

    elsewhere = f"{partner.devices(other, 'electric-vehicles')}/{device_id}"
    assert partner.call("GET", elsewhere).status_code == 404
    wrong_type = address.replace("electric-vehicles", "heat-pumps")
    assert partner.call("GET", wrong_type).status_code == 404
    assert partner.call("GET", address).status_code == 200


@pytest.mark.parametrize(
    ("device_type", "values"),
    [
        ("hp", {"is_smart_optimization_active": False, "optimization_level": "Max"}),
        ("hp", {"is_pause_power_active": True, "pause_power_until": "2030-01-01T00:00:00Z"}),
        ("ev", {"is_charge_policy_enabled": True, "charge_deadline_at": "06:30"}),
        ("ev", {"minimum_charge_limit": 40}),
        ("iv", {"is_battery_connected": False, "min_battery_charge": 20}),
        ("wb", {"minimum_charge_limit": 60, "charge_deadline_at": "2030-01-01T06:00:00Z"}),
    ],
)
def test_put_changes_what_was_sent_and_returns_the_device(
    partner: Partner, control: SimulatorControl, device_type: str, values: dict[str, object]
) -> None:
    address = linked(partner, control, device_type)

    reply = partner.call("PUT", address, values)

    assert reply.status_code == 200
    assert values.items() <= reply.json().items()
    assert values.items() <= partner.call("GET", address).json().items()


@pytest.mark.parametrize(
    ("device_type", "values"),
    [
        ("ev", {"battery_level": 100}),
        ("ev", {"minimum_charge_limit": 101}),
        ("ev", {"charge_deadline_at": "25:00"}),
        ("hp", {"optimization_level": "Turbo"}),
        ("hp", {"is_smart_optimization_active": "true"}),
        ("iv", {"name": "My inverter"}),
    ],
)
def test_put_refuses_what_is_not_writable(
    partner: Partner, control: SimulatorControl, device_type: str, values: dict[str, object]
) -> None:
    address = linked(partner, control, device_type)
    before = partner.call("GET", address).json()

    reply = partner.call("PUT", address, values)

    assert reply.status_code == 422
    assert partner.call("GET", address).json() == before
    assert control.state()["rejected"][0]["endpoint"] == "update_device"


@pytest.mark.parametrize("status", [200, 204])
def test_deleted_device_is_seen_only_when_asked_for(
    partner: Partner, control: SimulatorControl, status: int
) -> None:
    control.settings(device_delete_status=status)
    address = linked(partner, control, "hp")

    assert partner.call("DELETE", address).status_code == status

    assert partner.call("GET", address).status_code == 404
    collection = address.rsplit("/", 1)[0]
    assert partner.call("GET", collection).json() == []
    (gone,) = partner.call("GET", f"{collection}?include_deleted=true").json()
    assert gone["deleted_at"] is not None
    assert gone["is_smart_optimization_active"] is False


@pytest.mark.parametrize("status", [403, 404, 405, 409, 422])
def test_delete_may_not_exist_at_all(
    partner: Partner, control: SimulatorControl, status: int
) -> None:
    control.settings(device_delete_status=status)
    address = linked(partner, control, "hp")

    assert partner.call("DELETE", address).status_code == status
    assert partner.call("GET", address).status_code == 200


def test_deleting_the_user_takes_the_devices_along(
    partner: Partner, control: SimulatorControl
) -> None:
    address = linked(partner, control, "hp")

    partner.call("DELETE", address.rsplit("/", 2)[0])

    assert partner.call("GET", address).status_code == 404
    assert control.state()["devices"][0]["fields"]["deleted_at"] is not None


def test_empty_device_can_be_registered_and_waits_for_its_login(partner: Partner) -> None:
    address = partner.devices(partner.user_id(), "wallboxes")

    reply = partner.call("POST", address, {})

    assert reply.status_code == 200
    assert reply.json()["is_authenticated"] is False
    assert reply.json()["action_needed"] is True


def test_boost_unplugged_is_armed_and_runs_after_plugging_in(
    partner: Partner, control: SimulatorControl
) -> None:
    control.settings(boost_requested_seconds=0)
    address = linked(partner, control, "ev")

    assert [partner.call("POST", f"{address}/boost").status_code for _ in range(2)] == [204, 204]
    assert partner.call("GET", address).json()["boost_for_next_session"] is True
    control.set_device(device_id_of(address), is_plugged_in=True)

    car = partner.call("GET", address).json()
    assert (car["boost_state"], car["is_charging"]) == ("ongoing", True)
    assert car["boost_for_next_session"] is False


def test_armed_boost_can_be_disarmed(partner: Partner, control: SimulatorControl) -> None:
    address = linked(partner, control, "ev")
    partner.call("POST", f"{address}/boost")

    assert partner.call("DELETE", f"{address}/boost").status_code == 204
    assert partner.call("GET", address).json()["boost_for_next_session"] is False


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"is_plugged_in": True, "is_charging": True}, "already_charging"),
        ({"is_plugged_in": True, "is_fully_charged": True}, "fully_charged"),
        ({"boost_refusal": "no_active_session"}, "no_active_session"),
        ({"is_authenticated": False}, "internal_error"),
    ],
)
def test_boost_refusal_names_its_reason(
    partner: Partner, control: SimulatorControl, values: dict[str, object], reason: str
) -> None:
    address = linked(partner, control, "ev")
    device = control.set_device(device_id_of(address), **values)

    reply = partner.call("POST", f"{address}/boost")

    assert reply.status_code == 409
    assert reply.json() == {"state": device["boost_state"], "reason": reason}


def test_boost_of_a_wallbox_can_be_stopped_while_it_runs(
    partner: Partner, control: SimulatorControl
) -> None:
    control.settings(boost_requested_seconds=0)
    address = linked(partner, control, "wb")
    control.set_device(device_id_of(address), mode="PLUGGED_IN")

    assert partner.call("POST", f"{address}/boost").status_code == 204
    assert partner.call("GET", address).json()["mode"] == "CHARGING"
    assert partner.call("DELETE", f"{address}/boost").status_code == 204
    assert partner.call("GET", address).json()["mode"] == "PLUGGED_IN"


def test_heat_pump_has_no_boost(partner: Partner, control: SimulatorControl) -> None:
    address = linked(partner, control, "hp")

    assert partner.call("POST", f"{address}/boost").status_code == 404


@pytest.mark.parametrize("device_type", ["hp", "ev"])
def test_savings_cover_the_period_in_the_resolution_asked_for(
    partner: Partner, control: SimulatorControl, device_type: str
) -> None:
    address = linked(partner, control, device_type)
    query = "from=2026-01-15T00:00:00Z&to=2026-03-02T00:00:00Z"

    reply = partner.call("GET", f"{address}/savings?{query}")

    assert reply.status_code == 200
    body = reply.json()
    starts = [entry["period"]["start_period"][:10] for entry in body["data"]]
    assert starts == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert body["metadata"]["units"]["savings.total"] == "EUR"
    assert partner.call("GET", f"{address}/savings?{query}").json()["data"] == body["data"]
    weekly = partner.call("GET", f"{address}/savings?{query}&resolution=1WEEK").json()
    assert len(weekly["data"]) == 7


@pytest.mark.parametrize("query", ["", "from=x&to=y", "from=2026-01-02&to=2026-01-01"])
def test_savings_refuse_a_wrong_period(
    partner: Partner, control: SimulatorControl, query: str
) -> None:
    address = linked(partner, control, "hp")

    assert partner.call("GET", f"{address}/savings?{query}").status_code == 422


def test_statistics_of_heat_pumps_follow_their_keywords(
    partner: Partner, control: SimulatorControl
) -> None:
    address = linked(partner, control, "hp")

    reply = partner.call("GET", f"{address}/statistics?resolution=1DAY,1YEAR&keywords=savings")

    assert [entry["resolution"] for entry in reply.json()["data"]] == ["1DAY", "1YEAR"]
    assert all("consumption" not in entry for entry in reply.json()["data"])


def test_every_switch_of_optimization_is_remembered(
    partner: Partner, control: SimulatorControl
) -> None:
    address = linked(partner, control, "hp")
    began_on = partner.call("GET", address).json()["is_smart_optimization_active"]

    for is_on in (not began_on, not began_on, began_on):
        partner.call("PUT", address, {"is_smart_optimization_active": is_on})

    switches = control.state()["devices"][0]["switches"]
    assert [is_on for _at, is_on in switches] == [began_on, not began_on, began_on]
