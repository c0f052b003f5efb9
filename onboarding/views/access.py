"""Who may see a page, and where to send whoever may not."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import Resolver404, resolve
from django.utils import timezone

from onboarding.models import Device, PoderoUser, Reconnection

Params = ParamSpec("Params")

_RETURN_TO = "return_to"


def signed_in_customer(request: HttpRequest) -> PoderoUser | None:
    """The customer of this browser; None for strangers and for staff, who are no customers."""
    user: User | AnonymousUser = request.user
    if not isinstance(user, User) or user.is_staff:
        return None
    return PoderoUser.objects.of(user)


def customer_required(
    view: Callable[Concatenate[HttpRequest, PoderoUser, Params], HttpResponse],
) -> Callable[Concatenate[HttpRequest, Params], HttpResponse]:
    """Hand the view its customer, with the clock set to the customer's time zone."""

    @wraps(view)
    def wrapper(
        request: HttpRequest, /, *args: Params.args, **kwargs: Params.kwargs
    ) -> HttpResponse:
        if not request.user.is_authenticated:
            return to_entrance(request, back_to=request.get_full_path())
        customer = signed_in_customer(request)
        if customer is None:
            return render(request, "onboarding/staff_account.html", status=403)
        with timezone.override(customer.timezone):
            return view(request, customer, *args, **kwargs)

    return wrapper


def to_entrance(request: HttpRequest, *, back_to: str) -> HttpResponse:
    """Send a stranger to the portal or the sign-in page, and remember where they wanted to go."""
    request.session[_RETURN_TO] = back_to
    entrance = settings.PORTAL_URL or resolve_url(settings.LOGIN_URL)
    separator = "&" if "?" in entrance else "?"
    return redirect(f"{entrance}{separator}{urlencode({'next': back_to})}")


def is_way_back(path: str) -> bool:
    """Whether the page is where a return is taken up after signing in."""
    try:
        return resolve(urlsplit(path).path).url_name in {"resume_return", "resume_reconnection"}
    except Resolver404:
        return False


def remembered_page(request: HttpRequest, customer: PoderoUser) -> str:
    """Where a stranger wanted to go before being sent to the entrance; once.

    Nothing when the page belongs to another customer, who used this browser before. Where it is
    the way back from Podero, whoever signs in is to learn that it was not theirs.
    """
    path = str(request.session.pop(_RETURN_TO, "") or "")
    try:
        reference = resolve(urlsplit(path).path).kwargs.get("reference")
    except Resolver404:
        return ""
    is_theirs = reference is None or is_way_back(path) or _has(customer, reference)
    return path if is_theirs else ""


def _has(customer: PoderoUser, reference: UUID) -> bool:
    """Whether something with this reference, whatever it is, is the customer's."""
    own = (
        customer.attempts,
        customer.consents,
        Device.objects.for_customer(customer),
        Reconnection.objects.for_customer(customer),
    )
    return any(rows.filter(reference=reference).exists() for rows in own)
