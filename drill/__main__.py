"""The fault drill: `make drill ARGS="--seed 1 --seconds 1800 --attempts 20000"`.

Starts PostgreSQL, Redis, the app (two gunicorns, two workers, two beats) and the simulator of
Podero, all its own; lets people loose on it while a saboteur breaks things; lets it settle; and
audits what the app, Podero and the people say. Exit code 1 on any breach. See docs/drill.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from drill import disk, report
from drill.audit import Breach
from drill.clock import Clock
from drill.customers import world_of
from drill.examine import examine, tell
from drill.fleet import Fleet
from drill.installation import Watch, scaled
from drill.plan import Plan, make
from drill.saboteur import Saboteur
from drill.settle import settle
from tests import servers
from tests.simulator.launch import start_simulator

LONG = 600.0


def _patience(plan: Plan) -> float:
    """How long people, and then what is left to be done after them, may take.

    On a slow machine there is more to wait for, but nothing else to see.
    """
    return plan.seconds * 4 + 120


@dataclass
class Findings:
    """What a run has brought to light."""

    breaches: list[Breach]
    attempts: int


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m drill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1800, help="how long things are broken")
    parser.add_argument("--attempts", type=int, default=20_000, help="how many people make")
    parser.add_argument("--keep", action="store_true", help="keep the folder with all logs")
    parser.add_argument("--show-plan", action="store_true", help="print the plan and stop")
    options = parser.parse_args()
    plan = make(seed=options.seed, seconds=options.seconds, attempts=options.attempts)
    if options.show_plan:
        show(plan)
        return 0
    # Everything is stopped on the way out, so a signal must be a way out.
    signal.signal(signal.SIGTERM, _leave)
    folder = Path(tempfile.mkdtemp(prefix="drill-"))
    print(f"Drill with seed {plan.seed}: {len(plan.arrivals)} customers in {plan.seconds:.0f} s")
    print(f"Machine: {os.cpu_count()} cores, Python {platform.python_version()}, logs in {folder}")
    try:
        with ExitStack() as stack:
            findings = run(plan, folder, stack)
            findings.breaches += disk.drill(plan.seed, folder, stack)
    except servers.NotInstalled as reason:
        sys.exit(f"Cannot start: {reason}")
    report.breaches(findings.breaches)
    is_enough = findings.attempts >= enough(plan, options.attempts)
    if not is_enough:
        print(f"Too few attempts to count: {findings.attempts} of {options.attempts}.")
    if findings.breaches:
        print(f"\nTo play it again: --seed {plan.seed} --seconds {plan.seconds:.0f} "
              f"--attempts {options.attempts}")  # fmt: skip
        show(plan)
    if findings.breaches or options.keep:
        print(f"All logs are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if findings.breaches or not is_enough else 0


def enough(plan: Plan, attempts: int) -> float:
    """How many attempts make a run count. A short one may find Podero shut for most of its time,
    and then nobody gets to a second attempt."""
    return attempts * (1.0 if plan.seconds >= LONG else 0.7)


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(1)


def show(plan: Plan) -> None:
    report.table("Podero's habits", plan.habits)
    print("\nWhat the saboteur does")
    print(*(f"  {blow}" for blow in plan.blows), sep="\n")


def run(plan: Plan, folder: Path, stack: ExitStack) -> Findings:
    """Start everything, play the plan, settle, audit, print the table."""
    began = time.monotonic()
    clock = Clock(folder / "clock")
    postgres = servers.start_postgres()
    stack.callback(postgres.stop)
    redis = servers.start_redis()
    stack.callback(redis.stop)
    simulator = start_simulator(env=clock.environment())
    stack.callback(simulator.stop)
    app = scaled(
        folder,
        database_url=postgres.create_database("drill"),
        redis_url=redis.url,
        simulator=simulator,
        clock=clock,
    )
    stack.callback(app.stop)
    watch = Watch([app])
    app.start()
    watch.start()
    stack.callback(watch.stop)
    world = world_of(app, simulator, seed=plan.seed)
    saboteur = Saboteur(
        plan=plan, world=world, app=app, postgres=postgres, redis=redis, simulator=simulator
    )
    fleet = Fleet(plan, world, days=lambda: saboteur.days)
    print(f"Started in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    blows = saboteur.start()
    stack.callback(saboteur.stop)
    fleet.start()
    blows.join()
    print(f"All blows struck after {time.monotonic() - began:.0f} s", flush=True)
    left = fleet.finish(deadline=began + _patience(plan), next_day=saboteur.next_day)
    played = time.monotonic() - began
    print(f"All stories told after {played:.0f} s; now it may settle", flush=True)
    faults = simulator.control.faults()
    simulator.control.clear_faults()
    app.wait_until_ready()
    unsettled = settle(app, seconds=_patience(plan))
    watch.stop()
    examined = examine(
        app,
        world,
        simulator,
        watch=watch,
        outages=saboteur.outages,
        excuses=("PostgreSQL", "Redis"),
        server_logs=(postgres.log, redis.log),
    )
    attempts = tell(app, world, examined.evidence, played)
    report.table("Faults survived", report.sorted_counts(saboteur.struck))
    report.table("Faults at Podero", _at_podero(faults))
    report.table("Memory", report.memory(watch.sizes))
    found = examined.found + own_faults(saboteur, fleet, left, unsettled)
    app.stop()
    return Findings(found, attempts)


def _at_podero(faults: dict[str, Any]) -> dict[str, object]:
    asked = faults["counters"]["by_endpoint"]
    calls = sum(number for endpoint, number in asked.items() if endpoint != "hosted_form")
    return report.faults_at_podero(faults["faults"]["struck"], calls)


def own_faults(
    saboteur: Saboteur, fleet: Fleet, left: int, unsettled: dict[str, int]
) -> list[Breach]:
    found = [Breach("the drill itself", "saboteur", text) for text in saboteur.failures]
    found += [Breach("the drill itself", "customers", text) for text in fleet.errors[:10]]
    struck = sum(saboteur.struck.values()) + len(saboteur.failures)
    if struck < len(saboteur.plan.blows):
        text = f"struck {struck} of {len(saboteur.plan.blows)} times"
        found.append(Breach("the drill itself", "saboteur", text))
    if left:
        found.append(Breach("the drill itself", "customers", f"{left} stories were not finished"))
    if unsettled:
        found.append(Breach("not settled", "the app", str(unsettled)))
    return found


if __name__ == "__main__":
    sys.exit(main())
