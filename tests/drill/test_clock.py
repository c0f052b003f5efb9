from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from drill.clock import Clock
from drill.plan import DAY


def seen_by_a_process(clock: Clock, skew: float = 0.0) -> float:
    """What time a process that follows this clock says it is, and that it agrees with itself."""
    code = (
        "import time; from datetime import datetime, UTC;"
        "now = time.time(); assert abs(datetime.now(UTC).timestamp() - now) < 1; print(now)"
    )
    env = os.environ | clock.environment(skew)
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def test_processes_follow_the_clock_each_as_wrong_as_it_is(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    clock.move(DAY)

    shown = seen_by_a_process(clock)
    late = seen_by_a_process(clock, skew=-100)

    assert abs(shown - time.time() - DAY) < 30
    assert abs(late - time.time() - DAY + 100) < 30


def test_running_process_follows_a_move(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    code = "import time; print(time.time(), flush=True); input(); print(time.time(), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | clock.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        before = float(process.stdout.readline())
        clock.move(3600)
        after, _nothing = process.communicate("\n")

    assert 3600 <= float(after) - before < 3630


def test_moment_that_a_clock_showed_twice_has_two_real_ones(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    clock.move(1000)
    shown = datetime.fromtimestamp(clock.time(), UTC)
    clock.move(-20)

    between = clock.latest(shown) - clock.earliest(shown)

    assert abs(between - 20) < 1
