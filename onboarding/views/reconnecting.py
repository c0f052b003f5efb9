"""Renewing the login of a device: out to the manufacturer, back, and one page for how it stands."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from onboarding.clients import TooManyWaiting, place_in_line
from onboarding.flows import confirming, devices, keeping, proof, reconnecting, throttling
from onboarding.models import Device, PoderoUser, Reconnection
from onboarding.models.reconnections import ReconnectionQuerySet
from onboarding.tasks import look_who_signed_in, nudge, take_up_reconnection
from onboarding.views.access import customer_required, signed_in_customer, to_entrance
from onboarding.views.coming_back import (
    came_back_with,
    device_id_come_back_with,
    device_id_in_address,
    has_come_back,
    remember_coming_back,
    return_address,
    return_of_another,
)
from onboarding.views.leaving import has_left_with, remember_leaving
from onboarding.views.problems import too_often

_POLL_MS = 3000


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def reconnect(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """Straight to where the login is renewed when Podero answers; to a page of ours if not."""
    own = Device.objects.for_customer(customer).select_related("attempt", "podero_user")
    device = get_object_or_404(own, reference=reference)
    if request.method != "POST":
        return redirect("devices")
    now = timezone.now()
    try:
        started = reconnecting.start_reconnection(device=device, now=now)
    except (keeping.HasLeft, reconnecting.NothingToReconnect):
        return redirect("devices")
    except throttling.TooOften as error:
        return too_often(request, retry_at=error.retry_at, what="reconnection")
    try:
        with place_in_line() as client:
            address = reconnecting.open_sign_in(client=client, reconnection=started, now=now)
    except TooManyWaiting:
        reconnecting.give_up_waiting(reconnection=started, now=now)
    except (reconnecting.AlreadyReconnecting, reconnecting.UnableToReconnect):
        pass
    else:
        remember_leaving(request, started)
        return HttpResponseRedirect(address)
    return redirect("reconnection", started.reference)


@require_safe
@customer_required
def reconnection(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """One page for every state; safe to reload and to bookmark."""
    shown = _reconnection(customer, reference)
    if shown.device.is_removal_wanted:
        return redirect("remove_device", shown.device.reference)
    came_back = came_back_with(request)
    unconfirmed = Device.objects.for_customer(customer).unconfirmed()
    unconfirmed = proof.with_sign_ins(unconfirmed, came_back=came_back)
    asked = list(unconfirmed.select_related("attempt__consent").order_by("pk"))
    return render(
        request,
        f"onboarding/reconnections/{shown.state}.html",
        {
            "reconnection": shown,
            "customer": customer,
            "device": shown.device,
            "asked": asked if shown.is_final else [],
            "barred": confirming.barred_devices(asked, came_back=came_back),
        },
    )


@require_safe
def reconnection_status(request: HttpRequest, reference: UUID) -> HttpResponse:
    """The state as JSON: `state`, `is_final`, and when to ask again (null: need not)."""
    customer = signed_in_customer(request)
    if customer is None:
        return JsonResponse({"detail": "Sign in first."}, status=401)
    shown = _reconnection(customer, reference)
    return JsonResponse(
        {
            "state": shown.state,
            "is_final": shown.is_final,
            "next_poll_ms": None if shown.is_final else _POLL_MS,
        }
    )


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def check_reconnection(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """Ask Podero again now; pressed again and again, not each time."""
    shown = _reconnection(customer, reference)
    if (
        request.method == "POST"
        and shown.state == Reconnection.State.RETURNED
        and throttling.may_look_again(customer=customer, now=timezone.now())
    ):
        _take_up(shown)
    return redirect("reconnection", shown.reference)


@require_safe
@return_address
def success(request: HttpRequest, token: str) -> HttpResponse:
    found = Reconnection.objects.with_success_token(token).with_device().first()
    if found is None:
        return redirect("return_unknown")
    device_id = device_id_in_address(request)
    if request.method == "GET":
        remember_coming_back(request, found.reference, device_id)
    if signed_in_customer(request) != found.device.podero_user:
        return _note_foreign(request, found, is_success=True)
    if request.method == "GET":
        _take_up_success(request, found, device_id=device_id)
    return redirect("reconnection", found.reference)


@require_safe
@return_address
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    found = Reconnection.objects.with_cancel_token(token).with_device().first()
    if found is None:
        return redirect("return_unknown")
    if signed_in_customer(request) != found.device.podero_user:
        return _note_foreign(request, found, is_success=False)
    if request.method == "GET":
        reconnecting.record_cancel(reconnection=found, now=timezone.now())
        nudge(take_up_reconnection, reconnection_id=found.pk)
    return redirect("reconnection", found.reference)


@require_safe
@customer_required
def resume(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """The customer has signed in in the browser that came back: now the return is theirs."""
    found = _own(customer).filter(reference=reference).first()
    if found is None:
        return return_of_another(request, reference)
    if request.method == "GET" and has_come_back(request, reference):
        device_id = device_id_come_back_with(request, reference)
        _take_up_success(request, found, device_id=device_id)
    return redirect("reconnection", found.reference)


def _reconnection(customer: PoderoUser, reference: UUID) -> Reconnection:
    return get_object_or_404(_own(customer), reference=reference)


def _own(customer: PoderoUser) -> ReconnectionQuerySet:
    return Reconnection.objects.for_customer(customer).with_device()


def _note_foreign(request: HttpRequest, found: Reconnection, *, is_success: bool) -> HttpResponse:
    # Somebody may have signed in with another account than the customer's: look soon.
    now = timezone.now()
    if request.method == "GET" and found.note_return_seen(at=now, is_success=is_success):
        nudge(look_who_signed_in, customer_id=found.device.podero_user_id)
    if request.user.is_authenticated:
        return redirect("return_other_customer")
    return to_entrance(request, back_to=resolve_url("resume_reconnection", found.reference))


def _take_up_success(request: HttpRequest, found: Reconnection, *, device_id: UUID | None) -> None:
    is_matched = has_left_with(request, found)
    reconnecting.record_return(
        reconnection=found, device_id=device_id, is_matched=is_matched, now=timezone.now()
    )
    if found.state == Reconnection.State.RETURNED:
        _take_up(found)
        if not is_matched:
            nudge(look_who_signed_in, customer_id=found.device.podero_user_id)


def _take_up(found: Reconnection) -> None:
    now = timezone.now()
    with suppress(TooManyWaiting), place_in_line() as client:
        reconnecting.take_up(client=client, reconnection=found, now=now)
        # What may be another device now is switched off at once.
        due = Device.objects.due(now=now).filter(podero_user=found.device.podero_user_id)
        for device in due.select_related("podero_user", "attempt"):
            devices.switch_optimization(client=client, device=device, now=now)
    if not found.is_final or found.next_try_at is not None:
        nudge(take_up_reconnection, reconnection_id=found.pk)
