"""No reminder, please: from the mail without signing in, and from the attempt's own page.

Mail scanners follow links, so a GET changes nothing. Mail programs send the POST by themselves
(RFC 8058), without cookies and without following a redirect: the token takes the place of both.
"""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from onboarding.flows import reminders
from onboarding.models import PoderoUser
from onboarding.views.access import customer_required


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """One button, and what it did; neither says whose reminders these are."""
    try:
        customer = reminders.customer_of(token)
    except reminders.UnknownToken:
        return render(request, "onboarding/reminders/unknown.html", status=404)
    if request.method != "POST":
        return render(request, "onboarding/reminders/stop.html")
    if customer is not None:
        reminders.stop_reminders(customer=customer, now=timezone.now())
    return render(request, "onboarding/reminders/stopped.html")


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def stop_here(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    attempt = get_object_or_404(customer.attempts, reference=reference)
    if request.method == "POST":
        reminders.stop_reminders(customer=customer, now=timezone.now())
    return redirect("attempt", attempt.reference)
