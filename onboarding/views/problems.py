"""Pages for what should not happen; each says what to do next and whom to ask."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from onboarding.branding import brand


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "onboarding/problems/form_expired.html", status=403)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page("onboarding/problems/bad_request.html", status=400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page("onboarding/problems/forbidden.html", status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "onboarding/problems/not_found.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    return _page("onboarding/problems/server_error.html", status=500)


def _page(template: str, *, status: int) -> HttpResponse:
    """Without the request: the database or the session may be what is broken."""
    return HttpResponse(render_to_string(template, brand()), status=status)
