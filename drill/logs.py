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
# Of what a server that is away makes others tell.
_OF_AN_OUTAGE = re.compile(
    r"\b(?:OperationalError|InterfaceError|\w*ConnectionError|Connection\w+Error|BrokenPipeError"
    r"|TimeoutError|No space left on device|database or disk is full|disk I/O error|File too large)\b"
)
_CRASH = re.compile(r"Worker \(pid:\d+\) (was sent SIG(?!KILL)\w+|exited with code [1-9]\d*)")
# Where the next record begins, in a log whose lines begin with the time.
_RECORD = re.compile(r"^(?:\d{4}-|\[\d{4}-|\{)", re.MULTILINE)
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
    """Breaches for tracebacks that no outage of these servers explains.

    It does where it was at the time, and is what the traceback tells of: others are worth a look
    even then.
    """
    content = log.read_bytes()
    offset = content.find(_TRACEBACK)
    shown = 0
    while offset >= 0 and shown < _SHOWN:
        head, whole, traceback = _told_at(content, offset)
        began, ended = watch.written_between(log, offset)
        is_explained = outages.cover(began, ended, *whats) and _OF_AN_OUTAGE.search(whole)
        if not is_explained and not _AFTERMATH.search(head):
            shown += 1
            yield Breach("traceback", log.name, _error_in(traceback))
        offset = content.find(_TRACEBACK, offset + 1)


def gives_up_for_an_outage(log: Path, watch: Watch, began: float, ended: float) -> bool:
    """Whether what was written in between, in real moments, says so; Celery does before it ends."""
    content = log.read_bytes()[watch.offset_at(log, began) : watch.offset_at(log, ended) + 100_000]
    told = content.decode(errors="replace")
    return "CRITICAL" in told and _OF_AN_OUTAGE.search(told) is not None


def crashes_in(log: Path) -> Iterator[Breach]:
    """Breaches for web processes that ended otherwise than by the saboteur's hand."""
    for how in sorted(set(_CRASH.findall(log.read_text(errors="replace")))):
        yield Breach("ended by itself", log.name, f"a web process {how}")


def _told_at(content: bytes, offset: int) -> tuple[str, str, str]:
    """What a log tells with a traceback, in either format: the first line, everything up to the next
    record, and the traceback itself."""
    start, end = content.rfind(b"\n", 0, offset) + 1, content.find(b"\n", offset)
    line = content[start : end if end >= 0 else None].decode(errors="replace")
    # A process that is killed may leave half a line.
    with suppress(ValueError):
        record = json.loads(line)
        said = f"{record['logger']} {record['message']}"
        traceback = record.get("exception") or said.partition("Traceback")[2]
        return said, said + traceback, traceback
    before = content[max(0, offset - 50_000) : offset].decode(errors="replace")
    after = content[offset : offset + 50_000].decode(errors="replace")
    heads, upto = list(_RECORD.finditer(before)), _RECORD.search(after)
    told = before[heads[-1].start() :] if heads else before
    rest = after[: upto.start() if upto else None]
    return told.partition("\n")[0], told + rest, rest


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
