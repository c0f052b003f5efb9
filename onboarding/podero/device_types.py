"""The four kinds of device the API knows, and where each lives in its paths."""

from __future__ import annotations

import enum
from typing import Final


class DeviceType(enum.StrEnum):
    """Kind of device; the value is the code an onboarding session uses for it.

    Source: api-reference/device-onboarding-sessions/create-a-new-device-onboarding-session.
    """

    EV = "ev"
    HP = "hp"
    IV = "iv"
    WB = "wb"

    @property
    def collection(self) -> str:
        """Path segment of this type's collection under a user; there is no common one."""
        return _COLLECTIONS[self]


_COLLECTIONS: Final = {
    DeviceType.EV: "electric-vehicles",
    DeviceType.HP: "heat-pumps",
    DeviceType.IV: "inverters",
    DeviceType.WB: "wallboxes",
}
