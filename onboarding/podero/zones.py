"""Price zones and languages the API accepts, and how countries map to zones.

Source: api-reference/device-onboarding-sessions/create-a-new-device-onboarding-session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LANGUAGES: Final[tuple[str, ...]] = ("sv", "de", "en", "hu", "it", "et", "pl", "ro")

ZONE_TIMEZONES: Final[Mapping[str, str]] = {
    "AT": "Europe/Vienna",
    "AT_HOURLY": "Europe/Vienna",
    "BE": "Europe/Brussels",
    "CH": "Europe/Zurich",
    "EE": "Europe/Tallinn",
    "DE_LU": "Europe/Berlin",
    "HU": "Europe/Budapest",
    "IT_CNOR": "Europe/Rome",
    "IT_CSUD": "Europe/Rome",
    "IT_NORD": "Europe/Rome",
    "IT_PUN": "Europe/Rome",
    "IT_SARD": "Europe/Rome",
    "IT_SICI": "Europe/Rome",
    "IT_SUD": "Europe/Rome",
    "PT": "Europe/Lisbon",
    "RO": "Europe/Bucharest",
    "SE_1": "Europe/Stockholm",
    "SE_2": "Europe/Stockholm",
    "SE_3": "Europe/Stockholm",
    "SE_4": "Europe/Stockholm",
    "UK": "Europe/London",
}
"""IANA time zone of each price zone."""

PRICE_ZONES: Final[tuple[str, ...]] = tuple(ZONE_TIMEZONES)

# The guide's own example sends "DE", which is not in the reference's list.
_ZONE_OF_COUNTRY: Final[Mapping[str, str]] = {
    "DE": "DE_LU",
    "LU": "DE_LU",
    "GB": "UK",
    "IT": "IT_PUN",
}


def price_zone_for(country_or_zone: str) -> str | None:
    """Return the price zone for an ISO 3166 two-letter country or a zone name, in any case.

    None for a country without a zone, and for Sweden, where only the customer's area decides.
    """
    name = country_or_zone.strip().upper().replace("-", "_")
    if name in ZONE_TIMEZONES:
        return name
    return _ZONE_OF_COUNTRY.get(name)
