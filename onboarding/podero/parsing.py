"""From parsed JSON to replies: what is needed is required, everything else is tolerated."""

from __future__ import annotations

from onboarding.podero.device_types import DeviceType
from onboarding.podero.reading import (
    Fields,
    date_of,
    fields_of,
    flag_of,
    identifier_of,
    moment_of,
    number_of,
    percent_of,
    text_of,
    uuid_of,
)
from onboarding.podero.replies import Action, Device, HostedSession, Reauthentication, User

MAX_URL = 8000
_MAX_ACTIONS = 50


class NotUnderstood(Exception):
    """A reply lacks something needed; `field` names it, empty when the whole has a wrong shape."""

    def __init__(self, field: str = "") -> None:
        super().__init__(field)
        self.field = field


def user_from(body: object) -> User:
    """Read a user object, in the guide's or in the reference's shape."""
    fields = _object(body)
    user_id = uuid_of(fields.get("id"))
    if user_id is None:
        raise NotUnderstood("id")
    return User(
        id=user_id,
        email=identifier_of(fields.get("email")) or "",
        external_user_id=identifier_of(fields.get("external_user_id")),
        role=identifier_of(fields.get("role")),
    )


def users_from(body: object) -> list[User]:
    """Read an array of user objects."""
    return [user_from(entry) for entry in _array(body)]


def hosted_session_from(body: object) -> HostedSession:
    """Read an onboarding session; its address is as received, not yet checked."""
    fields = _object(body)
    session_id = uuid_of(fields.get("id"))
    if session_id is None:
        raise NotUnderstood("id")
    return HostedSession(
        id=session_id,
        authentication_url=identifier_of(fields.get("authentication_url"), longest=MAX_URL),
        # The request says `user_id`, the reply says `user`.
        user_id=uuid_of(fields.get("user")) or uuid_of(fields.get("user_id")),
        expiration_date=date_of(fields.get("expiration_date")),
        object_id=identifier_of(fields.get("object_id")),
        device_type=_device_type(fields.get("device_type")),
    )


def device_from(body: object, device_type: DeviceType) -> Device:
    """Read a device object of the collection of this type."""
    fields = _object(body)
    device_id = uuid_of(fields.get("id"))
    if device_id is None:
        raise NotUnderstood("id")
    model = fields_of(fields.get("device_model"))
    owner = fields.get("owner")
    return Device(
        id=device_id,
        device_type=device_type,
        owner_id=uuid_of(owner) or uuid_of(fields_of(owner).get("id")),
        owner_external_id=identifier_of(fields_of(owner).get("external_id")),
        manufacturer=text_of(model.get("manufacturer")),
        model=text_of(model.get("model")),
        external_device_id=identifier_of(fields.get("external_device_id")) or "",
        is_authenticated=flag_of(fields.get("is_authenticated")),
        is_smart_optimization_active=flag_of(fields.get("is_smart_optimization_active")),
        connection_status=text_of(fields.get("connection_status"), "unknown"),
        monitoring_status=text_of(fields.get("monitoring_status"), "unknown"),
        steering_status=text_of(fields.get("steering_status"), "unknown"),
        lifecycle_state=text_of(fields.get("lifecycle_state")),
        lifecycle_error=text_of(fields.get("lifecycle_error")),
        is_action_needed=fields.get("action_needed") is True,
        current_mode=text_of(fields.get("current_mode")),
        # What the state and the connection of a wallbox are called is deduced, not documented.
        wallbox_mode=text_of(fields.get("mode")),
        wallbox_connection=text_of(fields.get("connection")),
        boost_state=text_of(fields.get("boost_state")),
        is_boost_armed=flag_of(fields.get("boost_for_next_session")),
        is_plugged_in=flag_of(fields.get("is_plugged_in")),
        is_charging=flag_of(fields.get("is_charging")),
        is_fully_charged=flag_of(fields.get("is_fully_charged")),
        battery_level=percent_of(
            fields.get("battery_level", fields.get("battery_charge_level_percent"))
        ),
        battery_flow_w=number_of(fields.get("battery_charge_discharge_power_w")),
        solar_production_w=number_of(fields.get("current_solar_production_w")),
        state_updated_at=moment_of(fields.get("current_state_last_updated_at")),
        created_at=moment_of(fields.get("created_at")),
        is_deleted=_is_set(fields.get("deleted_at")),
        actions=_actions(fields.get("actions")),
    )


def devices_from(body: object, device_type: DeviceType) -> list[Device]:
    """Read an array of device objects of one type."""
    return [device_from(entry, device_type) for entry in _array(body)]


def reauthentication_from(body: object) -> Reauthentication:
    """Read the answer to a reauthentication; its address is as received, not yet checked."""
    fields = _object(body)
    return Reauthentication(
        authentication_url=identifier_of(fields.get("authentication_url"), longest=MAX_URL),
        device_id=uuid_of(fields.get("device_id")),
        session_id=uuid_of(fields.get("session_id")),
    )


def redirect_url_from(body: object) -> str:
    """Read where to send the customer; the address is as received, not yet checked."""
    address = identifier_of(_object(body).get("redirect_url"), longest=MAX_URL)
    if not address:
        raise NotUnderstood("redirect_url")
    return address


def _actions(value: object) -> tuple[Action, ...]:
    found = []
    for entry in value[:_MAX_ACTIONS] if isinstance(value, list) else []:
        fields = fields_of(entry)
        code = text_of(fields.get("code"))
        link = fields_of(fields.get("resolution_link"))
        names = link.get("required_parameters")
        if code:
            found.append(
                Action(
                    code=code,
                    url=identifier_of(link.get("url"), longest=MAX_URL),
                    required_parameters=tuple(
                        text_of(name)
                        for name in (names[:_MAX_ACTIONS] if isinstance(names, list) else [])
                        if text_of(name)
                    ),
                )
            )
    return tuple(found)


def _device_type(value: object) -> DeviceType | None:
    return DeviceType(value) if isinstance(value, str) and value in set(DeviceType) else None


def _is_set(deleted_at: object) -> bool:
    # A deletion we cannot date is still one; year 0001 is how the API writes "never".
    return isinstance(deleted_at, str) and bool(deleted_at) and not deleted_at.startswith("0001-")


def _object(body: object) -> Fields:
    if not isinstance(body, dict):
        raise NotUnderstood
    return body


def _array(body: object) -> list[object]:
    if not isinstance(body, list):
        raise NotUnderstood
    return body
