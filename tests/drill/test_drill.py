"""The fault drill itself: a small one, the rehearsal, and proof that the audit is awake."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from drill import planted
from drill.plan import FAULTY_SHARE, make
from tests.conftest import missing
from tests.servers import ROOT, find_program

KILLS = ("kill web worker", "kill web server", "kill worker", "kill beat")


def run(*words: str, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-u", "-m", *words],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )


def test_small_drill_ends_without_a_breach() -> None:
    for program in ("postgres", "redis-server"):
        if find_program(program) is None:
            missing(f"no {program}")

    done = run("drill", "--seed", "1", "--seconds", "120", "--attempts", "360", seconds=800)

    assert done.returncode == 0, done.stdout
    assert "No breach." in done.stdout
    for survived in (*KILLS, "Redis restarted empty", "PostgreSQL restarted", "disk full"):
        assert survived in done.stdout


def test_rehearsal_of_the_app_as_it_is_has_no_breach() -> None:
    done = run("drill.rehearsal", seconds=240)

    assert done.returncode == 0, done.stdout
    assert "No breach." in done.stdout


def test_audit_notices_a_guard_that_is_gone() -> None:
    """One of them; `python -m drill.planted` tries them all."""
    bug = next(each for each in planted.BUGS if "is optimized" in each.guard)

    outcome = planted.try_out(bug.changes)

    assert outcome.is_red
    assert bug.rule in outcome.rules, outcome.printed


@pytest.mark.parametrize("bug", planted.BUGS, ids=lambda bug: bug.guard)
def test_every_bug_can_still_be_planted(bug: planted.Bug) -> None:
    for change in bug.changes:
        assert (ROOT / change.file).read_text().count(change.old) == 1, change.file


def test_plan_depends_on_nothing_but_its_seed() -> None:
    first, second = (make(seed=7, seconds=100, attempts=300) for _ in range(2))

    assert first == second
    assert make(seed=8, seconds=100, attempts=300) != first


def test_full_plan_breaks_as_much_as_is_asked_of_it() -> None:
    for seed in (1, 2, 3):
        plan = make(seed=seed, seconds=1800, attempts=20_000)

        blows = Counter(blow.what for blow in plan.blows)
        assert sum(blows[kill] for kill in KILLS) >= 50
        assert blows["Redis restarted empty"] >= 5
        assert blows["PostgreSQL restarted"] >= 3
        unharmed = 1.0
        for endpoint, _fault, probability, _params in plan.faults:
            if endpoint in {"*", "update_device"}:
                unharmed *= 1 - probability
        assert 1 - unharmed == pytest.approx(FAULTY_SHARE)
