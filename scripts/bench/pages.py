"""Pages that ask nobody: while Podero is slow, and how many of them a core can give."""

from __future__ import annotations

import multiprocessing
import statistics
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from scripts.bench.browser import Answer, Browser, Customer, is_form, ready_customers
from scripts.bench.figures import Measured, ms, p95, worse
from scripts.bench.timing import seconds_of
from scripts.bench.world import World
from tests.servers import RunningApp

SLOW_MS = 10_000
CUSTOMERS = 100
PACE_SECONDS = 0.05
# Until then somebody waits for Podero all the time; then the breaker opens.
GIVEN_UP_AFTER = 6
_TICKS = 100  # of the kernel's clock for processes, per second
PAGES = {"start": "/optimize/", "devices": "/optimize/devices/"}


@dataclass(frozen=True)
class Look:
    """When a page was asked for, since the round began, how long it took, and what for."""

    at: float
    seconds: float
    parts: Mapping[str, float]


@dataclass
class _Round:
    """The pages at rest and while Podero is slow, and what the web processes took of a core."""

    at_rest: dict[str, list[Look]]
    busy: dict[str, list[Look]]
    shares: list[float]


def while_podero_is_slow(world: World, is_small: bool) -> Measured:
    """The customers come one after the other while the pages are looked at, and none gives up."""
    seconds = GIVEN_UP_AFTER if is_small else 20
    measured = Measured([])
    ratios: dict[str, list[float]] = {name: [] for name in PAGES}
    with world.app() as app:
        visitor = _with_a_device(app, world)
        for _number in range(1 if is_small else 5):
            one = _round(app, world, visitor, seconds)
            for name in PAGES:
                rest, slow = (
                    [each.seconds for each in looks[name]] for looks in (one.at_rest, one.busy)
                )
                ratios[name].append(p95(slow) / p95(rest))
                waiting = [each.seconds for each in one.busy[name] if each.at < GIVEN_UP_AFTER]
                measured.remarks.append(
                    f"{name}: p95 {ms(p95(slow))} beside {ms(p95(rest))}; "
                    f"{ms(p95(waiting))} until the first calls were given up; "
                    f"median {ms(statistics.median(slow))} beside {ms(statistics.median(rest))}"
                )
            measured.remarks.append(
                f"the web processes took {one.shares[1]:.0%} of a core, at rest {one.shares[0]:.0%}"
            )
    with world.app(DJANGO_SETTINGS_MODULE="scripts.bench.timed") as app:
        one = _round(app, world, _with_a_device(app, world), seconds)
        measured.remarks += [
            f"{name}, profiled: {_slowest(one.busy[name])}; at rest {_slowest(one.at_rest[name])}"
            for name in PAGES
        ]
    world.simulator.control.settings(latency_ms=0)
    measured.ratios = worse(ratios)
    return measured


def _round(app: RunningApp, world: World, visitor: Customer, seconds: float) -> _Round:
    """It begins with a Podero that has answered, as if it were the first."""
    world.simulator.control.settings(latency_ms=0)
    [first, *crowd] = ready_customers(app, world.numbers(1 + CUSTOMERS))
    _insists(first, threading.Event())
    _visit(visitor, 2)
    used = [_seconds_used(app.processes["web"].pid)]
    at_rest = _visit(visitor, seconds)
    used.append(_seconds_used(app.processes["web"].pid))
    world.simulator.control.settings(latency_ms=SLOW_MS)
    # In a process of its own, so that it does not hold up the stop-watch.
    coming = multiprocessing.get_context("fork").Process(target=_come, args=(crowd, seconds))
    coming.start()
    busy = _visit(visitor, seconds)
    used.append(_seconds_used(app.processes["web"].pid))
    coming.join()
    return _Round(at_rest, busy, [(later - before) / seconds for before, later in pairwise(used)])


