"""Where a fetched token is kept, so that all who call Podero use the same one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class TokenStore(Protocol):
    """Keeps the one token that all processes share. Its methods must not raise."""

    def get(self) -> str | None:
        """Return the token kept, None when there is none or its time is over."""

    def set(self, token: str, seconds: float) -> None:
        """Keep a token for so many seconds."""

    def discard(self, token: str) -> None:
        """Forget this token; keep any other."""


class MemoryStore:
    """Keeps the token within this process: for scripts and tests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: tuple[str, float] | None = None

    def get(self) -> str | None:
        """Return the token kept, None when there is none or its time is over."""
        kept = self._kept
        return kept[0] if kept is not None and self._clock() < kept[1] else None

    def set(self, token: str, seconds: float) -> None:
        """Keep a token for so many seconds."""
        self._kept = (token, self._clock() + seconds)

    def discard(self, token: str) -> None:
        """Forget this token; keep any other."""
        kept = self._kept
        if kept is not None and kept[0] == token:
            self._kept = None
