"""The form itself: device type, manufacturer, login, result. Works without JavaScript."""

from __future__ import annotations

import hmac
from urllib.parse import urlencode

from flask import Response, request, url_for

from simulator.clock import timestamp
from simulator.hosted.linking import Choice, UnableToUseSession, complete, get_usable_session
from simulator.hosted.manufacturer import authorize_address
from simulator.hosted.pages import demo_logins, hosted, leave_to, page
from simulator.records import OnboardingSession
from simulator.runtime import simulator
from simulator.vocabulary import DEVICE_TYPES, Manufacturer, accepts_login, find_manufacturer


def session_id() -> str:
    """Return the id from the address or the submitted form."""
    return request.values.get("onboarding_session_id", "")


def load_session() -> OnboardingSession:
    """Return the session of this request. Raises UnableToUseSession."""
    running = simulator()
    with running.store.lock:
        return get_usable_session(running, session_id())


@hosted.get("/")
def start() -> Response:
    """Show the step that comes next: type, manufacturer, then the way to log in."""
    session = load_session()
    device_type = session.device_type or request.args.get("device_type", "")
    kind = DEVICE_TYPES.get(device_type)
    if kind is None:
        # The hidden field tells a submitted form without a choice from a first visit.
        is_missing = "chosen" in request.args
        return page(
            "hosted/device_type.html",
            session=session,
            kinds=DEVICE_TYPES.values(),
            is_missing=is_missing,
            status=422 if is_missing else 200,
        )
    maker = find_manufacturer(kind.code, request.args.get("manufacturer", ""))
    if maker is None:
        is_missing = request.args.get("chosen") == "manufacturer"
        return page(
            "hosted/manufacturer.html",
            session=session,
            kind=kind,
            is_missing=is_missing,
            status=422 if is_missing else 200,
        )
    if maker.login == "oauth":
        return leave_to(authorize_address(session, kind.code, maker))
    return _login_page(session, kind.code, maker)


@hosted.post("/login")
def login() -> Response:
    """Check the manufacturer's login in the background, as for Tesla."""
    session = load_session()
    device_type = session.device_type or request.form.get("device_type", "")
    maker = find_manufacturer(device_type, request.form.get("manufacturer", ""))
    if maker is None:
        return leave_to(f"/?{urlencode({'onboarding_session_id': session.id})}", 303)
    username = request.form.get("username", "")
    if not accepts_login(maker, username, request.form.get("password", "")):
        return _login_page(session, device_type, maker, username=username, is_refused=True)
    return finish(session.id, Choice(device_type, maker, username.strip().lower()))


@hosted.get("/connected")
def connected() -> Response:
    """Show that it worked, with the button that leads back."""
    running = simulator()
    with running.store.lock:
        session = running.store.sessions.get(session_id())
    receipt = request.args.get("receipt", "")
    if session is None or session.receipt is None:
        raise UnableToUseSession("unknown", session)
    if not hmac.compare_digest(session.receipt.encode(), receipt.encode()):
        raise UnableToUseSession("completed", session)
    return page("hosted/connected.html", session=session)


@hosted.get("/cancel")
def cancel() -> Response:
    """Give up: back to the cancel address, unchanged. The session stays usable."""
    session = load_session()
    store = simulator().store
    with store.lock:
        session.cancelled_at = timestamp()
        store.changed()
    return leave_to(session.cancel_url)


def finish(session_id: str, choice: Choice) -> Response:
    """Connect the device and go to the success page."""
    completion = complete(simulator(), session_id, choice)
    return leave_to(
        url_for("hosted.connected", onboarding_session_id=session_id, receipt=completion.receipt),
        303,
    )


def _login_page(
    session: OnboardingSession,
    device_type: str,
    maker: Manufacturer,
    *,
    username: str = "",
    is_refused: bool = False,
) -> Response:
    return page(
        "hosted/login.html",
        session=session,
        device_type=device_type,
        maker=maker,
        demo=demo_logins(maker),
        username=username,
        is_refused=is_refused,
        status=401 if is_refused else 200,
    )
