from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from onboarding.branding import stylesheet


@require_safe
@cache_control(public=True, max_age=365 * 24 * 3600, immutable=True)
def brand_css(request: HttpRequest, version: str) -> HttpResponse:
    """The brand's colors, at an address that changes with them."""
    return HttpResponse(stylesheet(settings.BRAND_COLOR), content_type="text/css")
