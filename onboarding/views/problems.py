"""Pages for what should not happen; each says what to do next and whom to ask."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil
from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.sessions.exceptions import SessionInterrupted
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone

from onboarding.branding import brand
from onboarding.lockout import locked_until
from onboarding.podero import zones
from onboarding.views.access import signed_in_customer


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "onboarding/problems/form_expired.html", status=403)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if isinstance(exception, SessionInterrupted):
        return _page("onboarding/problems/signed_out_meanwhile.html", status=400)
    return _page("onboarding/problems/bad_request.html", status=400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page("onboarding/problems/forbidden.html", status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "onboarding/problems/not_found.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    return _page("onboarding/problems/server_error.html", status=500)


def locked_out(
    request: HttpRequest, _instead_of: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """What django-axes answers after too many wrong passwords."""
    return too_often(request, retry_at=locked_until(request, credentials), what="sign_in")


def too_often(
    request: HttpRequest,
    *,
    retry_at: datetime,
    what: Literal["attempt", "reconnection", "handoff", "sign_in"],
) -> HttpResponse:
    """Say when to try again, by the clock of whoever reads it."""
    customer = signed_in_customer(request)
    wait = max(ceil((retry_at - timezone.now()).total_seconds()), 1)
    # A clock shows minutes: the next full one is late enough.
    shown = (retry_at + timedelta(seconds=59)).replace(second=0, microsecond=0)
    of_installation = zones.ZONE_TIMEZONES.get(settings.PODERO_PRICE_ZONE, "UTC")
    with timezone.override(customer.timezone if customer else ZoneInfo(of_installation)):
        response = render(
            request,
            "onboarding/problems/too_often.html",
            {"retry_at": shown, "minutes": ceil(wait / 60), "what": what},
            status=429,
        )
    response.headers["Retry-After"] = str(wait)
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(template: str, *, status: int) -> HttpResponse:
    """Without the request: the database or the session may be what is broken."""
    return HttpResponse(render_to_string(template, brand()), status=status)
