"""Background work among a million attempts."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from django.db import connection, transaction
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows import expiry
from onboarding.flows.expiry import OPENING_PERIOD
from onboarding.flows.sweep import sweep
from onboarding.models import OnboardingSession
from onboarding.models.claims import CLAIM_LIFETIME
from onboarding.states import State
from scripts.bench import rows
from scripts.bench.browser import ready_customers
from scripts.bench.figures import Measured, ms, worse
from scripts.bench.world import World
from tests.servers import RunningApp

FEW, MANY = 10_000, 1_000_000
DUE = 100

_UPDATE = """
    UPDATE onboarding_onboardingsession
    SET state = 'expired', failure_code = 'never_opened', finished_at = %(now)s,
        claimed_at = NULL, next_try_at = NULL
    WHERE state = 'started' AND started_at <= %(before)s
        AND (claimed_at IS NULL OR claimed_at < %(stuck)s)
"""
_INSERT = """
    INSERT INTO onboarding_sessionevent
        (attempt_id, at, event, actor, state_before, state_after, failure_code)
    SELECT id, %(now)s, 'expired', 'system', 'started', 'expired', 'never_opened'
    FROM onboarding_onboardingsession WHERE state = 'expired' AND finished_at = %(now)s
"""


def expire_many(world: World, is_small: bool) -> Measured:
    measured = Measured([])
    count = _filled(world, is_small)
    for number in range(1 if is_small else 3):
        now = timezone.now()
        two_days_ago = now - timedelta(days=2)
        due = rows.leave_unopened(10, started_at=two_days_ago)
        before = _memory_from_now_on()
        started = time.perf_counter()
        expired = expiry.expire_unopened_attempts(now=now)
        ours = time.perf_counter() - started
        grown = _memory("VmHWM") - before
        if expired != due:
            raise RuntimeError(f"{expired} of {due} expired")
        rows.leave_unopened(10, started_at=two_days_ago)
        bare = _expire_barely(timezone.now(), due)
        measured.ratios.append(ours / bare)
        measured.remarks.append(
            f"{due:,} among {count:,}: {ours:.1f} s beside {bare:.1f} s; at its peak "
            f"{grown / 1024:.1f} MB more memory{' at first' if number == 0 else ''}"
        )
    return measured


def _memory_from_now_on() -> int:
    """What this process holds, in kB; its peak is forgotten, and counted anew."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> int:
    [line] = [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)
    ]
    return int(line.split()[1])


def _expire_barely(now: datetime, due: int) -> float:
    values = {"now": now, "before": now - OPENING_PERIOD, "stuck": now - CLAIM_LIFETIME}
    started = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in (_UPDATE, _INSERT):
            cursor.execute(statement, values)
            if cursor.rowcount != due:
                raise RuntimeError(f"{cursor.rowcount} of {due} rows")
    return time.perf_counter() - started


def growth(world: World, is_small: bool) -> Measured:
    """Without any latency at Podero, so that nothing hides what the database takes."""
    world.simulator.control.settings(latency_ms=0)
    measured, ratios = Measured([]), dict[str, list[float]]()
    count = _filled(world, is_small)
    world.work_in("few")
    if not OnboardingSession.objects.exists():
        rows.fill(FEW, now=timezone.now())
    with ExitStack() as stack:
        apps = {
            name: stack.enter_context(world.app(name, WEB_WORKERS="1")) for name in ("few", "many")
        }
        for name, app in apps.items():
            _open_forms(app, world, DUE)
            _returns(app, world, 5)
            _sweeps(world, name)
        for number in range(2 if is_small else 5):
            in_turn = sorted(apps, reverse=bool(number % 2))
            returns = {name: _returns(apps[name], world, 10) for name in in_turn}
            sweeps = {name: _sweeps(world, name) for name in in_turn}
            both = {"return page": returns, "sweep of 100": sweeps}
            for what, took in both.items():
                ratios.setdefault(what, []).append(took["many"] / took["few"])
                measured.remarks.append(
                    f"{what}: {ms(took['many'])} at {count:,}, {ms(took['few'])} at {FEW:,}"
                )
    measured.ratios = worse(ratios)
    return measured


def _filled(world: World, is_small: bool) -> int:
    """Fill the large database on first need; returns how many attempts it holds."""
    count = MANY // 10 if is_small else MANY
    world.work_in("many")
    if not OnboardingSession.objects.exists():
        rows.fill(count, now=timezone.now())
    return count


def _open_forms(app: RunningApp, world: World, count: int) -> None:
    for customer in ready_customers(app, world.numbers(count)):
        customer.opts_in()
        customer.browser.close()


def _returns(app: RunningApp, world: World, count: int) -> float:
    """From the way back to the page that says how it went; the median."""
    seconds = []
    for customer in ready_customers(app, world.numbers(count)):
        address = customer.opts_in().location
        [session] = parse_qs(urlsplit(address).query)["onboarding_session_id"]
        way_back = urlsplit(str(world.simulator.control.complete(session).redirect_url))
        started = time.perf_counter()
        answer = customer.browser.get(f"{way_back.path}?{way_back.query}")
        page = customer.browser.get(answer.location)
        seconds.append(time.perf_counter() - started)
        if page.status != 200 or b"linked" not in page.body:
            raise RuntimeError(f"not linked: {page.status}")
        customer.browser.close()
    return statistics.median(seconds)


def _sweeps(world: World, database: str) -> float:
    world.work_in(database)
    now = timezone.now()
    waiting = OnboardingSession.objects.filter(state=State.OPEN).order_by("-pk")[:DUE]
    OnboardingSession.objects.filter(pk__in=list(waiting.values_list("pk", flat=True))).update(
        next_try_at=now
    )
    started = time.perf_counter()
    done = sweep(client=podero_client(), now=now)
    seconds = time.perf_counter() - started
    others = done["customers' devices refreshed"] + done["savings fetched"]
    if done["attempts looked up"] < DUE or others > DUE:
        raise RuntimeError(f"swept: {done}")
    return seconds
