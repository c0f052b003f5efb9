from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from onboarding.branding import brand
from onboarding.forms import DeviceTypeForm
from onboarding.models.attempts import DEVICE_TYPES

_TEMPLATE = "onboarding/start.html"


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Why, what and how to leave, for the device type in the address."""
    device_type = DeviceTypeForm(request.GET).chosen() if request.GET else ""
    if request.user.is_authenticated or settings.DEBUG:
        return render(request, _TEMPLATE, _context(device_type))
    shown = brand()["brand"]
    return HttpResponse(_page_for_strangers(device_type, get_language(), tuple(shown.items())))


def _context(device_type: str) -> dict[str, Any]:
    return {"device_type": device_type, "device_types": DEVICE_TYPES}


@lru_cache(maxsize=64)
def _page_for_strangers(
    device_type: str, _language: str | None, brand: tuple[tuple[str, Any], ...]
) -> str:
    """The page as everybody sees it who is not signed in: one newsletter brings them all here.

    It is drawn without the request, so that nothing of one visitor can get into another's page.
    """
    return render_to_string(_TEMPLATE, _context(device_type) | {"brand": dict(brand)})
