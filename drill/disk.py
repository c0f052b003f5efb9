"""The embedded installation on a disk that fills up: SQLite, its broker's files and its cache.

As root the disk is a small file system in memory, filled to the last byte. Otherwise the processes
are forbidden to make any file longer, which fails in the same places.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from drill import report
from drill.audit import Breach
from drill.clock import Clock
from drill.customers import world_of
from drill.examine import examine, tell
from drill.fleet import Fleet
from drill.installation import Installation, Watch, embedded
from drill.plan import make
from drill.saboteur import Outages
from drill.settle import settle
from tests.simulator.launch import start_simulator

SECONDS = 24.0
ATTEMPTS = 60
FULL_SECONDS = 5.0
DISK_MEGABYTES = 64

FillUp = Callable[[Installation], AbstractContextManager[None]]


def drill(seed: int, folder: Path, stack: ExitStack) -> list[Breach]:
    """Play a small plan while the disk is full for a while, twice; audit as usual."""
    plan = make(seed=seed, seconds=SECONDS, attempts=ATTEMPTS)
    clock = Clock(folder / "embedded-clock")
    simulator = start_simulator(env=clock.environment())
    stack.callback(simulator.stop)
    var_dir = folder / "small-disk"
    var_dir.mkdir()
    fill_up, how = _small_disk(var_dir, stack)
    app = embedded(folder, simulator=simulator, clock=clock, var_dir=var_dir)
    stack.callback(app.stop)
    app.start()
    watch = Watch([app])
    watch.start()
    stack.callback(watch.stop)
    world = world_of(app, simulator, seed=seed)
    outages, days = Outages(), 0

    def next_day() -> None:
        nonlocal days
        clock.move(86400)
        days += 1

    fleet = Fleet(plan, world, days=lambda: days, threads=8)
    print(f"\nThe embedded installation, its disk full for {FULL_SECONDS:.0f} s twice: {how}")
    began = time.monotonic()
    fleet.start()
    times = 0
    for at in (SECONDS * 0.25, SECONDS * 0.65):
        threading.Event().wait(max(0.0, began + at - time.monotonic()))
        with outages.of("disk"), fill_up(app):
            time.sleep(FULL_SECONDS)
        times += 1
    left = fleet.finish(deadline=began + 180, next_day=next_day)
    played = time.monotonic() - began
    unsettled = settle(app, seconds=120)
    watch.stop()
    examined = examine(app, world, simulator, watch=watch, outages=outages, excuses=("disk",))
    tell(app, world, examined.evidence, played)
    report.table("Faults survived", {"disk full": times})
    found = examined.found + [
        Breach("the drill itself", "customers", text) for text in fleet.errors[:10]
    ]
    if left:
        found.append(Breach("the drill itself", "customers", f"{left} stories were not finished"))
    if unsettled:
        found.append(Breach("not settled", app.name, str(unsettled)))
    app.stop()
    return found


def _small_disk(folder: Path, stack: ExitStack) -> tuple[FillUp, str]:
    mount = shutil.which("mount")
    if os.geteuid() == 0 and mount:
        done = subprocess.run(
            [mount, "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(folder)],
            check=False,
            capture_output=True,
        )
        if done.returncode == 0:
            stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=False)
            return _filled, f"a file system of {DISK_MEGABYTES} MB"
    return _forbidden, "no file system of its own without root, so files may not grow instead"


@contextlib.contextmanager
def _filled(app: Installation) -> Iterator[None]:
    ballast = Path(app.env["VAR_DIR"]) / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"\0" * size):
                        pass
        yield
    finally:
        ballast.unlink(missing_ok=True)


@contextlib.contextmanager
def _forbidden(app: Installation) -> Iterator[None]:
    pids = [pid for part in app.parts.values() for pid in part.pids()]
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_soft, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
