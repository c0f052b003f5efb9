from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from onboarding.forms import DeviceTypeForm
from onboarding.models.attempts import DEVICE_TYPES


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Why, what and how to leave, for the device type in the address."""
    device_type = DeviceTypeForm(request.GET).chosen()
    return render(
        request,
        "onboarding/start.html",
        {"device_type": device_type, "device_types": DEVICE_TYPES},
    )
