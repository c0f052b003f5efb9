"""What may be in no log: keys, people, and tracebacks that no outage explains."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from drill.audit import Breach
from drill.customers import EMAIL_DOMAIN
from drill.installation import Watch
from drill.saboteur import Outages

_WORD = re.compile(r"[A-Za-z0-9_.~-]{12,}")
_TRACEBACK = b"Traceback (most recent call last)"
# A worker that tells of its own end has told the reason before, and its tasks finish first: this
# may come long after whatever it ends for.
_AFTERMATH = re.compile("celery.bootsteps Error on stopping")
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
        head, traceback = _told_at(content, offset)
        if not outages.cover(began, ended, *whats) and not _AFTERMATH.search(head):
            shown += 1
            yield Breach("traceback", log.name, _error_in(traceback))
        offset = content.find(_TRACEBACK, offset + 1)


def _told_at(content: bytes, offset: int) -> tuple[str, str]:
    """The line of the log that a traceback belongs to, and the traceback; of either format."""
    start, end = content.rfind(b"\n", 0, offset) + 1, content.find(b"\n", offset)
    line = content[start : end if end >= 0 else None].decode(errors="replace")
    # A process that is killed may leave half a line.
    with suppress(ValueError):
        record = json.loads(line)
        said = f"{record['logger']} {record['message']}"
        return said, record.get("exception") or said.partition("Traceback")[2]
    before = content[max(0, offset - 50_000) : offset].decode(errors="replace")
    heads = re.findall(r"^\S.*$", before, re.MULTILINE)
    return heads[-1] if heads else "", content[offset : offset + 20_000].decode(errors="replace")


def _error_in(traceback: str) -> str:
    """The exception's own line, and where it came from; the log may have set both in."""
    first, *lines = traceback.splitlines()
    is_set_in = any(line.startswith("      File ") for line in lines[:1])
    lines = [line.removeprefix("    ") for line in lines] if is_set_in else lines
    places: list[str] = []
    for line in lines:
        if line.startswith("  File "):
            places.append(line.strip())
        elif line and not line.startswith(" "):
            return f"{line[:200]} ({places[-1] if places else '?'})"
    return first
