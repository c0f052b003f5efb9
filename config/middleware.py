"""Headers that every answer carries."""

from __future__ import annotations

from collections.abc import Callable

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
        if "Cookie" in response.get("Vary", ""):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return middleware
