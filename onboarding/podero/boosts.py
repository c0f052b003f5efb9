"""Charging at once, whatever the price: for electric vehicles and wallboxes only.

Source: api-reference/user-electric-vehicles and user-wallboxes, "boost".
"""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from onboarding.podero.calls import Calls
from onboarding.podero.device_types import DeviceType
from onboarding.podero.errors import BoostRefused
from onboarding.podero.reading import fields_of

_WORD: Final = re.compile(r"[a-z_]{1,40}", re.ASCII)


class BoostCalls:
    """The part of the client that deals with boosts."""

    _calls: Calls

    def start_boost(self, user_id: UUID, device_type: DeviceType, device_id: UUID) -> None:
        """Start charging now, or with the next plug-in if nothing is plugged in.

        Raises BoostRefused with `state` (the current boost state) and `reason`:
        "already_charging", "fully_charged", "no_active_session" or "internal_error".
        """
        path = self._calls.device_path(user_id, device_type, device_id) + "/boost"
        reply = self._calls.send("start_boost", "POST", path, also_accept={409})
        if reply.status == 409:
            fields = fields_of(reply.content())
            raise BoostRefused(
                "start_boost",
                status=409,
                state=_word(fields.get("state")),
                reason=_word(fields.get("reason")),
            )

    def stop_boost(self, user_id: UUID, device_type: DeviceType, device_id: UUID) -> None:
        """Take back a boost armed for the next plug-in; a wallbox also stops a running one."""
        path = self._calls.device_path(user_id, device_type, device_id) + "/boost"
        self._calls.send("stop_boost", "DELETE", path)


def _word(value: object) -> str:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""
