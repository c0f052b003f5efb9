from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from onboarding.flows import devices as device_flow
from onboarding.flows import keeping
from onboarding.models import Device, PoderoUser
from onboarding.states import UNFINISHED
from onboarding.tasks import nudge, refresh_devices, switch_customer_devices
from onboarding.views.access import customer_required
from onboarding.views.coming_back import barred_devices, has_come_back

_SHOWN_CONSENTS = 20


@require_safe
@customer_required
def devices(request: HttpRequest, customer: PoderoUser) -> HttpResponse:
    """What is linked, what works and what needs the customer, as last heard from Podero."""
    own = Device.objects.for_customer(customer).select_related("attempt__consent")
    shown = list(own.order_by("-linked_at", "-pk"))
    if device_flow.is_stale(devices=shown, now=timezone.now()):
        nudge(refresh_devices, customer_id=customer.pk)
    unfinished = customer.attempts.filter(state__in=UNFINISHED)
    return render(
        request,
        "onboarding/devices.html",
        {
            "customer": customer,
            "devices": shown,
            "barred": barred_devices(request, shown),
            "consents": list(customer.consents.order_by("-given_at", "-pk")[:_SHOWN_CONSENTS]),
            "attempts": list(unfinished.order_by("-started_at")[:3]),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def confirm_device(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """ "Yes, this is my device": only now is it to be optimized."""
    own = Device.objects.for_customer(customer).select_related("attempt")
    device = get_object_or_404(own, reference=reference)
    if request.method == "POST":
        try:
            device_flow.confirm_device(
                device=device,
                has_come_back=has_come_back(request, device.attempt.reference),
                now=timezone.now(),
            )
        except (keeping.HasLeft, device_flow.ReturnedElsewhere):
            # My devices says which of the two, and what can be done.
            return redirect("devices")
        nudge(switch_customer_devices, customer_id=customer.pk)
    return redirect("devices")
