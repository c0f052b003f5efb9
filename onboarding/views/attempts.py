from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from onboarding.clients import TooManyWaiting, place_in_line
from onboarding.flows import confirming, lookups, opt_in, proof, reminders, returning, throttling
from onboarding.forms import SubmissionForm
from onboarding.models import Device, OnboardingSession, PoderoUser
from onboarding.states import State
from onboarding.views.access import customer_required, signed_in_customer
from onboarding.views.coming_back import came_back_with
from onboarding.views.leaving import has_tried_with, send_to_hosted_form
from onboarding.views.problems import too_often

_POLL_MS = 3000
# After so many failed tries the page stops trying by itself; the button stays.
_TRIES_BY_ITSELF = 6


def _attempt(customer: PoderoUser, reference: UUID) -> Any:
    """The customer's attempt, with the `successor` that continues it, if one does."""
    successors = OnboardingSession.objects.filter(continues=OuterRef("pk")).order_by("-pk")
    attempts = (
        OnboardingSession.objects.for_customer(customer)
        .select_related("consent__text")
        .annotate(successor=Subquery(successors.values("reference")[:1]))
    )
    attempt = get_object_or_404(attempts, reference=reference)
    attempt.podero_user = customer
    return attempt


@require_safe
@customer_required
def attempt(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """One page for every state; safe to reload, bookmark and share a screenshot of."""
    shown = _attempt(customer, reference)
    came_back = came_back_with(request)
    devices = _devices(shown, came_back)
    is_removed = shown.state == State.LINKED and not devices and shown.devices.exists()
    return render(
        request,
        f"onboarding/attempts/{shown.state}.html",
        {
            "attempt": shown,
            "customer": customer,
            "devices": devices,
            "only": devices[0] if len(devices) == 1 else None,
            "is_removed": is_removed,
            "has_questions": _has_questions(shown, devices),
            "is_settled": not any(device.is_switch_pending for device in devices),
            "barred": confirming.barred_devices(devices, came_back=came_back),
            "successor": shown.successor,
            "form": SubmissionForm(),
            "tries_by_itself": _next_try_ms(shown) if has_tried_with(request, shown) else None,
            "reminder": reminders.standing_of(attempt=shown),
        },
    )


def _devices(attempt: OnboardingSession, came_back: Iterable[UUID]) -> list[Device]:
    if attempt.state != State.LINKED:
        return []
    present = Device.objects.present().filter(attempt=attempt)
    return list(proof.with_sign_ins(present.as_shown(), came_back=came_back).order_by("pk"))


def _has_questions(attempt: OnboardingSession, devices: list[Device]) -> bool:
    """Whether one of its devices waits for the customer's word, or another where it has none."""
    if devices or attempt.state != State.LINKED:
        return any(device.standing == "unconfirmed" for device in devices)
    return Device.objects.for_customer(attempt.podero_user).unconfirmed().exists()


def _next_try_ms(attempt: OnboardingSession) -> int | None:
    """In how many milliseconds the page of a `started` attempt tries again by itself."""
    if attempt.state != State.STARTED or attempt.tries > _TRIES_BY_ITSELF:
        return None
    if attempt.next_try_at is None:
        # Another click is being worked on.
        return random.randint(_POLL_MS, 3 * _POLL_MS)  # noqa: S311
    wait = attempt.next_try_at - timezone.now()
    return max(int(wait.total_seconds() * 1000), random.randint(1000, _POLL_MS))  # noqa: S311


@require_safe
def attempt_status(request: HttpRequest, reference: UUID) -> HttpResponse:
    """The state as JSON: `state`, `is_final`, `is_settled`, and when to ask again (null: need not).

    A linked attempt is settled once its devices do what is wanted of them.
    """
    customer = signed_in_customer(request)
    if customer is None:
        return JsonResponse({"detail": "Sign in first."}, status=401)
    shown = _attempt(customer, reference)
    is_settled = not any(device.is_switch_pending for device in shown.devices.all())
    return JsonResponse(
        {
            "state": shown.state,
            "is_final": shown.is_final,
            "is_settled": is_settled,
            "next_poll_ms": None if shown.is_final and is_settled else _POLL_MS,
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
    except throttling.TooOften as error:
        return too_often(request, retry_at=error.retry_at, what="attempt")
    if successor.state != State.STARTED:
        return redirect("attempt", successor.reference)
    return send_to_hosted_form(request, successor)


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def check_attempt(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """Ask Podero again now: after a return, or because the customer finished on another phone.

    Pressed again and again, Podero is not asked each time; what has come of it shows anyway.
    """
    shown = _attempt(customer, reference)
    if request.method == "POST":
        ask = returning.verify_return if shown.state == State.RETURNED else lookups.look_up_attempt
        with suppress(TooManyWaiting), place_in_line() as client:
            now = timezone.now()
            if throttling.may_look_again(customer=customer, now=now):
                ask(client=client, attempt=shown, now=now)
    return redirect("attempt", shown.reference)
