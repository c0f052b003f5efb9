"""What a customer may do with one device: pause, resume, charge now, and take that back."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from onboarding import podero
from onboarding.clients import TooManyWaiting, longest_wait, place_in_line
from onboarding.flows import charging, keeping, pausing
from onboarding.flows.devices import switch_optimization
from onboarding.models import ChargeWish, Device, PoderoUser
from onboarding.tasks import charge_device, nudge, switch_customer_devices
from onboarding.views.access import customer_required


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def pause(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    device = _device(customer, reference)
    if request.method == "POST":
        pausing.pause_device(device=device, now=timezone.now())
        with podero.within(longest_wait()):
            _switch(device)
            _carry_out_wish(device)
    return _to_card(device)


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def resume(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    device = _device(customer, reference)
    if request.method == "POST":
        with suppress(keeping.HasLeft):
            pausing.resume_device(device=device, now=timezone.now())
            _switch(device)
    return _to_card(device)


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def charge(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    device = _device(customer, reference)
    if request.method == "POST":
        with suppress(keeping.HasLeft, charging.CannotBeCharged):
            charging.charge_now(device=device, now=timezone.now())
            _carry_out_wish(device)
    return _to_card(device)


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def do_not_charge(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    device = _device(customer, reference)
    if request.method == "POST":
        charging.do_not_charge_now(device=device, now=timezone.now())
        _carry_out_wish(device)
    return _to_card(device)


def _device(customer: PoderoUser, reference: UUID) -> Device:
    own = Device.objects.for_customer(customer).as_shown()
    return get_object_or_404(own, reference=reference)


def _switch(device: Device) -> None:
    """Try at once, in the customer's own request; what that does not settle is tried on."""
    with suppress(TooManyWaiting), place_in_line() as client:
        switch_optimization(client=client, device=device, now=timezone.now())
    device.refresh_from_db(fields=["is_optimization_active", "is_optimization_in_doubt"])
    if not device.is_settled:
        nudge(switch_customer_devices, customer_id=device.podero_user_id)


def _carry_out_wish(device: Device) -> None:
    wishes = ChargeWish.objects.select_related("device__podero_user", "device__attempt")
    wish = wishes.filter(device=device).first()
    if wish is None:
        return
    with suppress(TooManyWaiting), place_in_line() as client:
        charging.carry_out(client=client, wish=wish, now=timezone.now())
    if ChargeWish.objects.filter(pk=wish.pk, answer="").exists():
        nudge(charge_device, wish_id=wish.pk)


def _to_card(device: Device) -> HttpResponse:
    """Back to the device's own card, wherever it stands on the page."""
    return HttpResponseRedirect(f"{resolve_url('devices')}#device-{device.reference}")
