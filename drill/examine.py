"""Questions all witnesses of one installation, searches its logs, and tells what became of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drill import logs, report
from drill.audit import Breach, Evidence, audit
from drill.customers import FAMILY_NAME, RETURN_TOKEN, World
from drill.installation import Installation, Watch
from drill.memory import Person
from drill.saboteur import Outages
from tests.simulator.launch import RunningSimulator

# A worker whose broker has gone lets its tasks finish first.
ENDING_SECONDS = 90.0


@dataclass
class Examined:
    """The evidence, and what is wrong with it."""

    evidence: Evidence
    found: list[Breach]


def examine(
    app: Installation,
    world: World,
    simulator: RunningSimulator,
    *,
    watch: Watch,
    outages: Outages,
    excuses: tuple[str, ...],
    server_logs: tuple[Path, ...] = (),
) -> Examined:
    """Audit everything. `excuses`: the servers whose outage explains error pages and tracebacks;
    `server_logs` is what these have written.

    An error page needs the database to be away; a broker that is away is no excuse for one.
    """
    podero = simulator.control.state(journal=0)
    facts = app.facts()
    evidence = Evidence(facts, podero, world.people, world.clock)
    kept = {"facts": facts, "podero": podero, "people": [asdict(each) for each in world.people]}
    (app.folder / f"{app.name}-evidence.json").write_text(json.dumps(kept))
    found = audit(evidence)
    keys = world.keys | _keys_at_podero(podero) | {person.number for person in world.people}
    words = {app.env["PODERO_CLIENT_SECRET"], app.env["HANDOFF_SECRET"], app.env["SECRET_KEY"]}
    for log in filter(lambda log: log.exists(), [*app.logs(), *server_logs]):
        found += logs.keys_in(log, keys, words | {FAMILY_NAME})
    for log in filter(lambda log: log.exists(), app.logs()):
        found += logs.tracebacks_in(log, watch, outages, *excuses)
        found += logs.crashes_in(log)
    found += [
        Breach("ended by itself", name, "while nothing was down that it needs")
        for name, part in app.parts.items()
        for moment in part.deaths
        if not (
            outages.cover(moment - ENDING_SECONDS, moment, "disk")
            or (
                outages.cover(moment - ENDING_SECONDS, moment, *excuses)
                and logs.gives_up_for_an_outage(part.log, watch, moment - ENDING_SECONDS, moment)
            )
        )
    ]
    found += [
        Breach("gave up", person.number, f"waited for {person.gave_up} in vain")
        for person in world.people
        if person.gave_up and not _is_disk_full(outages, person, world.patience_seconds)
    ]
    found += [Breach("sent elsewhere", "a customer", f"to {host}") for host in set(world.strays)]
    found += [
        Breach("error page", failure.path, f"answered {failure.status}")
        for failure in world.failures
        if not outages.cover(failure.began, failure.ended, *(set(excuses) - {"Redis"}))
    ]
    rejected = podero["rejected"]
    found += [Breach("rejected", "the app", str(each)) for each in rejected[:5]]
    return Examined(evidence, found)


def _is_disk_full(outages: Outages, person: Person, patience_seconds: float) -> bool:
    """No other outage is as long as people have patience."""
    return outages.cover(person.gave_up_at - patience_seconds, person.gave_up_at, "disk")


def _keys_at_podero(podero: dict[str, Any]) -> set[str]:
    """Bearer tokens, session ids and both return tokens, also of forms that nobody was sent to."""
    keys = set(podero["issued_tokens"])
    for session in podero["sessions"]:
        keys.add(session["id"])
        for address in (session["success_url"], session["cancel_url"]):
            found = RETURN_TOKEN.search(address or "")
            keys |= {found[1]} if found else set()
    return keys


def tell(app: Installation, world: World, evidence: Evidence, played: float) -> int:
    """Print what became of everybody; how many attempts there were."""
    attempts = list(evidence.attempts.values())
    told = {
        "customers": len(world.people),
        "attempts": f"{len(attempts)} in {played:.0f} s",
        "devices linked": len(evidence.device_rows),
        "optimized at the end": sum(
            bool(row["fields"]["is_smart_optimization_active"])
            for row in evidence.living_devices()
        ),
        "withdrawals": sum(len(person.withdrawals) for person in world.people),
        "people who gave up": sum(bool(person.gave_up) for person in world.people),
        "answers": ", ".join(f"{number} {what}" for what, number in sorted(world.seen.items())),
        "ended by themselves": ", ".join(
            f"{name} {len(part.deaths)} times" for name, part in app.parts.items() if part.deaths
        )
        or "none",
    }  # fmt: skip
    report.table(f"The {app.name} installation", told)
    report.table("Attempts ended", report.outcomes(attempts))
    return len(attempts)
