"""Where the time of a request goes in the process that serves it: in whose code it is spent."""

from __future__ import annotations

import cProfile
import pstats
from collections import defaultdict
from collections.abc import Callable, Sequence

from scripts.bench.figures import ms

# Of a path the first that fits.
_PARTS = (
    ("/django/db/", "Django's ORM"),
    ("/psycopg", "psycopg"),
    ("/requests/", "requests and urllib3"),
    ("/urllib3/", "requests and urllib3"),
    ("/http/", "requests and urllib3"),
    ("/email/", "requests and urllib3"),
    ("/django/template/", "templates"),
    ("/onboarding/", "this app"),
    ("/config/", "this app"),
    ("/django/", "the rest of Django"),
    ("/logging/", "logging"),
)
_WAITING = {
    ("~", "<method 'recv_into' of '_socket.socket' objects>"): "waiting for Podero",
    ("/psycopg/connection.py", "wait"): "waiting for PostgreSQL",
}
_OTHER = "the rest"
Place = tuple[str, int, str]


def where_time_goes(acts: Sequence[Callable[[], object]]) -> str:
    """What one of `acts` takes, profiled, which makes it slower, and the shares of the parts."""
    profile = cProfile.Profile()
    for act in acts:
        profile.runcall(act)
    seconds: dict[str, float] = defaultdict(float)
    stats: dict[Place, tuple[int, int, float, float, dict[Place, tuple[int, int, float, float]]]]
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for place, (_primitive, _calls, own, _total, callers) in stats.items():
        waited_for = _waited_for(place)
        if place[0] != "~" or waited_for or not callers:
            seconds[waited_for or _part_of(place)] += own
            continue
        # What is built in works for whoever called it.
        for caller, (_caller_calls, _caller_primitive, for_caller, _for_total) in callers.items():
            seconds[_part_of(caller)] += for_caller
    whole = sum(seconds.values())
    largest = sorted(seconds.items(), key=lambda part: -part[1])
    shares = ", ".join(f"{part} {share / whole:.0%}" for part, share in largest)
    return f"one of {len(acts)}, profiled: {ms(whole / len(acts))}; {shares}"


def _waited_for(place: Place) -> str | None:
    waits = ((what, path, name) for (path, name), what in _WAITING.items())
    return next((what for what, path, name in waits if path in place[0] and name == place[2]), None)


def _part_of(place: Place) -> str:
    return next((part for words, part in _PARTS if words in place[0]), _OTHER)
