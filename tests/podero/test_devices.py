from __future__ import annotations

from typing import Any

import pytest
import responses

from onboarding import podero
from onboarding.podero import DeviceType

from . import values

URLS = {kind: f"{values.USER}/{kind.collection}/{values.DEVICE_ID}" for kind in podero.DeviceType}
DELETED = {**values.DEVICE_BODY, "deleted_at": "2026-03-01T12:00:00Z"}
FOREIGN = {**values.DEVICE_BODY, "owner": {"id": str(values.OTHER_ID)}}


def collection(kind: DeviceType) -> str:
    return f"{values.USER}/{kind.collection}"


def test_list_joins_the_collections_and_leaves_out_the_deleted(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    pump = {**values.DEVICE_BODY, "id": str(values.OTHER_ID)}
    api.get(collection(DeviceType.EV), json=[values.DEVICE_BODY])
    api.get(collection(DeviceType.HP), json=[pump, DELETED])
    api.get(collection(DeviceType.IV), json=[])
    api.get(collection(DeviceType.WB), status=404)

    devices = client.list_devices(values.USER_ID)

    assert [(device.id, device.device_type) for device in devices] == [
        (values.DEVICE_ID, DeviceType.EV),
        (values.OTHER_ID, DeviceType.HP),
    ]


def test_user_without_any_collection_is_not_found(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    for kind in DeviceType:
        api.get(collection(kind), status=404)

    with pytest.raises(podero.NotFound) as caught:
        client.list_devices(values.USER_ID)

    assert caught.value.endpoint == "list_devices"


def test_list_is_not_shortened_by_a_failing_collection(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(collection(DeviceType.EV), json=[values.DEVICE_BODY])
    api.get(collection(DeviceType.HP), status=503)

    with pytest.raises(podero.Unavailable):
        client.list_devices(values.USER_ID)


def test_missing_collection_of_one_type_is_not_found(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(collection(DeviceType.WB), status=404)

    with pytest.raises(podero.NotFound):
        client.list_devices_of_type(values.USER_ID, DeviceType.WB)


def test_deleted_device_can_be_read(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(values.EV, json=DELETED)

    device = client.get_device(values.USER_ID, DeviceType.EV, values.DEVICE_ID)

    assert device.is_deleted


def test_another_device_than_asked_for_is_unexpected(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(values.EV, json={**values.DEVICE_BODY, "id": str(values.OTHER_ID)})

    with pytest.raises(podero.UnexpectedReply) as caught:
        client.find_device(values.USER_ID, values.DEVICE_ID)

    assert caught.value.field == "id"


@pytest.mark.parametrize("kind", DeviceType)
def test_device_of_the_chosen_type_is_found_at_once(
    kind: DeviceType, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(URLS[kind], json=values.DEVICE_BODY)

    device = client.find_device(values.USER_ID, values.DEVICE_ID, device_type=kind)

    assert device is not None
    assert (device.id, device.device_type) == (values.DEVICE_ID, kind)
    assert len(api.calls) == 1


def test_device_of_another_type_than_chosen_is_found_too(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    order = [DeviceType.WB, DeviceType.EV, DeviceType.HP, DeviceType.IV]
    for kind in order[:3]:
        api.get(URLS[kind], status=404)
    api.get(URLS[DeviceType.IV], json=values.DEVICE_BODY)

    device = client.find_device(values.USER_ID, values.DEVICE_ID, device_type=DeviceType.WB)

    assert device is not None
    assert device.device_type == DeviceType.IV
    assert [call.request.url for call in api.calls] == [URLS[kind] for kind in order]


@pytest.mark.parametrize("status", [400, 403, 405, 422])
def test_device_is_found_whatever_the_other_collections_say_to_its_id(
    status: int, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    for kind in DeviceType:
        is_there = kind == DeviceType.WB
        api.get(URLS[kind], json=values.DEVICE_BODY, status=200 if is_there else status)

    found = client.find_device(values.USER_ID, values.DEVICE_ID)

    assert found is not None
    assert found.device_type == DeviceType.WB


def test_device_that_was_deleted_is_not_looked_for_elsewhere(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(URLS[DeviceType.EV], json=DELETED)

    assert client.find_device(values.USER_ID, values.DEVICE_ID) is None
    assert len(api.calls) == 1


@pytest.mark.parametrize(
    ("body", "is_found"),
    [(values.DEVICE_BODY, True), (DELETED, False), (FOREIGN, False), (None, False)],
)
def test_device_whose_type_is_known_is_asked_for_there_only(
    body: Any, is_found: bool, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(URLS[DeviceType.WB], json=body, status=200 if body else 404)

    found = client.find_device_of_type(values.USER_ID, DeviceType.WB, values.DEVICE_ID)

    assert (found is not None) == is_found


@pytest.mark.parametrize(
    ("status", "error"), [(403, podero.Forbidden), (405, podero.Refused), (422, podero.Refused)]
)
def test_search_that_was_refused_has_not_found_that_there_is_none(
    status: int,
    error: type[podero.PoderoError],
    client: podero.PoderoClient,
    api: responses.RequestsMock,
) -> None:
    for kind in DeviceType:
        api.get(URLS[kind], status=status if kind == DeviceType.EV else 404)

    with pytest.raises(error):
        client.find_device(values.USER_ID, values.DEVICE_ID)


@pytest.mark.parametrize("body", [None, DELETED, FOREIGN])
def test_device_that_is_nowhere_deleted_or_anothers_is_not_found(
    body: Any, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    for kind in DeviceType:
        is_last = body is not None and kind == DeviceType.WB
        api.get(URLS[kind], json=body, status=200 if is_last else 404)

    assert client.find_device(values.USER_ID, values.DEVICE_ID) is None


def test_search_ends_with_the_first_failure(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(URLS[DeviceType.EV], status=500)

    with pytest.raises(podero.Unavailable):
        client.find_device(values.USER_ID, values.DEVICE_ID)


def test_update_believes_a_reply_that_carries_the_device(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.put(values.EV, json={**values.DEVICE_BODY, "is_smart_optimization_active": True})

    device = values.update(client)

    assert isinstance(device, podero.Device)
    assert device.is_smart_optimization_active is True
    assert len(api.calls) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (204, b""),
        (200, b""),
        (200, b"{}"),
        (200, b"ok"),
        (200, f'{{"id": "{values.DEVICE_ID}"}}'.encode()),
    ],
)
def test_update_reads_back_what_the_reply_does_not_tell(
    status: int, body: bytes, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.put(values.EV, status=status, body=body)
    api.get(values.EV, json={**values.DEVICE_BODY, "is_smart_optimization_active": True})

    device = values.update(client)

    assert isinstance(device, podero.Device)
    assert device.is_smart_optimization_active is True


def test_update_that_cannot_be_read_back_has_an_unknown_outcome(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.put(values.EV, status=204)
    api.get(values.EV, status=503)

    with pytest.raises(podero.Unavailable) as caught:
        values.update(client)

    assert caught.value.endpoint == "update_device"
    assert caught.value.is_outcome_unknown


def test_update_answered_with_another_device_is_unexpected(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.put(values.EV, json={**values.DEVICE_BODY, "id": str(values.OTHER_ID)})

    with pytest.raises(podero.UnexpectedReply):
        values.update(client)


@pytest.mark.parametrize(
    ("change", "address"),
    [({}, values.ADDRESS), ({"authentication_url": None, "device_id": None}, None)],
)
def test_reauthentication_may_have_no_address(
    change: dict[str, Any],
    address: str | None,
    client: podero.PoderoClient,
    api: responses.RequestsMock,
) -> None:
    api.post(f"{values.EV}/auth_session", json={**values.RENEWAL_BODY, **change})

    renewal = values.reauthenticate(client)

    assert isinstance(renewal, podero.Reauthentication)
    assert renewal.authentication_url == address


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"authentication_url": "https://evil.example/"}, "authentication_url"),
        ({"device_id": str(values.OTHER_ID)}, "device_id"),
    ],
)
def test_reauthentication_that_must_not_be_used_is_unexpected(
    change: dict[str, Any],
    field: str,
    client: podero.PoderoClient,
    api: responses.RequestsMock,
) -> None:
    api.post(f"{values.EV}/auth_session", json={**values.RENEWAL_BODY, **change})

    with pytest.raises(podero.UnexpectedReply) as caught:
        values.reauthenticate(client)

    assert caught.value.field == field
