"""The step out to Podero's hosted form, shared by the pages that end in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone

from onboarding.clients import TooManyWaiting, place_in_line
from onboarding.flows import linking
from onboarding.models import OnboardingSession, Reconnection
from onboarding.sessions import LEFT_WITH, REMEMBERED, TRIED_WITH


def send_to_hosted_form(request: HttpRequest, attempt: OnboardingSession) -> HttpResponse:
    """Straight to the form when Podero answers; to the attempt's own page in any other case."""
    try:
        with place_in_line() as client:
            address = linking.open_hosted_form(client=client, attempt=attempt, now=timezone.now())
    except TooManyWaiting:
        linking.put_off(attempt=attempt, now=timezone.now())
    except (linking.AlreadyOpening, linking.UnableToOpen):
        pass
    else:
        remember_leaving(request, attempt)
        return HttpResponseRedirect(address)
    _remember(request, TRIED_WITH, attempt)
    return redirect("attempt", attempt.reference)


def remember_leaving(request: HttpRequest, sent: OnboardingSession | Reconnection) -> None:
    _remember(request, LEFT_WITH, sent)


def has_left_with(request: HttpRequest, sent: OnboardingSession | Reconnection) -> bool:
    """Whether it was this browser that was sent to the hosted form, or to sign in again."""
    return str(sent.reference) in request.session.get(LEFT_WITH, [])


def has_tried_with(request: HttpRequest, attempt: OnboardingSession) -> bool:
    """Whether it was asked for in this browser: only then may a page of it try again by itself."""
    return str(attempt.reference) in request.session.get(TRIED_WITH, [])


@contextmanager
def kept_for(request: HttpRequest, account: User) -> Iterator[None]:
    """Carry these memories over a new session of who is signed in already, and of nobody else."""
    session, names = request.session, (LEFT_WITH, TRIED_WITH)
    kept = {name: session.get(name, []) for name in names if request.user == account}
    yield
    request.session.update(kept)


def _remember(request: HttpRequest, memory: str, what: OnboardingSession | Reconnection) -> None:
    remembered = request.session.get(memory, [])
    if str(what.reference) not in remembered:
        request.session[memory] = [*remembered, str(what.reference)][-REMEMBERED:]
