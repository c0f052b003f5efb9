"""Every address that the app answers to, found by walking its URL patterns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver


@dataclass(frozen=True)
class Address:
    """One pattern: its name, its path with `{name}` where a value belongs, and whose it is."""

    name: str
    template: str
    parts: tuple[str, ...]

    @property
    def is_admin(self) -> bool:
        return self.template.startswith("/admin/")

    def path(self, **values: object) -> str:
        """The path with these values; any other part is a value that nothing has."""
        usual = {
            "reference": "00000000-0000-4000-8000-000000000000",
            "token": "unknown-token",
            "appended": "&deviceId=unknown",
            "version": "12345678",
            "content_type_id": 1,
            "app_label": "onboarding",
        }
        return self.template.format_map(
            {part: values.get(part, usual.get(part, 1)) for part in self.parts}
        )

    def __str__(self) -> str:
        return self.template


def every_address() -> list[Address]:
    return list(_walk(get_resolver().url_patterns, "/"))


def our_addresses() -> list[Address]:
    return [address for address in every_address() if not address.is_admin]


def _walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[Address]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, prefix + _text_of(pattern))
            continue
        template = prefix + _text_of(pattern)
        converters = tuple(pattern.pattern.converters)
        if "(" in template or "^" in template:
            # Django's admin has catch-alls in regular expressions; what they match is no address.
            continue
        yield Address(pattern.name or template, template, converters)


def _text_of(pattern: URLPattern | URLResolver) -> str:
    text = str(pattern.pattern)
    for name in pattern.pattern.converters:
        start = text.index("<")
        text = f"{text[:start]}{{{name}}}{text[text.index('>') + 1 :]}"
    return text
