"""A yardstick: the integration as the documentation's examples would have it, in one plain view.

`gunicorn scripts.bench.plain` with gunicorn's defaults: one process, one request at a time.
"""

from __future__ import annotations

import os

import requests
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path

API = f"{os.environ['PODERO_BASE_URL']}/api/partners/v2.0"
HEADERS = {"Authorization": f"Bearer {os.environ['PODERO_AUTH_TOKEN']}"}


def opt_in(request: HttpRequest) -> HttpResponse:
    """Make the user, make the session, send the customer there."""
    number = request.POST["number"]
    user = requests.post(  # noqa: S113  (as in the example)
        f"{API}/org/{os.environ['PODERO_ORG_ID']}/users",
        headers=HEADERS,
        json={"role": "user", "email": f"{number}@bench.example", "external_user_id": number},
    ).json()
    session = requests.post(  # noqa: S113
        f"{API}/device-onboarding",
        headers=HEADERS,
        json={
            "user_id": user["id"],
            "language": "en",
            "price_zone_default": "AT",
            "is_smart_optimization_active_default": True,
            "success_url": "http://localhost/success",
            "cancel_url": "http://localhost/cancel",
        },
    ).json()
    return HttpResponseRedirect(session["authentication_url"])


urlpatterns = [path("", opt_in)]

settings.configure(
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only-a-yardstick",  # noqa: S106
)
application = get_wsgi_application()
