"""System checks: settings that are possible but unlikely to be meant."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

MIN_SECRET_LENGTH = 32


@register(Tags.security, deploy=True)
def check_deployment(**_kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.PODERO_AUTH_TOKEN and settings.PODERO_CLIENT_ID:
        found.append(_warning("W001", "PODERO_AUTH_TOKEN is set, so the client id is not used."))
    if not settings.PODERO_PRICE_ZONE:
        found.append(
            _warning("W002", "PODERO_PRICE_ZONE is not set: hand-offs must each name a zone.")
        )
    if settings.HANDOFF_SECRET and len(settings.HANDOFF_SECRET) < MIN_SECRET_LENGTH:
        found.append(
            _warning("W003", f"HANDOFF_SECRET is shorter than {MIN_SECRET_LENGTH} characters.")
        )
    for name in ("BRAND_NAME", "SUPPORT_EMAIL", "PRIVACY_URL"):
        if not getattr(settings, name) or settings.BRAND_NAME == "Your electricity provider":
            found.append(_warning("W004", f"{name} is not set: customers look for it."))
    return found


def _warning(number: str, text: str) -> CheckMessage:
    return Warning(text, id=f"onboarding.{number}")
