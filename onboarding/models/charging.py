"""How charging now stands for a device, as a card tells it, and what may be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from onboarding.podero import DeviceType

if TYPE_CHECKING:
    from onboarding.models.charge_wishes import ChargeWish
    from onboarding.models.devices import Device

# What a card says about charging now: how the wish stands, or what Podero reports.
ChargeState = Literal[
    "asking",
    "taking_back",
    "started",
    "armed",
    "accepted",
    "already_charging",
    "fully_charged",
    "no_active_session",
    "internal_error",
    "refused",
    "taken_back",
    "gave_up",
    "requested",
    "ongoing",
    "unavailable",
    "idle",
]
CHARGEABLE = (DeviceType.EV, DeviceType.WB)
# Standings of a device that Podero does not charge, whatever it is asked.
OUT_OF_REACH = {"being_removed", "withdrawn", "unconfirmed", "missing"}


@dataclass(frozen=True)
class Charging:
    """Of one device, with the wish that goes with it."""

    device: Device

    @property
    def is_possible(self) -> bool:
        """Whether "charge now" makes sense: a car or wallbox that Podero can reach."""
        device = self.device
        is_reachable = device.standing not in OUT_OF_REACH
        return device.device_type in CHARGEABLE and is_reachable and device.is_authenticated

    @property
    def may_be_ended(self) -> bool:
        """Whether Podero has something armed, or running on a wallbox; on a car it cannot be ended."""
        reported = self.device.reported
        is_wallbox = self.device.device_type == DeviceType.WB
        return bool(reported.is_boost_armed) or (is_wallbox and reported.is_boosting)

    @property
    def state(self) -> ChargeState:
        wish = self._wish
        reported = self.device.reported
        if wish is not None and wish.is_pending:
            return "asking" if wish.is_start else "taking_back"
        if wish is not None and not self._is_outlived(wish):
            answer: ChargeState = wish.answer  # type: ignore[assignment]
            return answer
        if reported.is_boost_armed:
            return "armed"
        if reported.boost_state in {"requested", "ongoing", "unavailable"}:
            boost: ChargeState = reported.boost_state  # type: ignore[assignment]
            return boost
        return "idle"

    def _is_outlived(self, wish: ChargeWish) -> bool:
        """Whether Podero has told more of a boost since it said yes to it."""
        if wish.answered_at is None or self.device.checked_at <= wish.answered_at:
            return False
        reported = self.device.reported
        is_used_up = wish.answer == "armed" and reported.is_boost_armed is False
        is_confirmed = wish.answer in {"started", "armed", "accepted"} and reported.is_boosting
        return is_used_up or is_confirmed

    @property
    def may_be_asked_for(self) -> bool:
        taken = {"asking", "started", "armed", "accepted", "requested", "ongoing", "unavailable"}
        return self.is_possible and self.state not in taken

    @property
    def may_be_taken_back(self) -> bool:
        """What is only asked for or armed can be taken back; a wallbox also stops charging.

        So can what was perhaps heard, and what Podero has not taken back when it was asked to.
        """
        stoppable = {"asking", "armed", "accepted", "gave_up"}
        wish = self._wish
        if wish is not None and not wish.is_start:
            stoppable |= {"refused"}
        if self.device.device_type == DeviceType.WB:
            stoppable |= {"started", "requested", "ongoing"}
        return self.is_possible and self.state in stoppable

    @property
    def _wish(self) -> ChargeWish | None:
        """What the customer last said of it, while that is remembered."""
        return getattr(self.device, "charge_wish", None)
