"""Whether an address received from the API may be opened in a customer's browser."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from onboarding.podero.parsing import MAX_URL

_ENTRY = re.compile(r"[A-Za-z0-9.:\[\]-]+", re.ASCII)
_DEFAULT_PORTS = {"https": 443, "http": 80}
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class ConnectHosts:
    """The hosts a hosted address may have, each `host` or `host:port`.

    Without a port the scheme's usual one is meant. Raises ValueError for an entry that is neither.
    """

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = frozenset(_host_and_port(host) for host in hosts)

    def is_allowed(self, address: str) -> bool:
        """Say whether a browser may be sent there: https (http on this machine only), a listed
        host, and nothing in it that another reader of the address could take differently."""
        # Parsers disagree on exactly these: whitespace and controls are dropped, "\" becomes "/".
        is_plain = all("!" <= character <= "~" and character != "\\" for character in address)
        if not is_plain or len(address) > MAX_URL:
            return False
        try:
            parts = urlsplit(address)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return False
        if not _has_safe_scheme(parts, host) or "@" in parts.netloc:
            return False
        default_port = _DEFAULT_PORTS[parts.scheme]
        return any(
            host == listed and (default_port if port is None else port) == (only or default_port)
            for listed, only in self._hosts
        )


def beginning_of(host: str) -> str:
    """How a hosted address on a listed host begins, for people to compare: `https://host/`."""
    name, _port = _host_and_port(host)
    return f"{'http' if name in _LOCAL_HOSTS else 'https'}://{host}/"


def _has_safe_scheme(parts: SplitResult, host: str) -> bool:
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL_HOSTS)


def _host_and_port(entry: str) -> tuple[str, int | None]:
    problem = f"not a host or host:port: {entry!r}"
    if not _ENTRY.fullmatch(entry):
        raise ValueError(problem)
    try:
        parts = urlsplit(f"//{entry}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(problem) from None
    if not host:
        raise ValueError(problem)
    return host.lower(), port
