from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.timesince import timesince
from django.views.decorators.http import require_http_methods, require_safe

from onboarding.flows import withdrawal
from onboarding.models import Device, LeavingReason, PoderoUser
from onboarding.models.devices import makers_of
from onboarding.views.access import customer_required
from onboarding.views.undoing import undo_at_podero

_REASON_GIVEN = "reason_given"


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def leave(request: HttpRequest, customer: PoderoUser) -> HttpResponse:
    """The second of two steps; the first is the link on every page."""
    has_consented = customer.consents.filter(withdrawn_at=None).exists()
    has_left = customer.withdrawn_at is not None
    if request.method == "POST":
        if not has_consented and not has_left:
            return redirect("leave")
        withdrawal.withdraw(customer=customer, now=timezone.now())
        undo_at_podero(customer)
        return redirect("left")
    if has_left and not has_consented:
        return redirect("left")
    devices = list(Device.objects.for_customer(customer).present().order_by("pk"))
    return render(
        request,
        "onboarding/leave.html",
        {
            "devices": devices,
            "makers": makers_of(devices),
            "has_consented": has_consented,
            "kept_for": _kept_for(),
        },
    )


@require_safe
@customer_required
def left(request: HttpRequest, customer: PoderoUser, reference: UUID | None = None) -> HttpResponse:
    """The dated acknowledgement, which says so while Podero has not followed yet.

    Of the withdrawal that ended the consent with this reference; of the last one without it.
    """
    ended = withdrawal.acknowledge(customer=customer, consent=reference, now=timezone.now())
    if ended is None:
        return redirect("receipt", reference) if reference is not None else redirect("leave")
    is_asked_why = not ended.has_come_back and not _has_given_reason(request, customer)
    return render(
        request,
        "onboarding/left.html",
        {
            "customer": customer,
            "ended": ended,
            "makers": makers_of(ended.devices),
            "kept_for": _kept_for(),
            "reasons": LeavingReason.Reason if is_asked_why else [],
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def leaving_reason(request: HttpRequest, customer: PoderoUser) -> HttpResponse:
    """Count the answer to "What got in the way?", once per withdrawal in this browser."""
    reason = request.POST.get("reason", "")
    is_asked = customer.withdrawn_at is not None and not _has_given_reason(request, customer)
    if is_asked and reason in LeavingReason.Reason:
        LeavingReason.add(LeavingReason.Reason(reason), day=timezone.now().date())
        request.session[_REASON_GIVEN] = _withdrawal_of(customer)
    return redirect("left")


def _kept_for() -> dict[str, str]:
    """How long what is recorded outlives a withdrawal, in words: "3 years"."""
    now = timezone.now()
    periods = {"consents": settings.RETAIN_CONSENTS_DAYS, "attempts": settings.RETAIN_ATTEMPTS_DAYS}
    return {kind: timesince(now, now + timedelta(days=days)) for kind, days in periods.items()}


def _has_given_reason(request: HttpRequest, customer: PoderoUser) -> bool:
    return bool(request.session.get(_REASON_GIVEN) == _withdrawal_of(customer))


def _withdrawal_of(customer: PoderoUser) -> str:
    """What names this withdrawal in the customer's browser session; it is not stored elsewhere."""
    return customer.withdrawn_at.isoformat() if customer.withdrawn_at else ""
