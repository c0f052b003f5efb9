"""The closed lists of the API: what a value may be, and what a customer can choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ROLES: Final = ("admin", "staff", "user")
LANGUAGES: Final = ("sv", "de", "en", "hu", "it", "et", "pl", "ro")
PRICE_ZONES: Final = (
    "AT", "AT_HOURLY", "BE", "CH", "EE", "DE_LU", "HU",
    "IT_CNOR", "IT_CSUD", "IT_NORD", "IT_PUN", "IT_SARD", "IT_SICI", "IT_SUD",
    "PT", "RO", "SE_1", "SE_2", "SE_3", "SE_4", "UK",
)  # fmt: skip
RESOLUTIONS: Final = ("1DAY", "1WEEK", "1MONTH", "1QUARTER", "1YEAR")
STATISTICS_KEYWORDS: Final = ("savings", "consumption")
URL_MAX_LENGTH: Final = 8000


@dataclass(frozen=True)
class Manufacturer:
    """One entry of the hosted form's second step."""

    code: str
    name: str
    model: str
    year: int | None
    login: str  # "oauth" leaves for the manufacturer's own page, "form" asks on ours
    login_name: str
    demo_username: str


@dataclass(frozen=True)
class DeviceType:
    """One of the four device collections."""

    code: str
    collection: str
    counter: str
    label: str
    short_name: str
    long_name: str
    manufacturers: tuple[Manufacturer, ...]


NIBE_DEMO: Final = "demomyuplink@nibe.se"
TESLA_DEMO: Final = "demo-tesla@getfreeheat.com"
OTHER_ACCOUNT_DEMO: Final = "other-account@example.com"
DEMO_PASSWORD: Final = "Demo1234"  # noqa: S105  (public, in Podero's documentation)

HEAT_PUMP: Final = DeviceType(
    code="hp",
    collection="heat-pumps",
    counter="num_heat_pumps",
    label="Heat pump",
    short_name="hp_atw",
    long_name="Heat Pump (Air-to-Water)",
    manufacturers=(
        Manufacturer("nibe", "Nibe", "S2125-8", 2023, "oauth", "Nibe myUplink", NIBE_DEMO),
    ),
)
ELECTRIC_VEHICLE: Final = DeviceType(
    code="ev",
    collection="electric-vehicles",
    counter="num_electric_vehicles",
    label="Electric car",
    short_name="ev",
    long_name="Electric Vehicle",
    manufacturers=(
        Manufacturer("tesla", "Tesla", "Model 3", 2022, "form", "Tesla account", TESLA_DEMO),
    ),
)
INVERTER: Final = DeviceType(
    code="iv",
    collection="inverters",
    counter="num_inverters",
    label="Solar inverter",
    short_name="inverter",
    long_name="Solar Inverter",
    manufacturers=(
        Manufacturer(
            "fronius", "Fronius", "Symo GEN24 10.0 Plus", None, "form", "Solar.web", TESLA_DEMO
        ),
    ),
)
WALLBOX: Final = DeviceType(
    code="wb",
    collection="wallboxes",
    counter="num_wallboxes",
    label="Wallbox",
    short_name="wallbox",
    long_name="Wallbox",
    manufacturers=(
        Manufacturer("go-e", "go-e", "Charger Gemini", None, "form", "go-e account", TESLA_DEMO),
    ),
)

DEVICE_TYPES: Final = {kind.code: kind for kind in (HEAT_PUMP, ELECTRIC_VEHICLE, INVERTER, WALLBOX)}
BY_COLLECTION: Final = {kind.collection: kind for kind in DEVICE_TYPES.values()}


def find_manufacturer(device_type: str, code: str) -> Manufacturer | None:
    """Return the manufacturer offered for a device type, if there is such a one."""
    kind = DEVICE_TYPES.get(device_type)
    if kind is None:
        return None
    return next((maker for maker in kind.manufacturers if maker.code == code), None)


def accepts_login(maker: Manufacturer, username: str, password: str) -> bool:
    """Say whether the pretend manufacturer knows this account."""
    known = (maker.demo_username, OTHER_ACCOUNT_DEMO)
    return username.strip().lower() in known and password == DEMO_PASSWORD
