"""The app as real processes that can be killed one by one, each with a log that stays."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drill.clock import Clock
from tests.servers import (
    ROOT,
    UnableToStart,
    app_environment,
    is_ready,
    prepare,
    spawn,
)
from tests.simulator.launch import RunningSimulator, free_port

READY_SECONDS = 90.0


@dataclass
class Part:
    """One process with its children, in a group of its own."""

    name: str
    command: list[str]
    env: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    is_wanted: bool = False
    deaths: list[float] = field(default_factory=list)
    """Real moments at which it had ended although nobody had killed it."""

    def start(self) -> None:
        self.process = spawn(self.command, log=self.log, cwd=ROOT, env=self.env)
        self.is_wanted = True

    def kill(self) -> None:
        """End it and its children at once, as a power cut would."""
        self.is_wanted = False
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def kill_a_child(self, rng: random.Random) -> bool:
        """Kill one of its own processes, for it to replace; False when there is none."""
        children = _children_of(self.process.pid) if self.process else []
        if not children:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(children), signal.SIGKILL)
        return True

    def is_dead(self) -> bool:
        return self.is_wanted and self.process is not None and self.process.poll() is not None

    def kilobytes(self) -> list[int]:
        """Resident memory of its processes; of a gunicorn, of its workers only."""
        pids = self.pids()
        return [size for size in map(_resident, pids[1:] or pids) if size]

    def pids(self) -> list[int]:
        """Its own process and that one's children."""
        if self.process is None or self.process.poll() is not None:
            return []
        return [self.process.pid, *_children_of(self.process.pid)]


