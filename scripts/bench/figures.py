"""What is measured, how near it has to come to its yardstick, and how that is told."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scripts.bench.world import World


@dataclass(frozen=True)
class Figure:
    """One line of the table. `bound` says what limits it, as found with a profiler."""

    name: str
    what: str
    yardstick: str
    reach: float
    is_more_better: bool
    measure: Callable[[World, bool], Measured]
    bound: str

    def is_met_by(self, ratio: float) -> bool:
        return ratio >= self.reach if self.is_more_better else ratio <= self.reach

    @property
    def told_reach(self) -> str:
        return f"{'≥' if self.is_more_better else '≤'} {self.reach:g} ×"


@dataclass
class Measured:
    """Ratios of one run, a few of them; and in words what they are made of."""

    ratios: list[float]
    remarks: list[str] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    @property
    def spread(self) -> str:
        return f"{min(self.ratios):.2f}–{max(self.ratios):.2f}"


def worse(parts: Mapping[str, list[float]]) -> list[float]:
    """The ratios of the part that did worse, for a figure where less is better."""
    return max(parts.values(), key=statistics.median)


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"
