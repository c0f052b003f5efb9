"""What was asked and what was answered: names and numbers only, never a secret or a body."""

from __future__ import annotations

from collections import Counter, deque
from threading import Lock
from typing import Any

JOURNAL_LENGTH = 20_000
REJECTED_LENGTH = 1_000


class Journal:
    """Bounded record of requests, and counters that are not bounded."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries: deque[dict[str, Any]] = deque(maxlen=JOURNAL_LENGTH)
            self._rejected: deque[dict[str, Any]] = deque(maxlen=REJECTED_LENGTH)
            self._by_endpoint: Counter[str] = Counter()
            self._by_status: Counter[str] = Counter()
            self._rejected_count = 0
            self._total = 0

    def add(self, entry: dict[str, Any]) -> None:
        """Record one request; `endpoint` and `status` are counted."""
        with self._lock:
            self._total += 1
            entry["number"] = self._total
            self._entries.append(entry)
            self._by_endpoint[entry["endpoint"]] += 1
            self._by_status[str(entry["status"])] += 1

    def reject(self, entry: dict[str, Any]) -> None:
        """Record a request refused because its fields broke the schema."""
        with self._lock:
            self._rejected_count += 1
            self._rejected.append(entry)

    @property
    def total(self) -> int:
        """Return how many requests were seen since the last reset."""
        return self._total

    def as_dict(self, last: int | None = None) -> dict[str, Any]:
        """Return counters and the last entries (all that are kept, by default)."""
        with self._lock:
            entries = list(self._entries)
            rejected = list(self._rejected)
            counters = {
                "requests": self._total,
                "rejected": self._rejected_count,
                "by_endpoint": dict(self._by_endpoint),
                "by_status": dict(self._by_status),
            }
        if last is not None:
            entries = entries[len(entries) - min(last, len(entries)) :]
        return {"counters": counters, "rejected": rejected, "journal": entries}
