"""Signing in with a password is counted by django-axes; this is what it counts, and for whom.

An account is closed for a while after too many wrong passwords from *unknown* browsers. A browser
in which somebody has signed in to the account before shows a signed cookie and is counted by
itself, so a stranger who keeps an account closed does not keep its owner out. Addresses are closed
only after many more failures. What is counted never stands in the way of a hand-off.

Names and browsers are kept as digests, addresses as they are, nothing else at all; after the
period nothing of it counts, and within the hour it is gone.
https://django-axes.readthedocs.io/en/latest/4_configuration.html
"""

from __future__ import annotations

import copy
import ipaddress
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.core.signing import BadSignature
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone

from onboarding.flows import throttling
from onboarding.flows.sign_in_failures import account_digest

_KNOWN_BROWSER_SECONDS = 365 * 24 * 3600
_SALT = "onboarding.known-browser"


def client_address(request: HttpRequest) -> str | None:
    """Whose request it is: an IPv4 address or an IPv6 network; None where that cannot be known.

    Each of TRUSTED_PROXIES appends to X-Forwarded-For whom it was asked by; what stands further
    left is what the client claims.
    """
    said = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if 0 < settings.TRUSTED_PROXIES <= len(hops):
        said = hops[-settings.TRUSTED_PROXIES] or said
    try:
        address = ipaddress.ip_address(said)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        # One customer has a whole network of these.
        return str(ipaddress.IPv6Network((int(address), 64), strict=False).network_address)
    return str(address)


def counted_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """For which account and which browser a try with these credentials counts."""
    given = credentials if credentials is not None else request.POST
    account = account_digest(str(given.get("username") or ""))
    known_account, _dot, browser = _known_browser(request).partition(".")
    return f"{account}.{browser}" if browser and known_account == account else account


class Handler(AxesDatabaseHandler):  # type: ignore[misc]  # axes has no types
    """Keeps digests and addresses only, and gives an address more tries than an account."""

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: Any = None, **kwargs: Any
    ) -> None:
        # Rows are told apart by the browser's name too, and would hold what was sent with it.
        bare = copy.copy(request)
        bare.GET = bare.POST = QueryDict()
        bare.axes_user_agent = bare.axes_http_accept = bare.axes_path_info = ""
        super().user_login_failed(sender, credentials, bare, **kwargs)
        request.axes_locked_out = bare.axes_locked_out
        request.axes_credentials = bare.axes_credentials

    def user_logged_in(self, sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
        """Forget the owner's own slips; those of others, from elsewhere, go on counting."""
        if not user.has_usable_password():
            return
        name = counted_name(request, {"username": user.get_username()})
        AccessAttempt.objects.filter(username=name, ip_address=request.axes_ip_address).delete()
        request.signed_in_to = account_digest(user.get_username())

    def user_logged_out(self, sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
        """Nothing is kept about it."""

    def get_failures(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        """The failures of the account, or the address's share of them where that is more."""
        return max(
            _failures(rows) * settings.THROTTLE_PER_ACCOUNT // limit
            for rows, limit in self.counted(request, credentials)
        )

    def counted(self, request: Any, credentials: dict[str, Any] | None) -> list[tuple[Any, int]]:
        """What counts for this account and for this address, each with its limit."""
        of_account, of_address = self.get_user_attempts(request, credentials)
        counted = [(of_account, settings.THROTTLE_PER_ACCOUNT)]
        if request.axes_ip_address:
            counted.append((of_address, settings.THROTTLE_PER_ADDRESS))
        return counted


def locked_until(request: HttpRequest, credentials: dict[str, Any] | None) -> datetime:
    """When somebody who has been locked out may try again."""
    moments: list[datetime] = [
        rows.aggregate(last=Max("attempt_time"))["last"] + throttling.period()
        for rows, limit in Handler().counted(request, credentials)
        if _failures(rows) >= limit
    ]
    return max([timezone.now(), *moments])


def _failures(rows: Any) -> int:
    return rows.aggregate(failures=Sum("failures_since_start"))["failures"] or 0


def remember_browser(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """After a sign-in with a password, let the browser show next time that it was there."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        account = getattr(request, "signed_in_to", "")
        if account and not _known_browser(request).startswith(f"{account}."):
            response.set_signed_cookie(
                settings.KNOWN_BROWSER_COOKIE_NAME,
                f"{account}.{secrets.token_hex(8)}",
                salt=_SALT,
                max_age=_KNOWN_BROWSER_SECONDS,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response

    return middleware


def _known_browser(request: HttpRequest) -> str:
    try:
        cookie = request.get_signed_cookie(
            settings.KNOWN_BROWSER_COOKIE_NAME, salt=_SALT, max_age=_KNOWN_BROWSER_SECONDS
        )
    except (KeyError, BadSignature):
        return ""
    return str(cookie)
