from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from onboarding import podero


@pytest.mark.parametrize(
    ("given", "zone"),
    [
        ("DE", "DE_LU"),
        ("lu", "DE_LU"),
        (" de_lu ", "DE_LU"),
        ("DE-LU", "DE_LU"),
        ("AT", "AT"),
        ("AT_HOURLY", "AT_HOURLY"),
        ("CH", "CH"),
        ("BE", "BE"),
        ("EE", "EE"),
        ("HU", "HU"),
        ("PT", "PT"),
        ("RO", "RO"),
        ("GB", "UK"),
        ("UK", "UK"),
        ("IT", "IT_PUN"),
        ("IT_SUD", "IT_SUD"),
        ("SE_3", "SE_3"),
        ("SE", None),
        ("FR", None),
        ("PL", None),
        ("", None),
    ],
)
def test_country_or_zone_gives_the_zone(given: str, zone: str | None) -> None:
    assert podero.price_zone_for(given) == zone


def test_all_21_zones_have_a_time_zone_that_exists() -> None:
    zones = {zone: ZoneInfo(name) for zone, name in podero.ZONE_TIMEZONES.items()}

    assert set(zones) == set(podero.PRICE_ZONES)
    assert len(podero.PRICE_ZONES) == 21
    assert podero.ZONE_TIMEZONES["DE_LU"] == "Europe/Berlin"
