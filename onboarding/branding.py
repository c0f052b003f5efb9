"""The retailer's face: what every page shows of it, and the two colors made from its one."""

from __future__ import annotations

import colorsys
import hashlib
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.translation import gettext as _

_LIGHT_PAGE = "#ffffff"
_DARK_PAGE = "#14171a"
# WCAG 2.2 asks for 4.5 : 1 between text and what is behind it.
_ENOUGH_CONTRAST = 4.6


def brand(_request: HttpRequest | None = None) -> dict[str, Any]:
    return {
        "brand": {
            "name": settings.BRAND_NAME or _("Your electricity provider"),
            "logo": _logo(),
            "support_email": settings.SUPPORT_EMAIL,
            "support_phone": settings.SUPPORT_PHONE,
            "support_hours": settings.SUPPORT_HOURS,
            "privacy_url": settings.PRIVACY_URL,
            "terms_url": settings.TERMS_URL,
            "portal_url": settings.PORTAL_URL,
            "css_version": css_version(settings.BRAND_COLOR),
        }
    }


def _logo() -> str:
    """The logo's address; a static file's changes with its content."""
    prefix, path = settings.STATIC_URL, settings.BRAND_LOGO
    return static(path.removeprefix(prefix)) if path.startswith(prefix) else path


@cache
def css_version(color: str) -> str:
    return hashlib.sha256(stylesheet(color).encode()).hexdigest()[:8]


@cache
def stylesheet(color: str) -> str:
    """The brand's color as it can be read on a light and on a dark page."""
    light, dark = readable_on(color, _LIGHT_PAGE), readable_on(color, _DARK_PAGE)
    return (
        f":root{{--brand:{light};--on-brand:{text_on(light)}}}\n"
        "@media (prefers-color-scheme:dark){"
        f":root{{--brand:{dark};--on-brand:{text_on(dark)}}}}}\n"
    )


def readable_on(color: str, page: str) -> str:
    """`color`, made darker or lighter only as far as text in it needs on `page`."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(color))
    step = -0.02 if _luminance(page) > 0.5 else 0.02
    while contrast(color, page) < _ENOUGH_CONTRAST and 0 < lightness + step < 1:
        lightness += step
        color = _hex(colorsys.hls_to_rgb(hue, lightness, saturation))
    return color


def text_on(color: str) -> str:
    return max("#ffffff", "#111111", key=lambda text: contrast(text, color))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colors, 1 to 21: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in _channels(color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _hex(channels: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)
