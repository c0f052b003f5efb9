"""Readers for environment variables that say which variable is wrong and what was expected."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

import environ
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email
from django.http.request import validate_host

from onboarding.handoff_keys import algorithm_for
from onboarding.podero import zones

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def read_file(path: Path) -> None:
    """Take variables from a `.env` file; what the process already has wins."""
    if path.is_file():
        environ.Env.read_env(path)


def _wrong(name: str, expected: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name}: expected {expected}")


def text(name: str, default: str = "") -> str:
    """Drop blanks around a value; an empty variable counts as one that is not set."""
    # Not `env.str`, which takes a value that begins with `$` for another variable's name.
    return os.environ.get(name, "").strip() or default


def required(name: str, expected: str) -> str:
    value = text(name)
    if not value:
        raise _wrong(name, f"{expected}, but it is not set")
    return value


def switch(name: str, *, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value in {"true", "on", "1", "yes"}:
        return True
    if value in {"false", "off", "0", "no"}:
        return False
    raise _wrong(name, "true or false")


def whole_number(name: str, *, default: int, at_least: int, at_most: int) -> int:
    value = text(name)
    if not value:
        return default
    if not re.fullmatch(r"\d{1,9}", value) or not at_least <= int(value) <= at_most:
        raise _wrong(name, f"a whole number from {at_least} to {at_most}")
    return int(value)


def choice(name: str, *, choices: Sequence[str], default: str) -> str:
    value = text(name, default)
    if value not in choices:
        raise _wrong(name, "one of " + ", ".join(choices))
    return value


def names(name: str, default: Sequence[str] = ()) -> list[str]:
    """A comma-separated list without blanks."""
    value = text(name)
    return [part.strip() for part in value.split(",") if part.strip()] if value else list(default)


def hosts(name: str, default: Sequence[str]) -> frozenset[str]:
    """`host` or `host:port` names, lower-case."""
    values = names(name, default)
    if not values or not all(map(_is_host, values)):
        raise _wrong(name, "host names such as connect.podero.com or localhost:8001")
    return frozenset(value.lower() for value in values)


def _is_host(value: str) -> bool:
    if not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?", value):
        return False
    try:
        parts = urlsplit(f"//{value}")
        return parts.port != 0 and bool(parts.hostname)
    except ValueError:
        return False


def allowed_hosts(name: str, *, default: Sequence[str], site_host: str) -> list[str]:
    """Host names this app answers to; the one that customers are sent back to among them."""
    values = names(name, default)
    if any("/" in value for value in values):
        raise _wrong(name, "host names without https://")
    if not validate_host(f"[{site_host}]" if ":" in site_host else site_host, values):
        raise _wrong(name, f"SITE_URL's host {site_host} among them")
    return values


def folder(name: str, default: Path) -> Path:
    """A folder that can be written to, made where it is missing."""
    path = Path(text(name) or default)
    path = path if path.is_absolute() else default.parent / path
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise _wrong(name, "a folder that can be written to") from error
    return path


def bearer_token(name: str) -> str:
    value = text(name)
    if not re.fullmatch(r"[\x21-\x7e]*", value):
        raise _wrong(name, "a token without spaces")
    return value


def address(name: str, *, default: str = "", with_query: bool = False) -> str:
    """An absolute https address without a trailing slash; http only for this machine.

    An empty answer means that the variable is not set and has no default.
    """
    value = text(name, default)
    if not value:
        return ""
    expected = "an https address, or http for localhost"
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  (raises on a port that is no number)
    except ValueError as error:
        raise _wrong(name, expected) from error
    if not _is_usable(parts) or (parts.query and not with_query):
        raise _wrong(name, expected)
    return value if with_query else value.rstrip("/")


def _is_usable(parts: SplitResult) -> bool:
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        return False
    is_local = parts.hostname in LOCAL_HOSTS
    return parts.scheme == "https" or (parts.scheme == "http" and is_local)


def database(name: str, *, default: str) -> dict[str, Any]:
    """A database address as Django's settings want it: SQLite or PostgreSQL."""
    expected = "a database address: sqlite:////path/to/file or postgres://user:password@host/name"
    value = text(name, default)
    if value.partition("://")[0] not in {"sqlite", "postgres", "postgresql"}:
        raise _wrong(name, expected)
    try:
        settings: dict[str, Any] = environ.Env.db_url_config(value)
    except ValueError as error:
        raise _wrong(name, expected) from error
    if not settings["NAME"]:
        raise _wrong(name, expected)
    return settings


