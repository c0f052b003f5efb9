"""Client for Podero's Partner API 2.0 (https://developers.podero.com).

Knows neither Django nor Celery, and is the only package that imports requests.
"""

from __future__ import annotations

from onboarding.podero.client import PoderoClient
from onboarding.podero.cues import reauthentication_of
from onboarding.podero.deadline import Timeouts, within
from onboarding.podero.device_types import DeviceType
from onboarding.podero.errors import (
    BoostRefused,
    Forbidden,
    NotFound,
    PoderoError,
    Refused,
    Unauthorized,
    Unavailable,
    UnexpectedReply,
)
from onboarding.podero.gates import Gate, HeldBack, Outcome
from onboarding.podero.replies import (
    Action,
    Cue,
    Device,
    HostedSession,
    Reauthentication,
    Savings,
    SavingsPeriod,
    User,
)
from onboarding.podero.retrying import NOT_MADE, Code
from onboarding.podero.token_stores import MemoryStore, TokenStore
from onboarding.podero.tokens import ClientCredentialsToken, FixedToken, TokenSource
from onboarding.podero.transport import OnCall, RequestId
from onboarding.podero.zones import LANGUAGES, PRICE_ZONES, ZONE_TIMEZONES, price_zone_for

__all__ = [
    "LANGUAGES",
    "NOT_MADE",
    "PRICE_ZONES",
    "ZONE_TIMEZONES",
    "Action",
    "BoostRefused",
    "ClientCredentialsToken",
    "Code",
    "Cue",
    "Device",
    "DeviceType",
    "FixedToken",
    "Forbidden",
    "Gate",
    "HeldBack",
    "HostedSession",
    "MemoryStore",
    "NotFound",
    "OnCall",
    "Outcome",
    "PoderoClient",
    "PoderoError",
    "Reauthentication",
    "Refused",
    "RequestId",
    "Savings",
    "SavingsPeriod",
    "Timeouts",
    "TokenSource",
    "TokenStore",
    "Unauthorized",
    "Unavailable",
    "UnexpectedReply",
    "User",
    "price_zone_for",
    "reauthentication_of",
    "within",
]
