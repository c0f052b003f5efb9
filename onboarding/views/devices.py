from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, FilteredRelation, Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from onboarding.clients import TooManyWaiting, place_in_line
from onboarding.flows import confirming, doubles, keeping, proof
from onboarding.flows import devices as device_flow
from onboarding.models import Consent, Device, PoderoUser
from onboarding.models.device_queries import DeviceQuerySet
from onboarding.states import UNFINISHED, State
from onboarding.tasks import nudge, refresh_devices, switch_customer_devices
from onboarding.views.access import customer_required, signed_in_customer
from onboarding.views.coming_back import came_back_with

_SHOWN_CONSENTS = 20
_SHOWN_ATTEMPTS = 3
# While something that the customer wished has yet to show, and otherwise.
_POLL_MS = 3000
_QUIET_POLL_MS = 30000
# Older than this, a page says that what it shows may have changed.
_OLD = timedelta(hours=1)


@dataclass(frozen=True)
class Unfinished:
    """What the page tells of an attempt that is still under way."""

    reference: UUID
    state: str
    started_at: datetime


@require_safe
@customer_required
def devices(request: HttpRequest, customer: PoderoUser) -> HttpResponse:
    """What is linked, what works and what needs the customer, as last heard from Podero."""
    now = timezone.now()
    came_back = came_back_with(request)
    shown = list(proof.with_sign_ins(_devices_of(customer), came_back=came_back))
    is_stale = device_flow.is_stale(devices=shown, now=now)
    if device_flow.is_refresh_due(customer=customer, devices=shown, now=now):
        nudge(refresh_devices, customer_id=customer.pk)
    consents, attempts = _agreements(customer)
    return render(
        request,
        "onboarding/devices.html",
        {
            "customer": customer,
            "devices": shown,
            "doubles": doubles.find_doubles(shown),
            "consents": consents,
            "attempts": attempts,
            "old_before": now - _OLD,
            "status_url": resolve_url("devices_status") + ("?aged=1" if is_stale else ""),
            "news": _fingerprint(shown, is_aged=is_stale),
            "barred": confirming.barred_devices(shown, came_back=came_back),
        },
    )


@require_safe
def devices_status(request: HttpRequest) -> HttpResponse:
    """As JSON: `state`, which changes with what the page shows, and when to ask again.

    `aged=1` comes from a page that shows stale data: to it, fresher data is news in itself.
    """
    customer = signed_in_customer(request)
    if customer is None:
        return JsonResponse({"detail": "Sign in first."}, status=401)
    now = timezone.now()
    shown = list(_devices_of(customer))
    if device_flow.is_refresh_due(customer=customer, devices=shown, now=now):
        nudge(refresh_devices, customer_id=customer.pk)
    is_aged = request.GET.get("aged") == "1"
    is_waiting = any(device.is_waiting_for_podero for device in shown)
    return JsonResponse(
        {
            "state": _fingerprint(shown, is_aged=is_aged),
            "is_final": False,
            "next_poll_ms": _POLL_MS if is_waiting or is_aged else _QUIET_POLL_MS,
        }
    )


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def look_again(request: HttpRequest, customer: PoderoUser) -> HttpResponse:
    """Ask Podero now; the page then tells how old the news is, whatever came of it."""
    if request.method == "POST":
        with suppress(TooManyWaiting), place_in_line() as client:
            device_flow.refresh_for_viewer(client=client, customer=customer, now=timezone.now())
    return redirect("devices")


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def confirm_device(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """ "Yes, this is my device": only now is it to be optimized."""
    own = Device.objects.for_customer(customer).select_related("attempt")
    device = get_object_or_404(own, reference=reference)
    if request.method == "POST":
        try:
            confirming.confirm_device(
                device=device,
                came_back=came_back_with(request),
                now=timezone.now(),
            )
        except (keeping.HasLeft, confirming.ReturnedElsewhere):
            # My devices says which of the two, and what can be done.
            return redirect("devices")
        nudge(switch_customer_devices, customer_id=customer.pk)
        # What it reports was not kept before.
        nudge(refresh_devices, customer_id=customer.pk)
    return redirect("devices")


def _devices_of(customer: PoderoUser) -> DeviceQuerySet:
    present = Device.objects.for_customer(customer).present()
    return present.as_shown().order_by("-linked_at", "-pk")


def _agreements(customer: PoderoUser) -> tuple[list[Consent], list[Unfinished]]:
    """What was agreed to and what is still under way because of it, newest first; one query."""
    under_way = FilteredRelation("attempts", condition=Q(attempts__state__in=UNFINISHED))
    rows: Iterable[Any] = (
        customer.consents.annotate(under_way=under_way)
        .annotate(
            attempt_reference=F("under_way__reference"),
            attempt_state=F("under_way__state"),
            attempt_started_at=F("under_way__started_at"),
            successor=F("under_way__continued_by"),
            state_before=F("under_way__continues__state"),
        )
        .order_by("-given_at", "-pk")[: 2 * _SHOWN_CONSENTS]
    )
    consents: dict[int, Consent] = {}
    attempts: list[Unfinished] = []
    for row in rows:
        consents.setdefault(row.pk, row)
        is_settled = row.successor is not None or row.state_before == State.LINKED
        if row.attempt_reference is not None and not is_settled:
            attempts.append(
                Unfinished(row.attempt_reference, row.attempt_state, row.attempt_started_at)
            )
    attempts.sort(key=lambda attempt: attempt.started_at, reverse=True)
    return list(consents.values())[:_SHOWN_CONSENTS], attempts[:_SHOWN_ATTEMPTS]


def _fingerprint(devices: list[Device], *, is_aged: bool) -> str:
    """Changes when a card says something else; not with every watt, which would only disturb."""
    cards = [
        (
            str(device.reference),
            device.standing,
            device.charging.state,
            device.reported.cable,
            device.reported.mode,
            device.reported.connection,
            device.savings,
        )
        for device in devices
    ]
    read_at = sorted(device.checked_at.isoformat() for device in devices) if is_aged else []
    told = json.dumps([cards, read_at[:1]])
    return hashlib.sha256(told.encode()).hexdigest()[:16]
