"""docs/cases.md, read and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from scripts.environment import ROOT
from tests.cases.catalogue import CASES, Case

FILE = ROOT / "docs" / "cases.md"
NONE = "–"

HEAD = """\
# Every case of trust

What a customer, a stranger or Podero can do at the places where a mistake would cost trust: which
pages are shown, which rows change (`+` written, `~` changed, `-` deleted), which calls Podero gets
and how it answers, which test plays it, and which guards hold it. What counts is what the app does
from the act on until the test ends. Left out are calls for a token, browser sessions, the breaker
and the times of jobs.

Written by `make cases` from running the tests; each of these tests fails when it sees something else
than its row tells. `make guards` takes each guard away once: docs/guards.md shows what went red.
"""
COLUMNS = ("case", "page shown", "rows", "calls", "test", "guards")


@dataclass(frozen=True)
class Row:
    """What was seen of one case."""

    page: str
    rows: str
    calls: str


NOTHING = Row("", "", "")


@cache
def rows() -> dict[str, Row]:
    """The rows of docs/cases.md by the test of their case."""
    found = {}
    for line in FILE.read_text().splitlines() if FILE.exists() else ():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == len(COLUMNS) and cells[0] not in {COLUMNS[0], "---"}:
            found[cells[4].strip("`")] = Row(*cells[1:4])
    return found


def written(seen: Mapping[str, Row]) -> str:
    """docs/cases.md with what was seen of each case, by its test."""
    text = HEAD
    for section, cases in groupby(CASES, lambda case: case.section):
        text += f"\n## {section}\n\n"
        text += f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n"
        text += "".join(_line(case, seen[case.test]) for case in cases)
    return text


def _line(case: Case, row: Row) -> str:
    cells = (
        case.name,
        row.page,
        row.rows,
        row.calls,
        f"`{case.test}`",
        ", ".join(case.guards),
    )
    return f"| {' | '.join(cells)} |\n"
