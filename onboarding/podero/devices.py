"""Devices of a user. Source: api-reference/user-electric-vehicles and its three siblings."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from onboarding.podero.calls import Calls, read
from onboarding.podero.device_types import DeviceType
from onboarding.podero.errors import Forbidden, NotFound, Refused
from onboarding.podero.exchange import Reply
from onboarding.podero.parsing import device_from, devices_from, reauthentication_from
from onboarding.podero.reading import fields_of
from onboarding.podero.replies import Device, Reauthentication


class DeviceCalls:
    """The part of the client that deals with devices."""

    _calls: Calls

    def list_devices(self, user_id: UUID, *, is_last_word: bool = False) -> list[Device]:
        """Return all devices of a user that are not deleted, from all four collections.

        A call for each, and another for each that Podero refuses to list: one refusal may be a
        mistake. A collection that it refuses again counts as empty, because not all of them are
        documented; raises the refusal when none has answered, or when there is no device and the
        caller takes that for the `is_last_word`. What is named as another user's is left out.
        """
        found, refusals = self._listed_in(user_id, DeviceType)
        is_any_answered = len(refusals) < len(DeviceType)
        if is_any_answered:
            missed, refusals = self._listed_in(user_id, refusals)
            found += missed
        if refusals and (not is_any_answered or (is_last_word and not found)):
            raise refusals.popitem()[1]
        return [device for device in found if device.is_of(user_id)]

    def list_devices_of_type(self, user_id: UUID, device_type: DeviceType) -> list[Device]:
        """Return the devices of one type that are not deleted. Raises NotFound."""
        return self._listed("list_devices_of_type", user_id, device_type)

    def get_device(self, user_id: UUID, device_type: DeviceType, device_id: UUID) -> Device:
        """Return one device with its actions, deleted or not. Raises NotFound."""
        return self._detail("get_device", user_id, device_type, device_id)

    def find_device(
        self, user_id: UUID, device_id: UUID, *, device_type: DeviceType | None = None
    ) -> Device | None:
        """Return the user's device with this id; None when it is nowhere, deleted, or another's.

        The likely type is asked first: there is no common collection and a device id comes
        back from the hosted form without its type. What a collection says to an id that is not
        its own is not documented: raises its refusal only where no other has the device.
        """
        likely = [device_type] if device_type is not None else []
        refusal: Forbidden | Refused | None = None
        for candidate in [*likely, *(kind for kind in DeviceType if kind != device_type)]:
            try:
                device = self._detail("find_device", user_id, candidate, device_id)
            except NotFound:
                continue
            except (Forbidden, Refused) as error:
                refusal = error
                continue
            return _if_theirs(device, user_id)
        if refusal is not None:
            raise refusal
        return None

    def find_device_of_type(
        self, user_id: UUID, device_type: DeviceType, device_id: UUID
    ) -> Device | None:
        """Return the user's device with this id, whose type is known; None as `find_device` does."""
        try:
            device = self._detail("find_device", user_id, device_type, device_id)
        except NotFound:
            return None
        return _if_theirs(device, user_id)

    def update_device(
        self,
        user_id: UUID,
        device_type: DeviceType,
        device_id: UUID,
        *,
        is_smart_optimization_active: bool,
    ) -> Device:
        """Switch smart optimization (a partial PUT) and return the device as it is afterwards.

        What the reply does not tell is read back. Raises NotFound.
        """
        endpoint = "update_device"
        path = self._calls.device_path(user_id, device_type, device_id)
        body = {"is_smart_optimization_active": is_smart_optimization_active}
        reply = self._calls.send(endpoint, "PUT", path, json=body)
        if _is_whole_device(reply):
            return _checked(reply, device_type, device_id)
        # Part of the write for the caller: if this fails, the switch may be set all the same.
        return self._detail(endpoint, user_id, device_type, device_id, is_write=True)

    def reauthenticate_device(
        self,
        user_id: UUID,
        device_type: DeviceType,
        device_id: UUID,
        *,
        success_url: str,
        cancel_url: str,
    ) -> Reauthentication:
        """Ask where to send the customer to renew the manufacturer's login.

        Raises NotFound; UnexpectedReply when the address is not on a listed host.
        Source: api-reference/user-electric-vehicles/reauthenticate-a-users-electric-vehicle.
        """
        path = self._calls.device_path(user_id, device_type, device_id) + "/auth_session"
        body = {"success_url": success_url, "cancel_url": cancel_url}
        reply = self._calls.send("reauthenticate_device", "POST", path, json=body)
        renewal = read(reply, reauthentication_from)
        if renewal.device_id not in (None, device_id):
            raise reply.unexpected("device_id")
        address = renewal.authentication_url
        if address is not None and not self._calls.connect_hosts.is_allowed(address):
            raise reply.unexpected("authentication_url")
        return renewal

    def delete_device(self, user_id: UUID, device_type: DeviceType, device_id: UUID) -> None:
        """Remove a device. Raises NotFound, for one that is gone already or not.

        Inferred: no page documents it, and its effect at the manufacturer is not known.
        """
        path = self._calls.device_path(user_id, device_type, device_id)
        self._calls.send("delete_device", "DELETE", path)

    def _listed_in(
        self, user_id: UUID, device_types: Iterable[DeviceType]
    ) -> tuple[list[Device], dict[DeviceType, NotFound | Forbidden | Refused]]:
        """What these collections hold, and the refusals of those that Podero does not list."""
        found: list[Device] = []
        refusals: dict[DeviceType, NotFound | Forbidden | Refused] = {}
        for device_type in device_types:
            try:
                found += self._listed("list_devices", user_id, device_type)
            except (NotFound, Forbidden, Refused) as error:
                refusals[device_type] = error
        return found, refusals

    def _listed(self, endpoint: str, user_id: UUID, device_type: DeviceType) -> list[Device]:
        reply = self._calls.send(endpoint, "GET", self._calls.collection_path(user_id, device_type))
        devices = read(reply, lambda body: devices_from(body, device_type))
        return [device for device in devices if not device.is_deleted]

    def _detail(
        self,
        endpoint: str,
        user_id: UUID,
        device_type: DeviceType,
        device_id: UUID,
        *,
        is_write: bool = False,
    ) -> Device:
        path = self._calls.device_path(user_id, device_type, device_id)
        reply = self._calls.send(endpoint, "GET", path, is_write=is_write)
        return _checked(reply, device_type, device_id)


def _if_theirs(device: Device, user_id: UUID) -> Device | None:
    return device if device.is_of(user_id) and not device.is_deleted else None


def _checked(reply: Reply, device_type: DeviceType, device_id: UUID) -> Device:
    device = read(reply, lambda body: device_from(body, device_type))
    if device.id != device_id:
        raise reply.unexpected("id")
    return device


def _is_whole_device(reply: Reply) -> bool:
    fields = fields_of(reply.content())
    is_switch_known = isinstance(fields.get("is_smart_optimization_active"), bool)
    return "id" in fields and "device_model" in fields and is_switch_known
