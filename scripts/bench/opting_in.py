"""Customers press the button: one, fifty at once, and as many as go in."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from scripts.bench.browser import Answer, Browser, Customer, is_form, ready_customers
from scripts.bench.figures import Measured, ms, p95
from scripts.bench.profiling import where_time_goes
from scripts.bench.world import World
from scripts.journeys import BareCalls
from tests.factories import make_customer
from tests.journeys.customer import Customer as InProcess
from tests.servers import RunningApp

LATENCY_MS = 300
AT_ONCE = 50
PLAIN_SECONDS = 6


def one_at_a_time(world: World, is_small: bool) -> Measured:
    world.simulator.control.settings(latency_ms=LATENCY_MS)
    bare, ours, ratios = BareCalls(world.simulator), [], []
    with world.app() as app:
        _warm_up(app, world)
        for number in world.numbers(8 if is_small else 30):
            [customer] = ready_customers(app, [number])
            bare.run(f"bare-{number}")
            ours.append(_timed(customer.opts_in)[0])
            ratios.append(ours[-1] / bare.seconds[-1])
    floor = statistics.median(bare.seconds)
    return Measured(
        ratios, [f"{ms(statistics.median(ours))} beside {ms(floor)}, medians of {len(ours)}"]
    )


def fifty_at_once(world: World, is_small: bool) -> Measured:
    world.simulator.control.settings(latency_ms=LATENCY_MS)
    bare, measured = BareCalls(world.simulator), Measured([])
    with world.app() as app:
        _warm_up(app, world)
        for _round in range(2 if is_small else 5):
            customers = ready_customers(app, world.numbers(AT_ONCE))
            for number in world.numbers(3):
                bare.run(f"bare-{number}")
            answers = _all_at_once([customer.opts_in for customer in customers])
            to_form = [seconds for seconds, answer in answers if is_form(answer)]
            measured.ratios.append(p95(to_form) / statistics.median(bare.seconds[-3:]))
            measured.remarks.append(
                f"{len(to_form)} of {AT_ONCE} straight to the form, p95 {ms(p95(to_form))}; the "
                f"slowest of all redirects {ms(max(seconds for seconds, _answer in answers))}"
            )
    measured.remarks.append(_profiled(world))
    return measured


def _profiled(world: World) -> str:
    """The press alone, in this process and without latency at Podero."""
    world.work_in("pages")
    world.simulator.control.settings(latency_ms=0)
    customers = [InProcess(make_customer()) for _number in world.numbers(40)]
    for customer in customers[:10]:
        customer.opt_in()
    return where_time_goes([customer.opt_in for customer in customers[10:]])


def per_second(world: World, is_small: bool) -> Measured:
    world.simulator.control.settings(latency_ms=LATENCY_MS)
    measured = Measured([])
    with world.app() as app, world.plain_app() as plain:
        _warm_up(app, world)
        for _round in range(1 if is_small else 3):
            plainly = _plain_per_second(plain, world)
            customers = ready_customers(app, world.numbers(100 if is_small else 240))
            places = _places(app)
            started = time.perf_counter()
            with ThreadPoolExecutor(places) as pool:
                answers = list(pool.map(Customer.opts_in, customers))
            seconds = time.perf_counter() - started
            opted_in = sum(map(is_form, answers))
            measured.ratios.append(opted_in / seconds / plainly)
            measured.remarks.append(
                f"{opted_in / seconds:.1f} beside {plainly:.1f} per second; "
                f"{opted_in} of {len(answers)} straight to the form, {places} at a time"
            )
    return measured


def _places(app: RunningApp) -> int:
    """How many customers may wait on Podero at a time, in all processes together."""
    told = app.manage(
        "shell", "-v", "0", "-c",
        "import os, runpy; from django.conf import settings; "
        "gunicorn = runpy.run_path('gunicorn.conf.py'); "
        "print(gunicorn['workers'] * settings.PODERO_MAX_WAITING)",
    )  # fmt: skip
    return int(told.stdout)


def _plain_per_second(base_url: str, world: World) -> float:
    ends_at = time.monotonic() + PLAIN_SECONDS

    def presses(number: str) -> int:
        browser, done = Browser(base_url), 0
        while time.monotonic() < ends_at:
            answer = browser.post("/", {"number": f"plain-{number}-{done}"})
            done += is_form(answer)
        return done

    started = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        done = sum(pool.map(presses, world.numbers(4)))
    return done / (time.perf_counter() - started)


def _warm_up(app: RunningApp, world: World) -> None:
    """Every process has its code, its token and its connections."""
    _all_at_once([customer.opts_in for customer in ready_customers(app, world.numbers(16))])


def _timed(act: Callable[[], Answer]) -> tuple[float, Answer]:
    started = time.perf_counter()
    answer = act()
    return time.perf_counter() - started, answer


def _all_at_once(acts: Sequence[Callable[[], Answer]]) -> list[tuple[float, Answer]]:
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], Answer]) -> tuple[float, Answer]:
        barrier.wait(10)
        return _timed(act)

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))
