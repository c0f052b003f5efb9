from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from onboarding.admin.read_only import ReadOnlyInline
from onboarding.admin.removals import REMOVAL_FIELDS, RemovableAdmin, RemovalFilter
from onboarding.models import ChargeWish, Device, Reconnection
from onboarding.models.devices import Standing

_STANDINGS: dict[Standing, Promise] = {
    "being_removed": _("to be removed, or removed"),
    "withdrawn": _("customer has withdrawn"),
    "unconfirmed": _("waits for the customer to say that it is theirs"),
    "missing": _("gone at Podero"),
    "needs_customer": _("manufacturer's login waits for the customer"),
    "working": _("optimized"),
    "starting": _("to be optimized; Podero has not confirmed yet"),
    "off": _("to be optimized, but switched off by somebody else"),
    "pausing": _("paused; Podero has not confirmed yet"),
    "paused": _("paused"),
}
_IN_DOUBT = _(
    "whose it is is in doubt: off until the customer has done what their page asks for, or removes "
    "it and links it again"
)


class ReconnectionInline(ReadOnlyInline):
    model = Reconnection
    fields = (
        "support_code",
        "state",
        "failure_code",
        "started_at",
        "opened_at",
        "returned_at",
        "is_return_matched",
        "foreign_return_at",
        "finished_at",
    )
    readonly_fields = fields
    ordering = ("-id",)


@admin.register(Device)
class DeviceAdmin(RemovableAdmin):
    list_display = (
        "label",
        "device_type",
        "customer_number",
        "is_confirmed",
        "is_optimization_wanted",
        "is_optimization_active",
        "is_authenticated",
        "removal",
        "linked_at",
        "checked_at",
    )
    list_filter = (
        RemovalFilter,
        "device_type",
        "is_authenticated",
        "is_optimization_wanted",
        "is_optimization_active",
        ("confirmed_at", admin.EmptyFieldListFilter),
        ("login_doubted_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("podero_user", "attempt__consent", "charge_wish")
    search_fields = (
        "podero_user__email",
        "podero_user__external_user_id",
        "reference",
        "podero_id",
        "podero_user__podero_id",
        "attempt__reference",
    )
    search_help_text = _(
        "E-mail, customer number, support code or reference, or one of Podero's ids"
    )
    fields = (
        "reference",
        "podero_user",
        "attempt",
        "podero_id",
        "device_type",
        "manufacturer",
        "model",
        "linked_at",
        "confirmed_at",
        "is_named_by_session",
        "is_holder_proven",
        "login_doubted_at",
        "is_optimization_wanted",
        "is_optimization_active",
        "is_authenticated",
        "is_action_needed",
        "connection_status",
        "external_device_id",
        "checked_at",
        "missing_since",
        "standing",
        "reported",
        "charging_now",
        "saved",
        "savings_due_at",
        "tries",
        "next_try_at",
        *REMOVAL_FIELDS,
    )
    inlines = (ReconnectionInline,)

    @admin.display(description=_("customer"))
    def customer_number(self, device: Device) -> str:
        return device.podero_user.external_user_id

    @admin.display(description=_("how it stands"))
    def standing(self, device: Device) -> str:
        if device.standing == "unconfirmed" and device.is_login_in_doubt:
            return str(_IN_DOUBT)
        return str(_STANDINGS[device.standing])

    @admin.display(description=_("last reported"))
    def reported(self, device: Device) -> str:
        return _lines(device.reported.as_json())

    @admin.display(description=_("charge now"))
    def charging_now(self, device: Device) -> str:
        wish = ChargeWish.objects.filter(device=device).first()
        if wish is None:
            return "-"
        what = _("charge now") if wish.is_start else _("do not charge now")
        when = timezone.localtime(wish.wished_at)
        return f"{when:%Y-%m-%d %H:%M:%S %Z}: {what}: {wish.get_answer_display() or _('no answer yet')}"

    @admin.display(description=_("savings"))
    def saved(self, device: Device) -> str:
        saved = device.saved
        return "\n".join(
            f"{period.first_day:%Y-%m-%d} – {period.last_day:%Y-%m-%d}: "
            f"{period.total:.2f} {saved.currency}"
            for period in saved.periods
        )

    @admin.display(description=_("confirmed"), boolean=True)
    def is_confirmed(self, device: Device) -> bool:
        return device.is_confirmed


def _lines(told: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in told.items())
