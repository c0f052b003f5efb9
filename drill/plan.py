"""What will happen, from the seed alone: who comes when, and what is broken when."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from drill import stories

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
FAULTY_SHARE = 0.30


@dataclass(frozen=True)
class Arrival:
    """One customer: when, with which story, and the seed of all their own decisions."""

    at: float
    story: stories.Story
    seed: int


@dataclass(frozen=True)
class Blow:
    """One act of the saboteur: what, when, and for how long it lasts."""

    at: float
    what: str
    seconds: float
    seed: int

    def __str__(self) -> str:
        return f"{self.at:7.1f} s  {self.what} ({self.seconds:.1f} s)"


@dataclass(frozen=True)
class Plan:
    """The whole run. The same seed and sizes give the same plan."""

    seed: int
    seconds: float
    arrivals: tuple[Arrival, ...]
    blows: tuple[Blow, ...]
    habits: dict[str, Any]
    """How Podero behaves where its documentation is silent; settings of the simulator."""
    faults: tuple[tuple[str, str, float, dict[str, Any]], ...]
    """Endpoint, fault, probability, parameters: what is always wrong with Podero."""


def make(*, seed: int, seconds: float, attempts: int) -> Plan:
    rng = random.Random(seed)
    number = max(1, round(attempts / stories.ATTEMPTS_PER_STORY))
    arrivals = sorted(
        (rng.uniform(0, seconds), rng.getrandbits(32), index) for index in range(number)
    )
    habits = _habits(rng)
    return Plan(
        seed=seed,
        seconds=seconds,
        arrivals=tuple(
            Arrival(at, _story(random.Random(own), index), own) for at, own, index in arrivals
        ),
        blows=tuple(_blows(rng, seconds, is_strict=not habits["duplicates_allowed"])),
        habits=habits,
        faults=tuple(_faults(rng, duplicates_allowed=habits["duplicates_allowed"])),
    )


def _story(rng: random.Random, index: int) -> stories.Story:
    """By weight, but each story at least once where there are customers enough."""
    every = list(stories.STORIES)
    return every[index] if index < len(every) else stories.chosen(rng)


def _habits(rng: random.Random) -> dict[str, Any]:
    return {
        "create_status": rng.choice((200, 201)),
        "duplicate_status": rng.choice((400, 409, 422)),
        # A Podero that would take the same customer number twice is the harder one.
        "duplicates_allowed": rng.random() < 0.5,
        "token_body": rng.choice(("json", "form", "any")),
        "expired_session_readable": rng.random() < 0.5,
        "object_id_filled": rng.random() < 0.7,
        "devices_per_login": rng.choice((1, 1, 2)),
        "device_delete_status": rng.choice((200, 204)),
        "user_delete_status": rng.choice((200, 204)),
    }


_ALWAYS_WRONG: tuple[tuple[str, float, dict[str, Any]], ...] = (
    # Name, weight, parameters. Hanging is rare, for it costs the drill its pace.
    ("http_500", 3, {}),
    ("http_502", 2, {}),
    ("http_503", 3, {"takes_effect": True}),
    ("http_429", 2, {}),
    ("http_401", 1, {}),
    ("http_403", 0.3, {}),
    ("http_404", 0.3, {}),
    ("http_400", 0.3, {}),
    ("http_409", 0.3, {}),
    ("http_422", 0.3, {}),
    ("http_422_text", 0.3, {"takes_effect": True}),
    ("timeout_before", 0.3, {"seconds": 4}),
    ("timeout_after", 0.5, {"seconds": 4}),
    ("drip", 0.3, {"seconds": 6}),
    ("reset_before", 3, {}),
    ("reset_after", 4, {}),
    ("broken_json", 1, {}),
    ("not_json_html", 1, {}),
    ("empty_body", 1, {}),
    ("missing_field", 1, {}),
    ("wrong_type", 1, {}),
    ("extra_fields", 1, {}),
    ("unknown_enum", 1, {}),
    ("huge_body", 0.3, {}),
    ("redirect", 0.5, {}),
)
_API = (
    *("token", "create_user", "list_users", "find_user", "get_user", "update_user", "delete_user"),
    *("create_session", "get_session", "list_devices", "get_device", "update_device"),
    "delete_device",
)
_WAYS_BACK = {
    "return_forged_device": 0.04,
    "return_without_device_id": 0.04,
    "return_forged_nothing_linked": 0.03,
    "return_twice": 0.03,
    "never_return": 0.04,
    "return_to_cancel_after_link": 0.03,
}


def _faults(
    rng: random.Random, *, duplicates_allowed: bool
) -> list[tuple[str, str, float, dict[str, Any]]]:
    """Such a mix that so many of all API calls are struck by one of them."""
    weights = [weight * rng.uniform(0.5, 1.5) for _name, weight, _params in _ALWAYS_WRONG]
    left = 1.0
    mix: list[tuple[str, str, float, dict[str, Any]]] = []
    for (name, _weight, params), weight in zip(_ALWAYS_WRONG, weights, strict=True):
        share = FAULTY_SHARE * weight / sum(weights)
        # "No such user" for one that is there: only a Podero that keeps customer numbers unique
        # can still tell a second one from the first.
        is_a_lie = name == "http_404" and duplicates_allowed
        endpoints = [each for each in _API if each != "find_user"] if is_a_lie else ["*"]
        mix += [(endpoint, name, share / left, params) for endpoint in endpoints]
        left -= share
    mix.append(("create_session", "null_authentication_url", 0.02, {}))
    variant = rng.choice(("host", "subdomain", "suffix", "userinfo", "port", "scheme"))
    mix.append(("create_session", "foreign_authentication_url", 0.02, {"variant": variant}))
    mix += [("hosted_form", name, share, {}) for name, share in _WAYS_BACK.items()]
    return mix


def _blows(rng: random.Random, seconds: float, *, is_strict: bool) -> list[Blow]:
    kinds = {
        "kill web worker": max(2, seconds / 90),
        "kill web server": max(1, seconds / 150),
        "kill worker": max(2, seconds / 100),
        "kill beat": max(1, seconds / 150),
        "Redis restarted empty": max(1, seconds / 300),
        "PostgreSQL restarted": max(1, seconds / 500),
        "Podero absent": max(1, seconds / 150),
        "Podero slow": max(1, seconds / 150),
        "Podero wrong": max(1, seconds / 150),
        "Podero asks to wait": max(1, seconds / 150),
        "Podero forgets tokens": max(1, seconds / 200),
        "Podero forgets sessions": max(1, seconds / 200),
        "Podero forgets devices": max(1, seconds / 300),
        "Podero forgets users": max(1, seconds / 300),
        "clock 20 minutes on": max(1, seconds / 300),
        "clock 70 minutes on": max(1, seconds / 500),
        "clock a day on": max(1, seconds / 450),
        "clock 20 seconds back": max(1, seconds / 300),
    }
    if is_strict:
        # A frozen Podero acts on requests whose senders have long gone, in any order. Only its
        # own uniqueness keeps users single then.
        kinds["Podero frozen"] = max(1, seconds / 300)
    whats = [what for what, count in kinds.items() for _ in range(round(count))]
    rng.shuffle(whats)
    # Spread evenly, with some play, over the time in which customers come.
    pace = seconds * 0.9 / len(whats)
    return [
        Blow(
            at=seconds * 0.05 + pace * (index + rng.uniform(0, 0.8)),
            what=what,
            seconds=rng.uniform(0.5, 3.0),
            seed=rng.getrandbits(32),
        )
        for index, what in enumerate(whats)
    ]
