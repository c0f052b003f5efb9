"""Take each guard away once and see that the tests notice.

    make guards                          all of them
    make guards ARGS="'return: HEAD'"    those whose name contains this, or another one

Works in copies of the tree, one for each processor. For each guard it takes a piece of source out,
runs the tests that are to go red, puts the piece back, and prints a row: guard, and the tests that
went red, which it also writes into docs/guards.md. Ends with 1 when the removal of a guard goes
unnoticed.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from scripts.environment import ROOT
from scripts.guards.catalogue import GUARDS, Guard

SECONDS = 300
FILE = ROOT / "docs" / "guards.md"
SHOWN = 3
HEAD = """\
# Each guard, taken away once

What goes red when a guard is taken out of the source (`scripts/guards/catalogue.py` says what that
is). Written by `make guards`, which fails when a removal goes unnoticed. A guard that cases of
[cases.md](cases.md) name is noticed by the test of each of them.

| guard | tests that went red |
|---|---|
"""


def main() -> int:
    wanted = sys.argv[1:] or [""]
    chosen = [guard for guard in GUARDS if any(part in guard.name for part in wanted)]
    jobs = os.cpu_count() or 1
    rows: dict[str, str] = _rows_of_before()
    unnoticed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="guards-") as folder, ThreadPoolExecutor(jobs) as pool:
        copies: queue.Queue[Path] = queue.Queue()
        for number in range(jobs):
            copies.put(_copied_tree(Path(folder) / str(number)))

        def take_away(guard: Guard) -> list[str]:
            copy = copies.get()
            try:
                return red_without(guard, copy)
            finally:
                copies.put(copy)

        for guard, red in zip(chosen, pool.map(take_away, chosen), strict=True):
            rows[guard.name] = f"| {guard.name} | {_named(guard, red)} |"
            print(rows[guard.name], flush=True)
            unnoticed += [f"{guard.name}: {test}" for test in guard.case_tests if test not in red]
            if guard.own_tests and not any(test.startswith(guard.own_tests) for test in red):
                unnoticed.append(f"{guard.name}: {' '.join(guard.own_tests)}")
    seen = [rows[guard.name] for guard in GUARDS if guard.name in rows]
    FILE.write_text(HEAD + "\n".join(seen) + "\n")
    if unnoticed:
        print("\nunnoticed:", *unnoticed, sep="\n  ")
    return 1 if unnoticed else 0


def _rows_of_before() -> dict[str, str]:
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines if "`tests/" in line}


def red_without(guard: Guard, copy: Path) -> list[str]:
    """The tests that fail while the guard is away."""
    with _taken_away(guard, copy):
        running = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly",
             "-p", "no:tests.cases.recorder", "-rfE", "--tb=no",
             *guard.tests],
            cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            # Wide enough for the longest name of a test.
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "1000"},
            start_new_session=True,
        )  # fmt: skip
        try:
            printed, _errors = running.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            # With the servers that the tests have started.
            os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
            return []
    red = re.findall(r"^(?:FAILED|ERROR) (tests/\S+?::.+?)(?: - .*)?$", printed, flags=re.MULTILINE)
    # 1 means that tests ran and failed; anything else that they did not run.
    return red if running.returncode == 1 else []


@contextmanager
def _taken_away(guard: Guard, copy: Path) -> Iterator[None]:
    before = {edit.file: (copy / edit.file).read_text() for edit in guard.edits}
    try:
        for edit in guard.edits:
            file = copy / edit.file
            file.write_text(file.read_text().replace(edit.old, edit.new))
        yield
    finally:
        for name, text in before.items():
            (copy / name).write_text(text)


def _named(guard: Guard, red: list[str]) -> str:
    """Those of the cases, and the first few of the others."""
    others = [test for test in red if test not in guard.case_tests]
    named = [f"`{test}`" for test in guard.case_tests if test in red]
    named += [f"`{test}`" for test in others[:SHOWN]]
    more = [f"and {len(others) - SHOWN} more"] if len(others) > SHOWN else []
    return ", ".join(named + more) or "NOTHING WENT RED"


def _copied_tree(copy: Path) -> Path:
    """What git knows or would take up, without what running leaves behind."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / name, copy / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return copy


if __name__ == "__main__":
    sys.exit(main())
