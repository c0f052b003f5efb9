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
    while offset >= 0 and shown < _SHOWN:
        began, ended = watch.written_between(log, offset)
        if not outages.cover(began, ended, *whats) and not _is_aftermath(content, offset):
            shown += 1
            yield Breach("traceback", log.name, _error_in(content[offset : offset + 20_000]))
        offset = content.find(_TRACEBACK, offset + 1)


def _is_aftermath(content: bytes, offset: int) -> bool:
    """Whether a worker tells of its own end, for which it told the reason before.

    Its tasks finish first, so that this may come long after whatever it ends for.
    """
    heads = re.findall(rb"^\S.*$", content[max(0, offset - 50_000) : offset], re.MULTILINE)
    return bool(heads) and b"celery.bootsteps Error on stopping" in heads[-1]


def _error_in(traceback: bytes) -> str:
    """The exception's own line, and where it came from; the log may have set both in."""
    first, *lines = traceback.decode(errors="replace").splitlines()
    is_set_in = any(line.startswith("      File ") for line in lines[:1])
    lines = [line.removeprefix("    ") for line in lines] if is_set_in else lines
    places: list[str] = []
    for line in lines:
        if line.startswith("  File "):
            places.append(line.strip())
        elif line and not line.startswith(" "):
            return f"{line[:200]} ({places[-1] if places else '?'})"
    return first
