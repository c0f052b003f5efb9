from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from onboarding.flows import withdrawal
from onboarding.models import Device, PoderoUser
from onboarding.states import AWAITING_DEVICE
from onboarding.tasks import nudge, switch_customer_devices
from onboarding.views.access import customer_required


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def leave(request: HttpRequest, customer: PoderoUser) -> HttpResponse:
    """The second of two steps; the first is the link on every page."""
    if request.method == "POST":
        withdrawal.withdraw(customer=customer, now=timezone.now())
        nudge(switch_customer_devices, customer_id=customer.pk)
        return redirect("left")
    has_consented = customer.consents.filter(withdrawn_at=None).exists()
    if not has_consented and customer.withdrawn_at is not None:
        return redirect("left")
    devices = list(Device.objects.for_customer(customer).order_by("pk"))
    return render(
        request, "onboarding/leave.html", {"devices": devices, "has_consented": has_consented}
    )


@require_safe
@customer_required
def left(request: HttpRequest, customer: PoderoUser) -> HttpResponse:
    """The dated acknowledgement, which says so while Podero has not followed yet."""
    if customer.withdrawn_at is None:
        return redirect("leave")
    devices = list(Device.objects.for_customer(customer).order_by("pk"))
    return render(
        request,
        "onboarding/left.html",
        {
            "customer": customer,
            "devices": devices,
            "is_pending": not all(device.is_settled for device in devices),
            "has_open_ends": customer.attempts.filter(
                state__in=AWAITING_DEVICE, podero_id__isnull=False, next_try_at__isnull=False
            ).exists(),
        },
    )
