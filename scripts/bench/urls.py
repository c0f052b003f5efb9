from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

handler400 = "onboarding.views.problems.bad_request"
handler403 = "onboarding.views.problems.permission_denied"
handler404 = "onboarding.views.problems.not_found"
handler500 = "onboarding.views.problems.server_error"


def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [path("empty/", empty), path("", include("config.urls"))]