@dataclass
class Installation:
    """One installation: its parts, and what an operator does with it."""

    name: str
    base_url: str
    env: dict[str, str]
    folder: Path
    clock: Clock
    parts: dict[str, Part] = field(default_factory=dict)

    def add(self, name: str, *words: str, skew: float = 0.0, **env: str) -> None:
        variables = self.env | self.clock.environment(skew) | env
        log = self.folder / f"{self.name}-{name}.log"
        command = [sys.executable, "-m", *words]
        self.parts[name] = Part(name, command, variables, log)

    def start(self) -> None:
        """Start all parts and wait until the app is ready. Raises UnableToStart."""
        for part in self.parts.values():
            part.start()
        if not self.wait_until_ready():
            printed = "".join(part.log.read_text() for part in self.parts.values())
            raise UnableToStart(printed[-5000:])

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> bool:
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            if is_ready(self.base_url):
                return True
            time.sleep(0.1)
        return False

    def of(self, kind: str) -> list[Part]:
        """The parts of a kind: `web`, `worker` or `beat`."""
        return [part for name, part in self.parts.items() if name.startswith(kind)]

    def stop(self) -> None:
        for part in self.parts.values():
            part.kill()

    def logs(self) -> list[Path]:
        return [part.log for part in self.parts.values()] + [self.folder / f"{self.name}-sweep.log"]

    def sweep(self) -> None:
        """Run `manage.py sweep` once."""
        done = self._run("manage.py", "sweep", seconds=120)
        with (self.folder / f"{self.name}-sweep.log").open("a") as log:
            log.write(done.stdout + done.stderr)

    @contextlib.contextmanager
    def sweeper(self) -> Iterator[subprocess.Popen[str]]:
        """A process that sweeps for as long as each line on its input says."""
        with (
            (self.folder / f"{self.name}-sweep.log").open("a") as log,
            subprocess.Popen(
                [sys.executable, "-m", "drill.sweeper"],
                cwd=ROOT,
                env=self.env | self.clock.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process,
        ):
            try:
                yield process
            except BaseException:
                # Who leaves does not wait for what it has been told to do.
                process.kill()
                raise

    def facts(self) -> dict[str, Any]:
        """Everything that the database holds. Raises UnableToStart with what was printed."""
        done = self._run("-m", "drill.facts", seconds=600)
        if done.returncode:
            raise UnableToStart(done.stderr)
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def _run(self, *words: str, seconds: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env=self.env | self.clock.environment(),
            check=False,
            capture_output=True,
            text=True,
            timeout=seconds,
        )


def scaled(
    folder: Path,
    *,
    database_url: str,
    redis_url: str,
    simulator: RunningSimulator,
    clock: Clock,
) -> Installation:
    """Two gunicorns on one port, two workers and two beats, as on two machines; not started."""
    made = _installation(
        "scaled",
        folder,
        simulator=simulator,
        clock=clock,
        env={"DATABASE_URL": database_url, "REDIS_URL": redis_url, "WEB_WORKERS": "2"},
    )
    for number, skew, shape in ((1, 0.0, "line"), (2, 1.5, "json")):
        made.add(
            f"web-{number}",
            "gunicorn",
            "config.wsgi",
            skew=skew,
            GUNICORN_CMD_ARGS="--reuse-port",
            LOG_FORMAT=shape,
        )
        made.add(f"worker-{number}", *_celery("worker", number), skew=-skew, LOG_FORMAT=shape)
        schedule = folder / f"beat-{number}-schedule"
        made.add(f"beat-{number}", *_celery("beat"), "--schedule", str(schedule), skew=skew)
    return made


def embedded(
    folder: Path,
    *,
    simulator: RunningSimulator,
    clock: Clock,
    var_dir: Path | None = None,
    name: str = "embedded",
    is_web_only: bool = False,
) -> Installation:
    """SQLite and the embedded broker, one process of each kind; not started."""
    made = _installation(
        name,
        folder,
        simulator=simulator,
        clock=clock,
        env={"WEB_WORKERS": "1" if is_web_only else "2"},
        var_dir=var_dir,
    )
    made.add("web", "gunicorn", "config.wsgi")
    if not is_web_only:
        made.add("worker", *_celery("worker"))
        made.add("beat", *_celery("beat"))
    return made


def _celery(kind: str, number: int = 1) -> list[str]:
    words = ["celery", "-A", "config", kind]
    return [*words, "-n", f"drill-{number}@localhost"] if kind == "worker" else words


def _installation(
    name: str,
    folder: Path,
    *,
    simulator: RunningSimulator,
    clock: Clock,
    env: Mapping[str, str],
    var_dir: Path | None = None,
) -> Installation:
    port = free_port()
    var_dir = var_dir or folder / f"{name}-var"
    toward_podero = {
        "PODERO_BASE_URL": simulator.base_url,
        "PODERO_CONNECT_HOSTS": simulator.host,
        "PODERO_TIMEOUT_SECONDS": "2",
    }
    others = {"THROTTLE": "off", "PYTHONWARNINGS": "ignore:::celery.platforms"}
    variables = app_environment(var_dir, port, toward_podero | others | dict(env))
    prepare(var_dir, variables)
    return Installation(name, f"http://localhost:{port}", variables, folder, clock)


# --- Watching -------------------------------------------------------------------------------


@dataclass
class Watch:
    """Notes how long logs and how big processes are, and restarts what ended by itself."""

    installations: list[Installation]
    lengths: dict[Path, list[tuple[float, int]]] = field(default_factory=dict)
    sizes: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._note_lengths()

    def written_between(self, log: Path, offset: int) -> tuple[float, float]:
        """Between which real moments the byte at this offset was written."""
        after = 0.0
        for moment, length in self.lengths.get(log, []):
            if length > offset:
                return after, moment
            after = moment
        return after, time.time()

    def offset_at(self, log: Path, moment: float) -> int:
        """How long the log was when it was looked at last, then or before."""
        return max((length for at, length in self.lengths.get(log, []) if at <= moment), default=0)

    def _run(self) -> None:
        rounds = 0
        while not self._ended.wait(0.5):
            self._note_lengths()
            for installation in self.installations:
                for part in installation.parts.values():
                    self._look_at(part, installation.name, is_sampled=rounds % 10 == 0)
            rounds += 1

    def _note_lengths(self) -> None:
        now = time.time()
        for installation in self.installations:
            for log in installation.logs():
                if log.exists():
                    self.lengths.setdefault(log, []).append((now, log.stat().st_size))

    def _look_at(self, part: Part, installation: str, *, is_sampled: bool) -> None:
        if part.is_dead():
            part.deaths.append(time.time())
            part.start()
        if is_sampled:
            for size in part.kilobytes():
                samples = self.sizes.setdefault(f"{installation} {part.name}", [])
                samples.append((time.time(), size))


def _children_of(pid: int) -> list[int]:
    try:
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in told.split()]


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(status.partition("VmRSS:")[2].split()[0]) if "VmRSS:" in status else 0
