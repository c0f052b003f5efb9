"""What may be in no log: keys, people, and tracebacks that no outage explains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from drill.audit import Breach
from drill.customers import EMAIL_DOMAIN
from drill.installation import Watch
from drill.saboteur import Outages

_WORD = re.compile(r"[A-Za-z0-9_.~-]{12,}")
_TRACEBACK = b"Traceback (most recent call last)"
_SHOWN = 3


def keys_in(log: Path, keys: set[str], words: set[str]) -> Iterator[Breach]:
    """Breaches for each kind of thing found: `keys` are whole words, `words` anything."""
    found: list[str] = []
    for line in log.read_text(errors="replace").splitlines():
        if EMAIL_DOMAIN in line:
            found.append("an e-mail address")
        if any(word in line for word in words):
            found.append("personal data or a secret")
        if any(word in keys for word in _WORD.findall(line)):
            found.append("a key")
    for what in sorted(set(found)):
        yield Breach("log", log.name, f"{what}, in {found.count(what)} lines")


def tracebacks_in(log: Path, watch: Watch, outages: Outages, *whats: str) -> Iterator[Breach]:
    """Breaches for tracebacks that were written while none of these servers was down."""
    content = log.read_bytes()
    offset = content.find(_TRACEBACK)
    shown = 0
    while offset >= 0:
        began, ended = watch.written_between(log, offset)
        if not outages.cover(began, ended, *whats) and shown < _SHOWN:
            shown += 1
            yield Breach("traceback", log.name, _last_line(content[offset : offset + 20_000]))
        offset = content.find(_TRACEBACK, offset + 1)


def _last_line(traceback: bytes) -> str:
    """The exception's own line, and where it came from."""
    lines = traceback.decode(errors="replace").splitlines()
    places = [line.strip() for line in lines if line.startswith("  File ")]
    for line in lines[1:]:
        if line and not line.startswith(" "):
            return f"{line[:200]} ({places[-1] if places else '?'})"
    return "?"
