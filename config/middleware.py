"""Headers that every answer carries."""

from __future__ import annotations

from collections.abc import Callable

from csp.constants import NONE
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


def probes(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Answer health checks first: a prober names no host, and takes no redirect to https."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/health/"):
            return get_response(request)
        try:
            view, args, kwargs = resolve(request.path)
        except Resolver404:
            return get_response(request)
        answer: HttpResponse = view(request, *args, **kwargs)
        return answer

    return middleware


def private_pages(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Keep pages made for one person out of every cache, the Back button's included."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if "Cookie" in response.get("Vary", ""):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return middleware


def frames(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Let the portals in FRAME_ANCESTORS, and nobody else, show customers' pages in a frame.

    `X-Frame-Options` knows no list and is left out then: the policy's own rule takes its place.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path.startswith("/admin/"):
            response._csp_replace = {"frame-ancestors": [NONE]}  # type: ignore[attr-defined]
        elif settings.FRAME_ANCESTORS:
            response.xframe_options_exempt = True
        return response

    return middleware
