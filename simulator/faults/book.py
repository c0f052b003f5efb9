"""Which faults are armed, and which request gets one."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

from simulator.faults.catalogue import ENDPOINTS, FAULTS, VARIANTS, FaultKind, Phase

ANY = "*"
FOREVER = -1
NUMBERS = {"seconds", "bytes", "pieces"}


class UnableToArm(ValueError):
    """There is no such fault, or it cannot strike there."""


@dataclass(frozen=True)
class Order:
    """A wish to arm a fault for the next `count` requests (-1: until cleared).

    `skip` lets so many requests pass unharmed first.
    """

    endpoint: str
    fault: str
    count: int = 1
    probability: float = 1.0
    skip: int = 0
    params: dict[str, Any] = field(default_factory=dict)

    def find_problem(self) -> str | None:
        """Return why this cannot be armed, or None when it can."""
        kind = FAULTS.get(self.fault)
        if kind is None:
            return f"unknown fault {self.fault!r}; known: {', '.join(FAULTS)}"
        if self.endpoint not in (ANY, *ENDPOINTS):
            return f"unknown endpoint {self.endpoint!r}; known: {', '.join(ENDPOINTS)}, {ANY}"
        if self.endpoint not in (ANY, *kind.endpoints):
            return f"{kind.name} is possible on {', '.join(kind.endpoints)} only"
        unknown = sorted(set(self.params) - set(kind.params))
        if unknown:
            return f"{kind.name} has no parameter {', '.join(unknown)}"
        return self._find_impossible_number() or self._find_impossible_variant()

    def _find_impossible_number(self) -> str | None:
        if self.count != FOREVER and self.count < 1:
            return "count must be at least 1, or -1 for no end"
        if not 0 < self.probability <= 1:
            return "probability must be above 0 and at most 1"
        for name in NUMBERS & set(self.params):
            value = self.params[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                return f"{name} must be a number from 0"
        return None

    def _find_impossible_variant(self) -> str | None:
        if self.params.get("variant", VARIANTS[0]) in VARIANTS:
            return None
        return f"variant must be one of {', '.join(VARIANTS)}"


@dataclass
class Armed:
    """A fault waiting for its request."""

    number: int
    kind: FaultKind
    endpoint: str
    params: dict[str, Any]
    remaining: int
    probability: float
    skip: int
    hits: int = 0

    @property
    def phase(self) -> Phase:
        """Say when it strikes; `takes_effect` moves an error answer behind the effect."""
        return "after" if self.params.get("takes_effect") else self.kind.phase

    def matches(self, endpoint: str, phases: tuple[Phase, ...]) -> bool:
        """Say whether a request to this endpoint can be struck."""
        return (
            self.endpoint in (endpoint, ANY)
            and endpoint in self.kind.endpoints
            and self.phase in phases
        )

    def as_dict(self) -> dict[str, Any]:
        """Return what the control API shows."""
        return {
            "number": self.number,
            "endpoint": self.endpoint,
            "fault": self.kind.name,
            "remaining": self.remaining,
            "probability": self.probability,
            "skip": self.skip,
            "hits": self.hits,
            "params": self.params,
        }


class FaultBook:
    """Armed faults, in the order in which they were armed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._armed: list[Armed] = []
        self._spent: list[Armed] = []
        self._next_number = 1
        self._struck: Counter[str] = Counter()
        # Hanging requests wait for this; clearing the book lets them go.
        self.released = Event()

    def arm(self, order: Order) -> Armed:
        """Arm a fault. Raises UnableToArm with the reason."""
        problem = order.find_problem()
        if problem is not None:
            raise UnableToArm(problem)
        kind = FAULTS[order.fault]
        with self._lock:
            armed = Armed(
                number=self._next_number,
                kind=kind,
                endpoint=order.endpoint,
                params={**kind.params, **order.params},
                remaining=order.count,
                probability=order.probability,
                skip=order.skip,
            )
            self._next_number += 1
            self._armed.append(armed)
        return armed

    def take(self, endpoint: str, *phases: Phase) -> Armed | None:
        """Return the first armed fault that strikes this request, and count it."""
        if not self._armed:
            return None
        with self._lock:
            for armed in self._armed:
                if not armed.matches(endpoint, phases):
                    continue
                if armed.skip > 0:
                    armed.skip -= 1
                    continue
                if random.random() >= armed.probability:  # noqa: S311
                    continue
                armed.hits += 1
                self._struck[f"{endpoint} {armed.kind.name}"] += 1
                if armed.remaining != FOREVER:
                    armed.remaining -= 1
                    if armed.remaining == 0:
                        self._armed.remove(armed)
                        self._spent.append(armed)
                return armed
        return None

    def clear(self, number: int | None = None) -> None:
        """Disarm one fault, or all; all of them releases requests that hang, too."""
        with self._lock:
            if number is not None:
                self._armed = [armed for armed in self._armed if armed.number != number]
                return
            self._armed = []
            self._spent = []
            released, self.released = self.released, Event()
        released.set()

    def as_dict(self) -> dict[str, Any]:
        """Return what is armed and what has struck."""
        with self._lock:
            return {
                "armed": [armed.as_dict() for armed in self._armed],
                "spent": [armed.as_dict() for armed in self._spent[-200:]],
                "struck": dict(self._struck),
            }
