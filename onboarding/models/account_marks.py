"""By what the account behind a device at the manufacturer is known again, and another one noticed."""

from __future__ import annotations

from django.conf import settings
from django.utils.crypto import salted_hmac

from onboarding import podero


def mark_of(found: podero.Device) -> str:
    """By what another account behind the device is noticed later; empty where Podero names none."""
    return next(iter(marks_of(found)), "")


def marks_of(found: podero.Device) -> list[str]:
    """The same by each of Django's keys, the one in use first: who reads the database guesses no id."""
    named = found.external_device_id
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS] if named else []
    return [
        salted_hmac("onboarding.account", named, secret=key, algorithm="sha256").hexdigest()
        for key in keys
    ]


def named_by(found: podero.Device) -> dict[str, str]:
    """What is kept of the name that Podero tells; nothing where it tells none."""
    named = found.external_device_id
    return {"external_device_id": named, "account_mark": mark_of(found)} if named else {}
