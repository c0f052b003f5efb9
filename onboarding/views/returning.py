"""The way back from the hosted form. Each answer is a redirect: no key stays in the address bar."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_safe

from onboarding.clients import TooManyWaiting, place_in_line
from onboarding.flows import devices, returning
from onboarding.models import OnboardingSession, PoderoUser
from onboarding.states import Event, State
from onboarding.tasks import (
    look_up_attempt,
    nudge,
    switch_customer_devices,
    verify_return,
)
from onboarding.views.access import customer_required, signed_in_customer, to_entrance
from onboarding.views.coming_back import (
    device_id_come_back_with,
    device_id_in_address,
    has_come_back,
    remember_coming_back,
    return_address,
    return_of_another,
)
from onboarding.views.leaving import has_left_with


@require_safe
@return_address
def success(request: HttpRequest, token: str) -> HttpResponse:
    attempt = _attempt_of(OnboardingSession.objects.with_success_token(token))
    if attempt is None:
        return redirect("return_unknown")
    device_id = device_id_in_address(request)
    if request.method == "GET":
        remember_coming_back(request, attempt.reference, device_id)
    if signed_in_customer(request) != attempt.podero_user:
        return _note_foreign(request, attempt, is_success=True)
    if request.method == "GET":
        _take_up_success(request, attempt, device_id=device_id)
    return redirect("attempt", attempt.reference)


@require_safe
@return_address
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    attempt = _attempt_of(OnboardingSession.objects.with_cancel_token(token))
    if attempt is None:
        return redirect("return_unknown")
    if signed_in_customer(request) != attempt.podero_user:
        return _note_foreign(request, attempt, is_success=False)
    if request.method == "GET":
        returning.record_cancel(attempt=attempt, now=timezone.now())
    return redirect("attempt", attempt.reference)


@require_safe
def unknown(request: HttpRequest) -> HttpResponse:
    return render(request, "onboarding/returns/unknown.html", status=404)


@require_safe
def other_customer(request: HttpRequest) -> HttpResponse:
    return render(request, "onboarding/returns/other_customer.html", status=403)


@require_safe
@customer_required
def resume(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """The customer has signed in in the browser that came back: now the return is theirs.

    Unless it is another's: somebody may have been led to Podero's page by a link that was not
    made for them.
    """
    own = OnboardingSession.objects.for_customer(customer).select_related("consent")
    attempt = own.filter(reference=reference).first()
    if attempt is None:
        return return_of_another(request, reference)
    attempt.podero_user = customer
    if request.method == "GET" and has_come_back(request, reference):
        device_id = device_id_come_back_with(request, reference)
        _take_up_success(request, attempt, device_id=device_id)
    return redirect("attempt", attempt.reference)


def _attempt_of(found: QuerySet[OnboardingSession]) -> OnboardingSession | None:
    return found.select_related("podero_user", "consent").first()


def _note_foreign(
    request: HttpRequest, attempt: OnboardingSession, *, is_success: bool
) -> HttpResponse:
    """Nothing is believed of a browser in which the customer is not signed in; it is noted."""
    is_stranger = not request.user.is_authenticated
    event = Event.RETURN_SEEN if is_stranger else Event.RETURN_SEEN_BY_OTHER
    # A HEAD request comes from a link scanner, not from a person.
    if request.method == "GET":
        now = timezone.now()
        if attempt.note_return_seen(event, at=now, is_success=is_success):
            nudge(look_up_attempt, attempt_id=attempt.pk)
    if is_stranger:
        return to_entrance(request, back_to=resolve_url("resume_return", attempt.reference))
    return redirect("return_other_customer")


def _take_up_success(
    request: HttpRequest, attempt: OnboardingSession, *, device_id: UUID | None
) -> None:
    now, is_matched = timezone.now(), has_left_with(request, attempt)
    returning.record_return(attempt=attempt, device_id=device_id, is_matched=is_matched, now=now)
    try:
        with place_in_line() as client:
            returning.verify_return(client=client, attempt=attempt, now=now)
            for device in attempt.devices.due(now=now).select_related("podero_user", "attempt"):
                devices.switch_optimization(client=client, device=device, now=now)
    except TooManyWaiting:
        nudge(switch_customer_devices, customer_id=attempt.podero_user_id)
    if not is_matched:
        nudge(look_up_attempt, attempt_id=attempt.pk)
    if attempt.state == State.RETURNED:
        nudge(verify_return, attempt_id=attempt.pk)
