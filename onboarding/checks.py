"""System checks: settings that are possible but unlikely to be meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.template import TemplateDoesNotExist
from django.template.loader import get_template

from onboarding.models import consents

MIN_SECRET_LENGTH = 32


@checks.register(checks.Tags.templates)
def check_changes_are_explained(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Customers who agreed to an older version are told what is new in each one after it."""
    problems: list[checks.CheckMessage] = []
    for version in range(2, consents.CONSENT_VERSION + 1):
        name = f"onboarding/consent_changes/{version}.html"
        try:
            get_template(name)
        except TemplateDoesNotExist:
            problems.append(checks.Error(f"{name} is missing: what changed?", id="onboarding.E001"))
    return problems


@checks.register(checks.Tags.security, deploy=True)
def check_deployment(**_kwargs: Any) -> list[checks.CheckMessage]:
    return [
        checks.Warning(text, id=f"onboarding.{number}") for number, text in _unlikely_settings()
    ]


def _unlikely_settings() -> Iterator[tuple[str, str]]:
    if settings.PODERO_AUTH_TOKEN and settings.PODERO_CLIENT_ID:
        yield "W001", "PODERO_AUTH_TOKEN is set, so PODERO_CLIENT_ID is not used."
    if not settings.PODERO_PRICE_ZONE:
        yield "W002", "PODERO_PRICE_ZONE is not set: each hand-off must name a zone."
    if 0 < len(settings.HANDOFF_SECRET) < MIN_SECRET_LENGTH:
        yield "W003", f"HANDOFF_SECRET is shorter than {MIN_SECRET_LENGTH} characters."
    if not settings.IS_THROTTLED:
        yield "W010", "THROTTLE is off: passwords may be guessed as fast as we can answer."
    if settings.IS_HTTPS and not settings.TRUSTED_PROXIES:
        yield "W011", "TRUSTED_PROXIES is 0: all who come through a proxy count as one address."
    for name in ("BRAND_NAME", "SUPPORT_EMAIL", "PRIVACY_URL"):
        if not getattr(settings, name):
            yield "W004", f"{name} is not set: customers look for it."
