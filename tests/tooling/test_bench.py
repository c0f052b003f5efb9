"""`make bench` measures against its yardsticks and says plainly what was reached."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.bench import report
from scripts.bench.catalogue import FIGURES
from scripts.bench.figures import Figure, Measured
from tests.conftest import missing
from tests.servers import ROOT, find_program


def a_figure(*, reach: float, is_more_better: bool) -> Figure:
    def measure(*_args: Any) -> Measured:
        raise AssertionError

    return Figure(
        name="page",
        what="a page",
        yardstick="an empty one",
        reach=reach,
        is_more_better=is_more_better,
        measure=measure,
        bound="Bound by the processor.",
    )


@pytest.mark.parametrize(
    ("reach", "is_more_better", "ratio", "is_met"),
    [
        (1.3, False, 1.3, True),
        (1.3, False, 1.31, False),
        (10, True, 10, True),
        (10, True, 9, False),
    ],
)
def test_table_says_what_was_reached(
    reach: float, is_more_better: bool, ratio: float, is_met: bool
) -> None:
    figure = a_figure(reach=reach, is_more_better=is_more_better)
    measured = Measured([ratio - 1, ratio, ratio + 2], ["3 ms beside 2 ms"])

    text = report.table({figure: measured})

    verdict = "met" if is_met else "**missed**"
    assert f"| {ratio:.2f} × | {ratio - 1:.2f}–{ratio + 2:.2f} | {verdict} |" in text
    assert "Bound by the processor." in text
    assert "- 3 ms beside 2 ms" in text


def test_kept_page_tells_the_machines_size_and_nothing_else_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "PAGE", tmp_path / "benchmarks.md")

    report.write("the table", is_small=True)

    page = (tmp_path / "benchmarks.md").read_text()
    assert "A small run" in page
    assert "cores" in page
    assert "the table" in page
    assert str(ROOT) not in page


def test_every_figure_says_what_bounds_it() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES) == 7
    assert all(figure.bound for figure in FIGURES)


def test_one_figure_can_be_measured_alone() -> None:
    if find_program("initdb") is None or find_program("redis-server", "valkey-server") is None:
        missing("no PostgreSQL or no Redis: install Debian's packages postgresql and redis-server")

    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench", "--small", "--only", "one"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "| POST to 302, one customer at a time |" in done.stdout
    assert "| opt-ins per second |" not in done.stdout
    assert done.stderr == ""
