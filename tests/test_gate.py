"""The gate that every call to Podero passes: what it costs, and what it holds back."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from config.caching import RedisWhileItAnswers
from onboarding import pace, podero
from onboarding.gate import SharedGate
from onboarding.models import Breaker
from onboarding.pace import CounterInCache, CounterInFile, CounterInMemory, Pace
from onboarding.podero import Code, HeldBack, Outcome
from tests import servers
from tests.conftest import missing

Counting = Callable[[], pace.Counter]
GOOD = Outcome(None)
BAD = Outcome(Code.SERVER_ERROR)


@pytest.fixture
def gate() -> SharedGate:
    return SharedGate(lease_seconds=10)


def call(gate: SharedGate, outcome: Outcome | None) -> None:
    gate.leave(gate.enter(wait_seconds=1), outcome)


def let_time_pass(*gates: SharedGate) -> None:
    """The open period is over, and each process has noticed."""
    Breaker.objects.update(open_until=timezone.now())
    for gate in gates:
        gate.forget()


@pytest.mark.django_db
def test_a_thousand_good_calls_write_nothing_and_hardly_read(
    gate: SharedGate, django_assert_max_num_queries: Any
) -> None:
    started = time.perf_counter()

    with django_assert_max_num_queries(3) as asked:
        for _call in range(1000):
            call(gate, GOOD)

    assert all(query["sql"].startswith("SELECT") for query in asked.captured_queries)
    assert not Breaker.objects.exists()
    # A tenth of what is allowed, and still generous on a busy machine.
    assert (time.perf_counter() - started) / 1000 < 0.001


@pytest.mark.django_db
@pytest.mark.parametrize(
    "code", [Code.UNREACHABLE, Code.TIMEOUT, Code.SERVER_ERROR, Code.RATE_LIMITED]
)
def test_failing_podero_is_left_alone_by_all_processes(gate: SharedGate, code: Code) -> None:
    other = SharedGate(lease_seconds=10)
    for _call in range(5):
        call(gate, Outcome(code))

    for each in (gate, other):
        with pytest.raises(HeldBack) as refusal:
            each.enter(wait_seconds=1)
        assert refusal.value.code == Code.HELD_BACK
        assert 0 < refusal.value.seconds <= 5
        assert each.is_shut


@pytest.mark.django_db
@pytest.mark.parametrize(
    "code", [Code.REFUSED, Code.NOT_FOUND, Code.UNAUTHORIZED, Code.FORBIDDEN, Code.UNEXPECTED_REPLY]
)
def test_answers_that_say_no_are_no_failures_of_podero(gate: SharedGate, code: Code) -> None:
    for _call in range(50):
        call(gate, Outcome(code))

    assert not gate.is_shut


@pytest.mark.django_db
def test_one_call_in_ten_failing_is_borne(gate: SharedGate) -> None:
    for number in range(100):
        call(gate, BAD if number % 10 == 0 else GOOD)

    assert not gate.is_shut


@pytest.mark.django_db
def test_one_call_in_five_failing_is_borne_by_many_processes_at_full_speed() -> None:
    """Within the first moment of a window the good calls must be seen among the failures."""
    gates = [SharedGate(lease_seconds=10) for _process in range(4)]
    for gate in gates:
        call(gate, GOOD)

    for number in range(200):
        call(gates[number % 4], BAD if number % 5 == 0 else GOOD)

    assert not any(gate.is_shut for gate in gates)


@pytest.mark.django_db
def test_good_probe_lets_everybody_through_again(gate: SharedGate) -> None:
    other = SharedGate(lease_seconds=10)
    for _call in range(5):
        call(gate, BAD)
    let_time_pass(gate, other)

    probe = gate.enter(wait_seconds=1)
    with pytest.raises(HeldBack):
        other.enter(wait_seconds=1)
    assert other.is_shut
    gate.leave(probe, GOOD)
    other.forget()

    call(other, GOOD)
    assert not Breaker.objects.get().is_open


@pytest.mark.django_db
def test_failed_probe_shuts_it_for_longer(gate: SharedGate) -> None:
    for _call in range(5):
        call(gate, BAD)
    let_time_pass(gate)

    call(gate, BAD)

    with pytest.raises(HeldBack) as refusal:
        gate.enter(wait_seconds=1)
    assert 5 < refusal.value.seconds <= 10


@pytest.mark.django_db
def test_probe_whose_end_nobody_saw_is_given_back(gate: SharedGate) -> None:
    for _call in range(5):
        call(gate, BAD)
    let_time_pass(gate)

    call(gate, None)

    call(gate, GOOD)
    assert not Breaker.objects.get().is_open


@pytest.mark.django_db
def test_retry_after_holds_for_every_process_and_says_so(gate: SharedGate) -> None:
    other = SharedGate(lease_seconds=10)

    call(gate, Outcome(Code.RATE_LIMITED, retry_after_seconds=30))

    for each in (gate, other):
        with pytest.raises(HeldBack) as refusal:
            each.enter(wait_seconds=1)
        assert refusal.value.code == Code.PACED
        assert 25 < refusal.value.seconds <= 30


@pytest.mark.django_db
def test_gate_lets_through_what_it_cannot_judge(
    gate: SharedGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object, **_kwargs: object) -> Breaker:
        raise OperationalError

    monkeypatch.setattr(Breaker, "now_known", away)
    monkeypatch.setattr(Breaker, "record", away)

    for _call in range(10):
        call(gate, BAD)

    assert not gate.is_shut


# --- The ceiling of calls per second ----------------------------------------------------------


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_ceiling_spreads_calls_over_seconds() -> None:
    clock = Clock()
    limit = Pace(calls_per_second=3, counter=CounterInMemory(), clock=clock, sleep=clock.sleep)
    made: Counter[int] = Counter()

    for _call in range(10):
        limit.take(wait_seconds=5)
        made[int(clock.now)] += 1

    assert max(made.values()) == 3
    assert len(made) == 4


def test_whoever_would_wait_too_long_is_held_back_at_once() -> None:
    clock = Clock()
    limit = Pace(calls_per_second=1, counter=CounterInMemory(), clock=clock, sleep=clock.sleep)
    limit.take(wait_seconds=0.5)

    with pytest.raises(HeldBack) as refusal:
        limit.take(wait_seconds=0.5)

    assert clock.now == 1000.0
    assert refusal.value.code == podero.Code.PACED
    assert refusal.value.seconds >= 1


def test_clock_that_is_set_back_lets_nobody_wait_longer() -> None:
    clock = Clock()
    limit = Pace(calls_per_second=1, counter=CounterInMemory(), clock=clock, sleep=clock.sleep)
    limit.take(wait_seconds=2)
    slept: list[float] = []

    def sleep_while_it_is_set_back(seconds: float) -> None:
        slept.append(seconds)
        clock.now = 1000.0

    limit = Pace(
        calls_per_second=1,
        counter=limit._counter,
        clock=clock,
        sleep=sleep_while_it_is_set_back,
    )
    with pytest.raises(HeldBack):
        limit.take(wait_seconds=5)

    assert sum(slept) <= pace.LONGEST_WAIT_SECONDS


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_call_that_comes_late_does_not_begin_the_count_anew(kind: str, tmp_path: Path) -> None:
    counter = CounterInFile(tmp_path / "calls") if kind == "file" else CounterInMemory()

    assert [counter.add_to(second) for second in (1000, 1001, 1001, 1000, 1001)] == [1, 1, 2, 3, 4]
    # The clock was set back.
    assert [counter.add_to(second) for second in (900, 900)] == [1, 2]


@pytest.fixture(params=["file", "Redis"])
def shared_counter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Counting]:
    """Makes a counter that several processes share."""
    if request.param == "file":
        yield lambda: CounterInFile(tmp_path / "calls")
        return
    try:
        redis = servers.start_redis()
    except servers.NotInstalled as reason:
        missing(str(reason))

    def in_redis() -> CounterInCache:
        vars(pace)["shared_cache"] = RedisWhileItAnswers(redis.url, {})
        return CounterInCache()

    yield in_redis
    redis.stop()


def make_calls(counting: Counting, ends_at: float, made: Any) -> None:
    limit = Pace(calls_per_second=20, counter=counting())
    while time.time() < ends_at:
        with suppress(HeldBack):
            limit.take(wait_seconds=5)
            made.put(int(time.time()))


def test_ceiling_holds_over_real_processes(shared_counter: Counting) -> None:
    fork = multiprocessing.get_context("fork")
    made, ends_at = fork.SimpleQueue(), time.time() + 3.0
    running = [
        fork.Process(target=make_calls, args=(shared_counter, ends_at, made))
        for _process in range(3)
    ]

    for each in running:
        each.start()
    for each in running:
        each.join(30)

    by_second: Counter[int] = Counter()
    while not made.empty():
        by_second[made.get()] += 1
    assert [each.exitcode for each in running] == [0, 0, 0]
    # A call counted just before the second's end may be noted just after it.
    assert max(by_second.values()) <= 23
    assert sum(by_second.values()) >= 50


def test_counter_in_the_cache_counts_by_the_second() -> None:
    counter = CounterInCache()

    assert [counter.add_to(7), counter.add_to(7), counter.add_to(8)] == [1, 2, 1]


def test_counter_in_a_file_survives_nonsense_in_it(tmp_path: Path) -> None:
    (tmp_path / "calls").write_text("7 many")
    counter = CounterInFile(tmp_path / "calls")

    assert [counter.add_to(7), counter.add_to(7), counter.add_to(8)] == [1, 2, 1]


def test_process_keeps_the_ceiling_by_itself_while_the_counter_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Away:
        def set(self, *_args: object, **_kwargs: object) -> None: ...

        def add(self, *_args: object, **_kwargs: object) -> bool:
            return True

        def incr(self, _key: str) -> int:
            raise ValueError

    monkeypatch.setattr(pace, "shared_cache", Away())
    clock = Clock()
    limit = Pace(calls_per_second=1, counter=CounterInCache(), clock=clock, sleep=clock.sleep)
    limit.take(wait_seconds=5)

    with pytest.raises(HeldBack):
        limit.take(wait_seconds=0.5)