def color(name: str, default: str) -> str:
    value = text(name, default)
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", value):
        raise _wrong(name, "a color such as #0a5c36")
    return value.lower()


def public_key(name: str) -> str:
    """An RSA, EC P-256 or Ed25519 key in PEM form; `\\n` written out in one line is accepted."""
    value = text(name).replace("\\n", "\n")
    if value:
        try:
            algorithm_for(load_pem_public_key(value.encode()))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _wrong(name, "a public key in PEM form: RSA, EC P-256 or Ed25519") from error
    return value


def uuid(name: str, expected: str) -> str:
    value = required(name, expected)
    try:
        return str(UUID(value))
    except ValueError as error:
        raise _wrong(name, expected) from error


def price_zone(name: str) -> str:
    """One of the API's price zones; `DE` and other countries are mapped to theirs."""
    value = text(name).upper()
    if not value:
        return ""
    zone = zones.price_zone_for(value)
    if zone is None:
        raise _wrong(name, "one of " + ", ".join(sorted(zones.PRICE_ZONES)))
    return zone


def email(name: str) -> str:
    value = text(name)
    if value:
        try:
            validate_email(value)
        except ValidationError as error:
            raise _wrong(name, "an e-mail address") from error
    return value


def sender(name: str) -> str:
    """`mail@host`, with or without a name: `Alpenstrom <mail@host>`."""
    value = text(name)
    if value:
        try:
            validate_email(parseaddr(value)[1])
        except ValidationError as error:
            raise _wrong(name, "a sender such as Alpenstrom <mail@alpenstrom.example>") from error
    return value


def mail_server(name: str) -> dict[str, Any]:
    """A mail server's address as Django's settings want it; empty when mails are not sent."""
    value = text(name)
    if not value:
        return {}
    expected = "a mail server's address such as smtp+tls://user:password@host:587"
    kind = value.partition("://")[0]
    if kind not in {"smtp", "smtp+tls", "smtp+ssl", "consolemail", "filemail"}:
        raise _wrong(name, expected)
    try:
        settings: dict[str, Any] = environ.Env.email_url_config(value)
    except ValueError as error:
        raise _wrong(name, expected) from error
    if kind.startswith("smtp") and not settings["EMAIL_HOST"]:
        raise _wrong(name, expected)
    return settings


def sentry_dsn(name: str) -> str:
    """A Sentry project's address, with its key in front of the host."""
    value = text(name)
    if value:
        expected = "a Sentry address such as https://key@sentry.example/1"
        try:
            parts = urlsplit(value)
        except ValueError as error:
            raise _wrong(name, expected) from error
        is_whole = bool(parts.hostname and parts.username and parts.path.strip("/"))
        if parts.scheme not in {"https", "http"} or not is_whole:
            raise _wrong(name, expected)
    return value


def logo(name: str) -> str:
    """A path on this site: the policy lets browsers fetch nothing from anywhere else."""
    value = text(name)
    if value and not re.fullmatch(r"/[^/\\\s][^\\\s]*", value):
        raise _wrong(name, "a path on this site such as /static/brand/logo.svg")
    return value


def origins(name: str) -> list[str]:
    """`https://host` or `https://host:port`, several with commas; http for this machine."""
    values = names(name)
    for value in values:
        parts = urlsplit(value)
        if f"{parts.scheme}://{parts.netloc}" != value or not _is_usable_origin(value):
            raise _wrong(name, "origins such as https://portal.alpenstrom.example")
    return [value.lower() for value in values]


def _is_usable_origin(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return _is_usable(parts) and _is_host(parts.netloc)
    except ValueError:
        return False
