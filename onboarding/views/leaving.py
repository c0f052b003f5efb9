"""The step out to Podero's hosted form, shared by the pages that end in it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone

from onboarding.clients import TooManyWaiting, place_in_line
from onboarding.flows import linking
from onboarding.models import OnboardingSession, Reconnection

_LEFT_WITH = "left_with"
_REMEMBERED = 20


def send_to_hosted_form(request: HttpRequest, attempt: OnboardingSession) -> HttpResponse:
    """Straight to the form when Podero answers; to the attempt's own page in any other case."""
    try:
        with place_in_line() as client:
            address = linking.open_hosted_form(client=client, attempt=attempt, now=timezone.now())
    except (TooManyWaiting, linking.AlreadyOpening, linking.UnableToOpen):
        return redirect("attempt", attempt.reference)
    remember_leaving(request, attempt)
    return HttpResponseRedirect(address)


def remember_leaving(request: HttpRequest, sent: OnboardingSession | Reconnection) -> None:
    left_with = [*request.session.get(_LEFT_WITH, []), str(sent.reference)]
    request.session[_LEFT_WITH] = left_with[-_REMEMBERED:]


def has_left_with(request: HttpRequest, sent: OnboardingSession | Reconnection) -> bool:
    """Whether it was this browser that was sent to the hosted form, or to sign in again."""
    return str(sent.reference) in request.session.get(_LEFT_WITH, [])
