from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class _Drawn:
    """A page, and what config/compression.py has made of it so far."""

    content: bytes
    compressed_forms: dict[str, bytes] = field(default_factory=dict)


class _PageForAll(HttpResponse):
    def __init__(self, drawn: _Drawn) -> None:
        super().__init__(drawn.content)
        self.compressed_forms = drawn.compressed_forms


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Why, what and how to leave, for the device type in the address."""
    device_type = DeviceTypeForm(request.GET).chosen() if request.GET else ""
    if request.user.is_authenticated or settings.DEBUG:
        return render(request, _TEMPLATE, _context(device_type))
    shown = brand()["brand"]
    return _PageForAll(_page_for_strangers(device_type, get_language(), tuple(shown.items())))


def _context(device_type: str) -> dict[str, Any]:
    return {"device_type": device_type, "device_types": DEVICE_TYPES}


@lru_cache(maxsize=64)
def _page_for_strangers(
    device_type: str, _language: str | None, brand: tuple[tuple[str, Any], ...]
) -> _Drawn:
    """The page as everybody sees it who is not signed in: one newsletter brings them all here.

    It is drawn without the request, so that nothing of one visitor can get into another's page.
    """
    page = render_to_string(_TEMPLATE, _context(device_type) | {"brand": dict(brand)})
    return _Drawn(page.encode())
