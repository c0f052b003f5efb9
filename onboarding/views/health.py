"""For load balancers and monitors: is the process up, can it serve customers, and how is it doing?"""

from __future__ import annotations

import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from onboarding import health, metrics


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """503 only when customers cannot be served at all; what can be done without is told beside."""
    words = health.words()
    if words["database"] != health.OK:
        return JsonResponse({"status": "unavailable", **words}, status=503)
    is_whole = all(word == health.OK for word in words.values())
    return JsonResponse({"status": "ok" if is_whole else "degraded", **words})


@require_safe
@never_cache
def prometheus(request: HttpRequest) -> HttpResponse:
    """For whoever holds METRICS_TOKEN; to anybody else there is no such page."""
    given = request.headers.get("Authorization", "").encode()
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    if not settings.METRICS_TOKEN or not secrets.compare_digest(given, wanted):
        return JsonResponse({"detail": "Not found."}, status=404)
    return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)
