"""The way back from the hosted form. Each answer is a redirect: no key stays in the address bar."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_safe

from onboarding.clients import TooManyWaiting, place_in_line
from onboarding.flows import devices, returning
from onboarding.models import OnboardingSession
from onboarding.states import State
from onboarding.tasks import (
    look_up_attempt,
    nudge,
    switch_customer_devices,
    verify_return,
)
from onboarding.views.access import signed_in_customer, to_entrance
from onboarding.views.leaving import has_left_with


@require_safe
def success(request: HttpRequest, token: str) -> HttpResponse:
    return _without_trace(_come_back(request, token, _take_up_success))


@require_safe
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    return _without_trace(_come_back(request, token, _take_up_cancel))


@require_safe
def unknown(request: HttpRequest) -> HttpResponse:
    return render(request, "onboarding/returns/unknown.html", status=404)


@require_safe
def other_customer(request: HttpRequest) -> HttpResponse:
    return render(request, "onboarding/returns/other_customer.html", status=403)


def _come_back(
    request: HttpRequest,
    token: str,
    take_up: Callable[[HttpRequest, OnboardingSession], None],
) -> HttpResponse:
    attempts = OnboardingSession.objects.with_token(token)
    attempt = attempts.select_related("podero_user", "consent").first()
    if attempt is None:
        return redirect("return_unknown")
    if not request.user.is_authenticated:
        if attempt.note_return_seen(at=timezone.now()):
            nudge(look_up_attempt, attempt_id=attempt.pk)
        return to_entrance(request, back_to=resolve_url("attempt", attempt.reference))
    if signed_in_customer(request) != attempt.podero_user:
        return redirect("return_other_customer")
    if request.method == "GET":
        take_up(request, attempt)
    return redirect("attempt", attempt.reference)


def _without_trace(response: HttpResponse) -> HttpResponse:
    """Neither the next page nor a cache may learn the address that carries the token."""
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _take_up_success(request: HttpRequest, attempt: OnboardingSession) -> None:
    now = timezone.now()
    returning.record_return(
        attempt=attempt,
        device_id=_returned_device_id(request),
        is_matched=has_left_with(request, attempt),
        now=now,
    )
    try:
        with place_in_line() as client:
            returning.verify_return(client=client, attempt=attempt, now=now)
            for device in attempt.devices.due(now=now).select_related("podero_user", "attempt"):
                devices.switch_optimization(client=client, device=device, now=now)
    except TooManyWaiting:
        nudge(switch_customer_devices, customer_id=attempt.podero_user_id)
    if attempt.state == State.RETURNED:
        nudge(verify_return, attempt_id=attempt.pk)


def _take_up_cancel(_request: HttpRequest, attempt: OnboardingSession) -> None:
    returning.record_cancel(attempt=attempt, now=timezone.now())


def _returned_device_id(request: HttpRequest) -> UUID | None:
    """What Podero appended, if it is an id at all: a hint either way."""
    try:
        return UUID(request.GET.get("deviceId", ""))
    except ValueError:
        return None
