"""A pretend manufacturer's own site: sign in, allow access, back to the form (OAuth)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response, request
from itsdangerous import BadSignature, URLSafeSerializer

from simulator.hosted.linking import Choice, UnableToUseSession, complete, get_usable_session
from simulator.hosted.pages import demo_logins, hosted, leave_to, page
from simulator.records import OnboardingSession
from simulator.runtime import simulator
from simulator.vocabulary import Manufacturer, accepts_login, find_manufacturer


def authorize_address(session: OnboardingSession, device_type: str, maker: Manufacturer) -> str:
    """Return where the form sends the browser for this manufacturer."""
    state = _sign("state", session=session.id, device_type=device_type, maker=maker.code)
    return f"/manufacturer/{maker.code}/authorize?{urlencode({'state': state})}"


@hosted.get("/manufacturer/<maker_code>/authorize")
def authorize(maker_code: str) -> Response:
    """Ask for the manufacturer's login."""
    session, maker, _ = _read_state(maker_code)
    return _sign_in_page(session, maker)


@hosted.post("/manufacturer/<maker_code>/authorize")
def sign_in(maker_code: str) -> Response:
    """Check the login; then ask whether access is allowed."""
    session, maker, device_type = _read_state(maker_code)
    username = request.form.get("username", "")
    if not accepts_login(maker, username, request.form.get("password", "")):
        return _sign_in_page(session, maker, username=username, is_refused=True)
    grant = _sign(
        "grant",
        session=session.id,
        device_type=device_type,
        maker=maker.code,
        account=username.strip().lower(),
    )
    return page(
        "hosted/manufacturer_consent.html",
        session=session,
        maker=maker,
        grant=grant,
        state=request.values["state"],
    )


@hosted.post("/manufacturer/allow")
def allow() -> Response:
    """Go back to the form with a code that proves the consent."""
    return leave_to(f"/callback?{urlencode({'code': request.form.get('grant', '')})}", 303)


@hosted.get("/callback")
def callback() -> Response:
    """Take the code from the manufacturer and connect the device."""
    claims = _unsign("grant", request.args.get("code", ""))
    maker = find_manufacturer(claims.get("device_type", ""), claims.get("maker", ""))
    if maker is None:
        return page("hosted/unknown.html", status=404)
    choice = Choice(claims["device_type"], maker, claims["account"])
    completion = complete(simulator(), claims["session"], choice)
    query = {"onboarding_session_id": claims["session"], "receipt": completion.receipt}
    return leave_to(f"/connected?{urlencode(query)}", 303)


def _sign_in_page(
    session: OnboardingSession,
    maker: Manufacturer,
    *,
    username: str = "",
    is_refused: bool = False,
) -> Response:
    return page(
        "hosted/manufacturer_login.html",
        session=session,
        maker=maker,
        demo=demo_logins(maker),
        state=request.values["state"],
        username=username,
        is_refused=is_refused,
        status=401 if is_refused else 200,
    )


def _read_state(maker_code: str) -> tuple[OnboardingSession, Manufacturer, str]:
    claims = _unsign("state", request.values.get("state", ""))
    running = simulator()
    with running.store.lock:
        session = get_usable_session(running, claims.get("session", ""))
    device_type = claims["device_type"]
    maker = find_manufacturer(device_type, maker_code)
    if maker is None:
        raise UnableToUseSession("unknown", session)
    return session, maker, device_type


def _sign(salt: str, **claims: str) -> str:
    return str(URLSafeSerializer(simulator().store.secret_key, salt=salt).dumps(claims))


def _unsign(salt: str, text: str) -> dict[str, Any]:
    try:
        claims = URLSafeSerializer(simulator().store.secret_key, salt=salt).loads(text)
    except BadSignature:
        return {}
    return dict(claims)
