from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from onboarding.flows import removal
from onboarding.models import Device, PoderoUser
from onboarding.models.devices import makers_of
from onboarding.views.access import customer_required
from onboarding.views.undoing import undo_at_podero


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def remove_device(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """Ask before one device is removed; afterwards the same address says how it stands."""
    own = Device.objects.for_customer(customer).select_related("attempt__consent")
    device = get_object_or_404(own, reference=reference)
    if request.method == "POST":
        if removal.want_device_removed(device=device, now=timezone.now()):
            undo_at_podero(customer)
        return redirect("remove_device", device.reference)
    page = "removal" if device.is_removal_wanted else "remove"
    return render(
        request,
        f"onboarding/devices/{page}.html",
        {"device": device, "makers": makers_of([device])},
    )
