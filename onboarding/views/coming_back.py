"""What a browser remembers of having come back, whoever was signed in in it then.

Kept in the browser's own session and carried over signing in and out: of two browsers only the one
that came back from the hosted form may vouch for a device when the other one had left for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from uuid import UUID

from django.core.exceptions import TooManyFieldsSent
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect

from onboarding.sessions import CAME_BACK_WITH, REMEMBERED

_PREFETCH_HEADERS = ("Sec-Purpose", "Purpose", "X-Moz")


def return_address(
    view: Callable[[HttpRequest, str], HttpResponse],
) -> Callable[[HttpRequest, str], HttpResponse]:
    """For an address that carries a token: acts on a visit only, and leaves no trace of itself.

    Neither the next page nor a cache may learn the address. A browser that merely guesses that
    the customer will go there is turned away, and comes again when they do. What Podero has
    `appended` to the path, since it did not begin a query, changes nothing.
    """

    @wraps(view)
    def wrapper(request: HttpRequest, token: str, appended: str = "") -> HttpResponse:
        response = HttpResponse(status=503) if _is_prefetch(request) else view(request, token)
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    return wrapper


def _is_prefetch(request: HttpRequest) -> bool:
    return any("prefetch" in request.headers.get(name, "") for name in _PREFETCH_HEADERS)


def device_id_in_address(request: HttpRequest) -> UUID | None:
    """What Podero appended, if it is an id at all: a hint either way.

    How it joins what it appends is not documented: "&deviceId=…" without a "?" is read as well.
    """
    match = request.resolver_match
    in_path = match.kwargs.get("appended", "") if match else ""
    given = None
    # Thousands of parameters are nobody's; they do not keep the key in the address bar either.
    with suppress(TooManyFieldsSent):
        given = request.GET.get("deviceId") or QueryDict(in_path.lstrip("?&")).get("deviceId")
    return _device_id(given or "")


def remember_coming_back(request: HttpRequest, reference: UUID, device_id: UUID | None) -> None:
    """This browser came back through success with `reference`, naming the device or not."""
    remembered = {**_remembered(request)}
    remembered.pop(str(reference), None)
    remembered[str(reference)] = str(device_id or "")
    request.session[CAME_BACK_WITH] = dict(list(remembered.items())[-REMEMBERED:])


def has_come_back(request: HttpRequest, reference: UUID) -> bool:
    return reference in came_back_with(request)


def return_of_another(request: HttpRequest, reference: UUID) -> HttpResponse:
    """What whoever is signed in now is told of a return that is not theirs; raises Http404."""
    if not has_come_back(request, reference):
        raise Http404
    return redirect("return_other_customer")


def device_id_come_back_with(request: HttpRequest, reference: UUID) -> UUID | None:
    return came_back_with(request).get(reference)


def came_back_with(request: HttpRequest) -> dict[UUID, UUID | None]:
    """What this browser has come back with, and the device that each return named, if any."""
    return {UUID(reference): _device_id(named) for reference, named in _remembered(request).items()}


@contextmanager
def kept_across(request: HttpRequest) -> Iterator[None]:
    """Carry this one memory over a change of who is signed in, which empties the session."""
    remembered = _remembered(request)
    yield
    if remembered:
        request.session[CAME_BACK_WITH] = remembered


def _remembered(request: HttpRequest) -> dict[str, str]:
    remembered: dict[str, str] = request.session.get(CAME_BACK_WITH, {})
    return remembered


def _device_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
