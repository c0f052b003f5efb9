from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from onboarding.flows import devices as device_flow
from onboarding.flows import keeping
from onboarding.models import Device, OnboardingSession, PoderoUser
from onboarding.tasks import nudge, refresh_devices, switch_customer_devices
from onboarding.views.access import customer_required

_SHOWN_CONSENTS = 20


@require_safe
@customer_required
def devices(request: HttpRequest, customer: PoderoUser) -> HttpResponse:
    """What is linked, what works and what needs the customer, as last heard from Podero."""
    own = Device.objects.for_customer(customer).present().select_related("attempt__consent")
    shown = list(own.order_by("-linked_at", "-pk"))
    if device_flow.is_stale(devices=shown, now=timezone.now()):
        nudge(refresh_devices, customer_id=customer.pk)
    return render(
        request,
        "onboarding/devices.html",
        {
            "customer": customer,
            "devices": shown,
            "consents": list(customer.consents.order_by("-given_at", "-pk")[:_SHOWN_CONSENTS]),
            "attempts": list(
                OnboardingSession.objects.for_customer(customer)
                .unfinished()
                .order_by("-started_at")[:3]
            ),
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
            device_flow.confirm_device(device=device, now=timezone.now())
        except keeping.HasLeft:
            return redirect("devices")
        nudge(switch_customer_devices, customer_id=customer.pk)
    return redirect("devices")