def _slowest(looks: list[Look]) -> str:
    """What the slowest tenth took and what for, medians of each."""
    slowest = sorted(looks, key=lambda look: look.seconds)[-max(len(looks) // 10, 1) :]
    parts = {name: [look.parts[name] for look in slowest] for name in ("work", "core", "others")}
    outside = [look.seconds - sum(look.parts.values()) for look in slowest]
    whole, at_work, for_core, for_others, around = (
        ms(statistics.median(each))
        for each in ([look.seconds for look in slowest], *parts.values(), outside)
    )
    return (
        f"the slowest tenth {whole}: at work {at_work}, waiting for a core {for_core}, "
        f"for Python's lock and PostgreSQL {for_others}, before and after the app {around}"
    )


def _with_a_device(app: RunningApp, world: World) -> Customer:
    """A customer whose page of devices has one to show."""
    world.simulator.control.settings(latency_ms=0)
    [customer] = ready_customers(app, world.numbers(1))
    answer = _insists(customer, threading.Event())
    if answer is None:
        raise RuntimeError("Podero's form was not to be had")
    form = parse_qs(urlsplit(answer.location).query)
    way_back = world.simulator.control.complete(form["onboarding_session_id"][0]).redirect_url
    path = urlsplit(str(way_back))
    customer.browser.get(customer.browser.get(f"{path.path}?{path.query}").location)
    if b"device-" not in customer.browser.get(PAGES["devices"]).body:
        raise RuntimeError("no device to be seen")
    return customer


def _come(crowd: list[Customer], seconds: float) -> None:
    is_over = threading.Event()
    with ThreadPoolExecutor(len(crowd)) as pool:
        for customer in crowd:
            pool.submit(_insists, customer, is_over)
            time.sleep(seconds / len(crowd))
        is_over.set()


def _insists(customer: Customer, is_over: threading.Event) -> Answer | None:
    """Opt in; then go on as the page does by itself, to the form unless it is over before."""
    answer: Answer | None = customer.opts_in()
    while answer is not None and not is_form(answer):
        answer = customer.goes_on(answer.location, is_over)
    return answer


def _visit(visitor: Customer, seconds: float) -> dict[str, list[Look]]:
    """Look at each page in turn at an even pace."""
    looks: dict[str, list[Look]] = {name: [] for name in PAGES}
    stranger = Browser(visitor.app.base_url)
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        for name, path in PAGES.items():
            browser = stranger if name == "start" else visitor.browser
            started = time.monotonic()
            answer = browser.get(path)
            took = time.monotonic() - started
            looks[name].append(Look(started - began, took, seconds_of(answer.timing)))
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
            time.sleep(PACE_SECONDS)
    return looks


def start_page_per_core(world: World, is_small: bool) -> Measured:
    """By the processor time that the server takes, which others on the machine do not add to."""
    count = 300 if is_small else 1500
    measured = Measured([])
    with world.app(DJANGO_SETTINGS_MODULE="scripts.bench.settings") as app:
        browser = Browser(app.base_url, accepts="gzip, deflate, br, zstd")
        for path in ("/empty/", "/optimize/") * 50:
            browser.get(path)
        for _round in range(3 if is_small else 5):
            nothing = _per_second_of_core(app, browser, "/empty/", count)
            page = _per_second_of_core(app, browser, "/optimize/", count)
            measured.ratios.append(page / nothing)
            measured.remarks.append(f"{page:.0f} beside {nothing:.0f} per second and core")
    return measured


def _per_second_of_core(app: RunningApp, browser: Browser, path: str, count: int) -> float:
    before = _seconds_used(app.processes["web"].pid)
    for _look in range(count):
        if browser.get(path).status != 200:
            raise RuntimeError(path)
    return count / (_seconds_used(app.processes["web"].pid) - before)


def _seconds_used(master: int) -> float:
    """Processor time of a server's processes, its children's included."""
    used = 0.0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if master in (int(status.parent.name), int(fields[1])):
            used += (int(fields[11]) + int(fields[12])) / _TICKS
    return used
