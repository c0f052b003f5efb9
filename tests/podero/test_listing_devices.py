"""The list of a user's devices is joined from four collections, not all of them documented."""

from __future__ import annotations

import pytest
import responses

from onboarding import podero
from onboarding.podero import DeviceType

from . import values

COLLECTIONS = {kind: f"{values.USER}/{kind.collection}" for kind in DeviceType}
FOREIGN = {
    **values.DEVICE_BODY,
    "id": str(values.SESSION_ID),
    "owner": {"id": str(values.OTHER_ID)},
}
OWNERLESS = {
    **{name: value for name, value in values.DEVICE_BODY.items() if name != "owner"},
    "id": str(values.OTHER_ID),
}
REFUSALS = [
    (403, podero.Forbidden),
    (404, podero.NotFound),
    (405, podero.Refused),
    (410, podero.Refused),
    (422, podero.Refused),
]


def test_device_of_another_user_is_left_out(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(COLLECTIONS[DeviceType.EV], json=[FOREIGN, values.DEVICE_BODY])
    for kind in (DeviceType.HP, DeviceType.IV, DeviceType.WB):
        api.get(COLLECTIONS[kind], json=[FOREIGN])

    devices = client.list_devices(values.USER_ID)

    assert [(device.id, device.owner_id) for device in devices] == [
        (values.DEVICE_ID, values.USER_ID)
    ]


def test_device_without_an_owner_is_the_users(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(COLLECTIONS[DeviceType.EV], json=[OWNERLESS])
    for kind in (DeviceType.HP, DeviceType.IV, DeviceType.WB):
        api.get(COLLECTIONS[kind], json=[])

    devices = client.list_devices(values.USER_ID)

    assert [(device.id, device.owner_id) for device in devices] == [(values.OTHER_ID, None)]


@pytest.mark.parametrize("refused", DeviceType)
@pytest.mark.parametrize("status", [status for status, _error in REFUSALS])
def test_collection_that_is_refused_counts_as_empty(
    status: int, refused: DeviceType, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    answering = next(kind for kind in DeviceType if kind != refused)
    for kind, url in COLLECTIONS.items():
        if kind == refused:
            api.get(url, status=status)
        else:
            api.get(url, json=[values.DEVICE_BODY] if kind == answering else [])

    devices = client.list_devices(values.USER_ID)

    assert [(device.id, device.device_type) for device in devices] == [
        (values.DEVICE_ID, answering)
    ]
    assert len(api.calls) == len(COLLECTIONS) + 1


@pytest.mark.parametrize("refused", DeviceType)
@pytest.mark.parametrize("status", [status for status, _error in REFUSALS])
def test_collection_that_is_refused_once_is_not_taken_for_empty(
    status: int, refused: DeviceType, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    for kind, url in COLLECTIONS.items():
        if kind == refused:
            api.get(url, status=status)
        api.get(url, json=[values.DEVICE_BODY] if kind == refused else [])

    devices = client.list_devices(values.USER_ID)

    assert [(device.id, device.device_type) for device in devices] == [(values.DEVICE_ID, refused)]


@pytest.mark.parametrize("status", [status for status, _error in REFUSALS])
def test_one_answer_is_enough_even_if_it_is_empty(
    status: int, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    for kind, url in COLLECTIONS.items():
        if kind == DeviceType.WB:
            api.get(url, json=[])
        else:
            api.get(url, status=status)

    assert client.list_devices(values.USER_ID) == []


@pytest.mark.parametrize(("status", "error_class"), REFUSALS)
def test_refusal_of_all_collections_is_raised(
    status: int,
    error_class: type[podero.PoderoError],
    client: podero.PoderoClient,
    api: responses.RequestsMock,
) -> None:
    for url in COLLECTIONS.values():
        api.get(url, status=status)

    with pytest.raises(error_class) as caught:
        client.list_devices(values.USER_ID)

    error = caught.value
    assert type(error) is error_class
    assert (error.endpoint, error.status) == ("list_devices", status)
    assert not error.is_retryable
    assert len(api.calls) == len(COLLECTIONS)


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (401, podero.Unauthorized),
        (429, podero.Unavailable),
        *((status, podero.Unavailable) for status in (500, 502, 503, 504)),
    ],
)
@pytest.mark.parametrize("failing", DeviceType)
def test_failure_of_one_collection_is_raised(
    status: int,
    error_class: type[podero.PoderoError],
    failing: DeviceType,
    client: podero.PoderoClient,
    api: responses.RequestsMock,
) -> None:
    asked = list(DeviceType)[: list(DeviceType).index(failing)]
    for kind in asked:
        api.get(COLLECTIONS[kind], json=[values.DEVICE_BODY])
    api.get(COLLECTIONS[failing], status=status)

    with pytest.raises(error_class) as caught:
        client.list_devices(values.USER_ID)

    assert (caught.value.endpoint, caught.value.status) == ("list_devices", status)
    assert len(api.calls) == len(asked) + 1
