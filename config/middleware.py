"""Headers that every answer carries, and the name of each request."""

from __future__ import annotations

import re
from collections.abc import Callable

from csp.constants import NONE
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

_PLAUSIBLE_ID = re.compile("[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
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


def plausible_request_ids(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Believe a proxy's X-Request-ID only if it is a plain UUID; otherwise there will be ours.

    It goes into logs, into the answer and on to Podero, so nobody may put words into it.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if not _PLAUSIBLE_ID.fullmatch(request.META.get("HTTP_X_REQUEST_ID", "")):
            request.META.pop("HTTP_X_REQUEST_ID", None)
            request.__dict__.pop("headers", None)
        return get_response(request)

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
