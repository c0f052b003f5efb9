"""Breaks things, as planned, and puts them up again; keeps book of both."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from drill.customers import World
from drill.installation import Installation
from drill.plan import DAY, MINUTE, Blow, Plan
from simulator.config import DEFAULT_ORG_ID
from tests.servers import RunningServer
from tests.simulator.launch import RunningSimulator

GRACE_SECONDS = 30.0
"""How long after a server is back its clients may still report that it was gone: a connection
lies idle while Podero is asked, which may take ten seconds for each of two calls."""


@dataclass
class Outages:
    """When a server that the app depends on was down; moments are real ones."""

    spans: list[tuple[str, float, float]] = field(default_factory=list)

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        began = time.time()
        try:
            yield
        finally:
            self.spans.append((what, began, time.time()))

    def cover(self, began: float, ended: float, *whats: str) -> bool:
        """Whether any of these was down, or only just up again, at some time in between."""
        return any(
            what in whats and began <= up + GRACE_SECONDS and ended >= down
            for what, down, up in self.spans
        )


class Saboteur:
    """Acts on one installation and its surroundings, in a thread of its own."""

    def __init__(
        self,
        *,
        plan: Plan,
        world: World,
        app: Installation,
        postgres: RunningServer,
        redis: RunningServer,
        simulator: RunningSimulator,
    ) -> None:
        self.plan = plan
        self.world = world
        self.app = app
        self.postgres = postgres
        self.redis = redis
        self.simulator = simulator
        self.outages = Outages()
        self.struck: Counter[str] = Counter()
        self.failures: list[str] = []
        """Acts that went wrong in themselves: the drill's own faults."""
        self.days = 0
        self._stop = threading.Event()
        self._acts: dict[str, Callable[[Blow], None]] = {
            "kill web worker": self._kill_web_worker,
            "kill web server": lambda blow: self._kill("web", blow),
            "kill worker": lambda blow: self._kill("worker", blow),
            "kill beat": lambda blow: self._kill("beat", blow),
            "Redis restarted empty": self._restart_redis,
            "PostgreSQL restarted": self._restart_postgres,
            "Podero absent": self._absent,
            "Podero slow": self._slow,
            "Podero wrong": self._wrong,
            "Podero asks to wait": self._ask_to_wait,
            "Podero frozen": self._frozen,
            "Podero forgets tokens": lambda _blow: self.simulator.control.expire_tokens(),
            "Podero forgets sessions": self._forget_sessions,
            "Podero forgets devices": self._forget_devices,
            "Podero forgets users": self._forget_users,
            "clock 20 minutes on": lambda _blow: self.world.clock.move(20 * MINUTE),
            "clock 70 minutes on": lambda _blow: self.world.clock.move(70 * MINUTE),
            "clock a day on": lambda _blow: self.next_day(),
            "clock 20 seconds back": lambda _blow: self.world.clock.move(-20),
        }

    # --- The run -------------------------------------------------------------------------------

    def start(self) -> threading.Thread:
        self.simulator.control.settings(**self.plan.habits)
        self.arm()
        thread = threading.Thread(target=self._run, name="saboteur", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        self._stop.set()

    def arm(self) -> None:
        """Have everything wrong with Podero that the plan has wrong all the time."""
        for endpoint, fault, probability, params in self.plan.faults:
            self.simulator.control.arm(endpoint, fault, count=-1, probability=probability, **params)

    def _run(self) -> None:
        began = time.monotonic()
        for blow in self.plan.blows:
            if self._stop.wait(max(0.0, began + blow.at - time.monotonic())):
                return
            try:
                self._acts[blow.what](blow)
            except Exception as error:  # noqa: BLE001  (or the rest would not be struck)
                self.failures.append(f"{blow}: {error!r}")
            else:
                self.struck[blow.what] += 1

    def next_day(self) -> None:
        self.world.clock.move(DAY + 3600)
        self.days += 1

    # --- Kills ---------------------------------------------------------------------------------

    def _kill_web_worker(self, blow: Blow) -> None:
        rng = random.Random(blow.seed)
        servers = self.app.of("web")
        for server in rng.sample(servers, len(servers)):
            if server.kill_a_child(rng):
                return
        raise OSError("no web process to kill")

    def _kill(self, kind: str, blow: Blow) -> None:
        part = random.Random(blow.seed).choice(self.app.of(kind))
        part.kill()
        self._stop.wait(blow.seconds)
        part.start()

    # --- Servers -------------------------------------------------------------------------------

    def _restart_redis(self, blow: Blow) -> None:
        with self.outages.of("Redis"):
            self.redis.kill()
            self._stop.wait(blow.seconds)
            self.redis.start()

    def _restart_postgres(self, blow: Blow) -> None:
        with self.outages.of("PostgreSQL"):
            # "Immediate": the server drops all it is doing, and recovers when it starts again.
            self.postgres.kill(signal.SIGQUIT)
            self._stop.wait(blow.seconds)
            self.postgres.start()

    # --- Podero --------------------------------------------------------------------------------

    @contextmanager
    def _instead(self, endpoint: str, fault: str, **params: object) -> Iterator[None]:
        """For a while, this fault and no other."""
        control = self.simulator.control
        control.clear_faults()
        control.arm(endpoint, fault, count=-1, **params)
        try:
            yield
        finally:
            control.clear_faults()
            self.arm()

    def _absent(self, blow: Blow) -> None:
        with self._instead("*", "reset_before"):
            self._stop.wait(blow.seconds * 2)

    def _slow(self, blow: Blow) -> None:
        self.simulator.control.settings(latency_ms=800)
        try:
            self._stop.wait(blow.seconds * 2)
        finally:
            self.simulator.control.settings(latency_ms=0)

    def _wrong(self, blow: Blow) -> None:
        faults = ("not_json_html", "wrong_type", "broken_json", "empty_body", "missing_field")
        with self._instead("*", random.Random(blow.seed).choice(faults)):
            self._stop.wait(blow.seconds)

    def _ask_to_wait(self, blow: Blow) -> None:
        """By `Retry-After`, which all processes obey: among few calls, or it would be all there is."""
        control = self.simulator.control
        control.arm("*", "http_429_retry_after", count=2, seconds=blow.seconds * 2)

    def _frozen(self, blow: Blow) -> None:
        os.killpg(self.simulator.pid, signal.SIGSTOP)
        try:
            self._stop.wait(blow.seconds + 2)
        finally:
            os.killpg(self.simulator.pid, signal.SIGCONT)

    def _some(self, blow: Blow, kind: str, number: int) -> list[dict[str, object]]:
        held = self.simulator.control.state(journal=0)[kind]
        living = [each for each in held if not _is_gone(each)]
        return random.Random(blow.seed).sample(living, min(number, len(living)))

    def _forget_sessions(self, blow: Blow) -> None:
        for session in self._some(blow, "sessions", 5):
            self.simulator.control.expire_session(str(session["id"]))

    def _forget_devices(self, blow: Blow) -> None:
        for device in self._some(blow, "devices", 3):
            self.simulator.control.drop_device(str(device["id"]))

    def _forget_users(self, blow: Blow) -> None:
        token = self._token()
        for user in self._some(blow, "users", 2):
            for _ in range(5):
                # Podero's faults strike here, too.
                with contextlib.suppress(requests.RequestException):
                    requests.delete(
                        f"{self.simulator.base_url}/api/partners/v2.0/org/{DEFAULT_ORG_ID}"
                        f"/users/{user['id']}",
                        headers={"Authorization": f"Bearer {token}"},
                        timeout=5,
                    )

    def _token(self) -> str:
        for _ in range(20):
            with contextlib.suppress(requests.RequestException, KeyError):
                answer = requests.post(
                    f"{self.simulator.base_url}/oauth2/token/",
                    auth=("demo-client", "demo-secret"),
                    **{_BODY[str(self.plan.habits["token_body"])]: _GRANT},  # type: ignore[arg-type]
                    timeout=5,
                )
                return str(answer.json()["access_token"])
        raise OSError("no token to be had")


_GRANT = {"grant_type": "client_credentials"}
_BODY = {"json": "json", "form": "data", "any": "json"}


def _is_gone(record: dict[str, object]) -> bool:
    fields = record.get("fields")
    gone = fields.get("deleted_at") if isinstance(fields, dict) else record.get("deleted_at")
    return gone is not None
