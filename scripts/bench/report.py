"""The table, and the page that keeps the last one."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import django
import psycopg

from scripts.bench.figures import Figure, Measured
from tests.servers import ROOT, find_program

PAGE = ROOT / "docs" / "benchmarks.md"

_ABOUT = """# Benchmarks

Written by `make bench ARGS=--write`; `scripts/bench/` says how each figure is measured. All of them
are ratios within one run, because machines differ and have moods: our time, or what we get done,
beside a yardstick that sees the same machine at the same time. The simulator of Podero, the
databases and the customers share the cores with what is measured. PostgreSQL runs with its own
defaults, so that each commit waits for the disk.
"""


def line(figure: Figure, measured: Measured) -> str:
    verdict = "met" if figure.is_met_by(measured.median) else "MISSED"
    return f"  {measured.median:.2f} × ({measured.spread}), reach {figure.told_reach}: {verdict}"


def table(results: Mapping[Figure, Measured]) -> str:
    lines = [
        "| figure | yardstick | reach | median | spread | |",
        "|---|---|---|---|---|---|",
    ]
    for figure, measured in results.items():
        verdict = "met" if figure.is_met_by(measured.median) else "**missed**"
        lines.append(
            f"| {figure.what} | {figure.yardstick} | {figure.told_reach} "
            f"| {measured.median:.2f} × | {measured.spread} | {verdict} |"
        )
    for figure, measured in results.items():
        lines += ["", f"## {figure.what[0].upper()}{figure.what[1:]}", "", figure.bound, ""]
        lines += [f"- {remark}" for remark in measured.remarks]
    return "\n".join(lines)


def write(text: str, *, is_small: bool) -> None:
    size = "A small run, for trying out only. " if is_small else ""
    PAGE.write_text(f"{_ABOUT}\n{size}{_machine()}\n\n{text}\n")


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {memory:.0f} GB of memory; "
        f"Python {platform.python_version()}, Django {django.__version__}, "
        f"PostgreSQL {_postgres_version()}, psycopg {psycopg.__version__}. "
        f"Load when it ended, which includes the bench itself: {load}."
    )


def _postgres_version() -> str:
    program = Path(find_program("postgres") or "")
    return program.parent.parent.name
