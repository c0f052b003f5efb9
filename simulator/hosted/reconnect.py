"""The re-login page behind `auth_session` and behind a started action."""

from __future__ import annotations

import uuid

from flask import Response, request

from simulator.api.cues import close_by_itself
from simulator.clock import timestamp
from simulator.devices.behaviour import close_reauthentication, regain_authentication
from simulator.devices.fields import external_device_id, fresh_fields
from simulator.hosted.linking import UnableToUseSession, with_device_id
from simulator.hosted.pages import demo_logins, hosted, leave_to, page
from simulator.records import Device, Relogin
from simulator.runtime import simulator
from simulator.vocabulary import DEVICE_TYPES, LANGUAGES, Manufacturer, accepts_login


@hosted.get("/reconnect")
def reconnect() -> Response:
    """Ask for the manufacturer's login again."""
    relogin, device = _load()
    return _page(relogin, device)


@hosted.post("/reconnect")
def reconnect_login() -> Response:
    """Check the login, connect again and go back.

    Another account is taken, too, and recorded; or it brings a device of its own, by the setting.
    """
    running = simulator()
    username = request.form.get("username", "").strip().lower()
    with running.store.lock:
        relogin, device = _load()
        maker = _maker_of(device)
        if not accepts_login(maker, username, request.form.get("password", "")):
            return _page(relogin, device, username=username, is_refused=True)
        relogin.completed_at = timestamp()
        is_other = device.account not in ("", username)
        if is_other and running.settings.reconnect_other_account == "new_device":
            device = _device_of_its_own(device, maker, username)
            running.store.add_device(device)
        else:
            _take_account(device, maker, username)
            regain_authentication(device)
            if relogin.cue_id is None:
                close_reauthentication(running.store, device, "auth_session")
            elif running.settings.cue_closes_itself:
                close_by_itself(relogin.cue_id)
        running.store.changed()
        way_back = relogin.success_url
    if way_back is None:
        return page("hosted/reconnected.html", language=_language(relogin))
    if running.settings.reconnect_appends_device_id:
        way_back = with_device_id(way_back, device.id)
    return leave_to(way_back)


@hosted.get("/reconnect/cancel")
def reconnect_cancel() -> Response:
    """Give up: back to the cancel address, unchanged."""
    relogin, device = _load()
    if relogin.cancel_url is None:
        return _page(relogin, device)
    return leave_to(relogin.cancel_url)


def _load() -> tuple[Relogin, Device]:
    running = simulator()
    with running.store.lock:
        relogin = running.store.relogins.get(request.values.get("auth_session_id", ""))
        if relogin is None:
            raise UnableToUseSession("unknown")
        device = running.store.devices[relogin.device_id]
        if device.is_deleted:
            raise UnableToUseSession("unknown")
        if relogin.completed_at is not None:
            raise UnableToUseSession("completed")
        return relogin, device


def _take_account(device: Device, maker: Manufacturer, account: str) -> None:
    if device.account and device.account != account:
        device.has_changed_account = True
    if device.account != account:
        device.fields["external_device_id"] = external_device_id(maker, account)
    device.account = account


def _device_of_its_own(device: Device, maker: Manufacturer, account: str) -> Device:
    fields = fresh_fields(
        DEVICE_TYPES[device.kind],
        maker,
        price_zone=device.fields["price_zone"],
        is_optimized=False,
        account=account,
    )
    return Device(str(uuid.uuid4()), device.user_id, device.kind, account, fields)


def _maker_of(device: Device) -> Manufacturer:
    kind = DEVICE_TYPES[device.kind]
    name = device.fields["device_model"].get("manufacturer")
    return next((m for m in kind.manufacturers if m.name == name), kind.manufacturers[0])


def _language(relogin: Relogin) -> str:
    short = relogin.language.split("-")[0].lower()
    return short if short in LANGUAGES else "en"


def _page(
    relogin: Relogin, device: Device, *, username: str = "", is_refused: bool = False
) -> Response:
    maker = _maker_of(device)
    return page(
        "hosted/reconnect.html",
        status=401 if is_refused else 200,
        language=_language(relogin),
        relogin=relogin,
        maker=maker,
        demo=demo_logins(maker),
        username=username,
        is_refused=is_refused,
    )
