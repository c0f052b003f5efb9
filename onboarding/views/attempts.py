from __future__ import annotations

import random
from contextlib import suppress
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from onboarding.clients import TooManyWaiting, place_in_line
from onboarding.flows import lookups, opt_in, returning
from onboarding.forms import SubmissionForm
from onboarding.models import OnboardingSession, PoderoUser
from onboarding.states import State
from onboarding.views.access import customer_required, signed_in_customer
from onboarding.views.leaving import send_to_hosted_form

_POLL_MS = 3000
# After so many failed tries the page stops trying by itself; the button stays.
_TRIES_BY_ITSELF = 6


def _attempt(customer: PoderoUser, reference: UUID) -> OnboardingSession:
    attempts = OnboardingSession.objects.for_customer(customer).select_related("consent__text")
    attempt = get_object_or_404(attempts, reference=reference)
    attempt.podero_user = customer
    return attempt


@require_safe
@customer_required
def attempt(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """One page for every state; safe to reload, bookmark and share a screenshot of."""
    shown = _attempt(customer, reference)
    return render(
        request,
        f"onboarding/attempts/{shown.state}.html",
        {
            "attempt": shown,
            "devices": list(shown.devices.select_related("attempt__consent").order_by("pk")),
            "successor": shown.continued_by.order_by("-pk").first(),
            "form": SubmissionForm(),
            "tries_by_itself": _next_try_ms(shown),
        },
    )


def _next_try_ms(attempt: OnboardingSession) -> int | None:
    """In how many milliseconds the page of a `started` attempt tries again by itself."""
    if attempt.state != State.STARTED or attempt.tries > _TRIES_BY_ITSELF:
        return None
    if attempt.next_try_at is None:
        # Nobody has tried for this customer: too many were waiting.
        return random.randint(_POLL_MS, 3 * _POLL_MS)  # noqa: S311
    wait = attempt.next_try_at - timezone.now()
    return max(int(wait.total_seconds() * 1000), random.randint(1000, _POLL_MS))  # noqa: S311


@require_safe
def attempt_status(request: HttpRequest, reference: UUID) -> HttpResponse:
    """The state as JSON: `state`, `is_final`, and when to ask again (null: need not)."""
    customer = signed_in_customer(request)
    if customer is None:
        return JsonResponse({"detail": "Sign in first."}, status=401)
    shown = _attempt(customer, reference)
    return JsonResponse(
        {
            "state": shown.state,
            "is_final": shown.is_final,
            "next_poll_ms": None if shown.is_final else _POLL_MS,
        }
    )


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def continue_attempt(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    shown = _attempt(customer, reference)
    form = SubmissionForm(request.POST)
    if request.method != "POST" or not form.is_valid():
        return redirect("attempt", shown.reference)
    try:
        successor = opt_in.continue_attempt(
            attempt=shown, submission=form.cleaned_data["submission"], now=timezone.now()
        )
    except opt_in.ConsentOutdated:
        address = resolve_url("consent")
        return redirect(f"{address}?device_type={shown.device_type}")
    except (opt_in.UnableToContinue, OnboardingSession.DoesNotExist):
        return redirect("attempt", shown.reference)
    if successor.state != State.STARTED:
        return redirect("attempt", successor.reference)
    return send_to_hosted_form(request, successor)


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def check_attempt(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """Ask Podero again now: after a return, or because the customer finished on another phone."""
    shown = _attempt(customer, reference)
    if request.method == "POST":
        ask = returning.verify_return if shown.state == State.RETURNED else lookups.look_up_attempt
        with suppress(TooManyWaiting), place_in_line() as client:
            ask(client=client, attempt=shown, now=timezone.now())
    return redirect("attempt", shown.reference)
