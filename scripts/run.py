"""Runs the whole app on this machine until Ctrl-C: `make run`.

Web, worker, beat and the simulator of Podero are children of this process. Whatever ends it, even
kill -9, ends them; when one of them ends by itself, so do all the others.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from types import FrameType
from typing import IO
from urllib.parse import urlsplit

from scripts.environment import (
    ROOT,
    ImpossibleEnvironment,
    LocalEnvironment,
    given_environment,
    local_environment,
)

START_SECONDS = 90.0
STOP_SECONDS = 6.0
PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Child:
    """One of the app's processes, with a pipe from its output."""

    name: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    unfinished_line: bytes = b""


class Runner:
    """Starts children, passes on what they print, and ends them all together."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.stop_requests = 0
        self._outputs = selectors.DefaultSelector()

    def request_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_requests += 1

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches this process alone, which then ends the children in good order.
            process_group=0,
            # This process has one thread only, so that running code after the fork is safe.
            preexec_fn=_end_with_parent(os.getpid()),  # noqa: PLW1509
        )
        assert process.stdout is not None  # noqa: S101  (it is a pipe)
        os.set_blocking(process.stdout.fileno(), False)
        child = Child(name, process, process.stdout)
        self.children.append(child)
        self._outputs.register(process.stdout, selectors.EVENT_READ, child)

    def run_until(self, is_over: Callable[[], bool]) -> bool:
        """Pass on output until this holds (True), or a stop is asked for or a child ends."""
        while not self.stop_requests and not self.ended():
            if is_over():
                return True
            self._pass_on(0.2)
        return False

    def ended(self) -> Child | None:
        """Return a child that has ended by itself."""
        return next((child for child in self.children if child.process.poll() is not None), None)

    def run_to_end(self) -> bool:
        """Pass on output until the only child has ended; was that with success?"""
        self.run_until(lambda: False)
        child = self.ended()
        if self.stop_requests or child is None or child.process.returncode:
            return False
        self._pass_on(0)
        self.children.remove(child)
        return True

    def stop(self) -> None:
        """End all children politely; those that stay, and a second Ctrl-C, firmly."""
        requests = self.stop_requests
        for child in self.children:
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()
        ends_at = time.monotonic() + STOP_SECONDS
        while any(child.process.poll() is None for child in self.children):
            if time.monotonic() > ends_at or self.stop_requests > requests:
                break
            self._pass_on(0.1)
        for child in self.children:
            # Also when the child itself is gone: its own children may not be.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
        self._pass_on(0)

    def _pass_on(self, seconds: float) -> None:
        for key, _events in self._outputs.select(seconds):
            child: Child = key.data
            data = child.output.read()
            if data == b"":
                self._outputs.unregister(child.output)
                data = b"\n" if child.unfinished_line else b""
            *lines, child.unfinished_line = (child.unfinished_line + (data or b"")).split(b"\n")
            for line in lines:
                if line.strip():
                    say(f"{child.name:<9} | {line.decode(errors='replace').rstrip()}")
        if not self._outputs.get_map():
            time.sleep(seconds)


def _end_with_parent(parent: int) -> Callable[[], None]:
    """Return what a child does first: ask Linux for SIGTERM when its parent is gone."""

    def prepare() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

    return prepare


def say(line: str) -> None:
    # Whoever was reading may be gone; the work of stopping goes on.
    with contextlib.suppress(OSError):
        print(line, flush=True)


def commands(local: LocalEnvironment) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and command line of each process."""
    python = sys.executable
    if local.simulator_port:
        yield "simulator", [python, "-m", "simulator", "--port", str(local.simulator_port)]
    yield "web", [python, "-m", "gunicorn", "config.wsgi"]
    celery = [python, "-m", "celery", "--quiet", "--app", "config"]
    # One worker has nobody to gossip with; without it, it stops sooner.
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    yield "worker", [*celery, "worker", *alone]
    yield "beat", [*celery, "beat"]


def check_port(name: str, port: int) -> None:
    """Raise ImpossibleEnvironment when another program listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ImpossibleEnvironment(
                f"{name}: port {port} cannot be used ({(error.strerror or 'unknown').lower()}). "
                f"Choose another one: {name}={port + 100} make run"
            ) from error


def is_ready(local: LocalEnvironment) -> bool:
    """Ask the app whether it can serve customers."""
    connection = HTTPConnection("127.0.0.1", local.port, timeout=5)
    try:
        host = {"Host": urlsplit(local.site_url).netloc}
        connection.request("GET", "/health/ready", headers=host)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def welcome(local: LocalEnvironment) -> str:
    """Return what a newcomer needs to know."""
    lines = [f"The app is ready: {local.site_url}"]
    if local.site_url.startswith("http://"):
        lines += [
            "  Customers    anna@example.com, bernd@example.com, csilla@example.com",
            f"  Support      support@example.com at {local.site_url}/admin/",
            "  Password     demo (for all of them)",
        ]
    if local.simulator_port:
        lines += [
            f"  Podero       a simulator: http://localhost:{local.simulator_port}/control",
            "  Linking      Nibe: demomyuplink@nibe.se / Demo1234",
            "               Tesla: demo-tesla@getfreeheat.com / Demo1234",
        ]
    else:
        lines.append(f"  Podero       {local.variables.get('PODERO_BASE_URL', 'the real one')}")
    lines.append("  Stop it      Ctrl-C")
    return "\n" + "\n".join(lines) + "\n"


def run() -> int:
    """Prepare, start, wait for the end; returns the exit code."""
    runner = Runner()
    for number in STOP_SIGNALS:
        signal.signal(number, runner.request_stop)
    if libc is not None and "MAKELEVEL" in os.environ:
        # Not even the death of `make` leaves the app behind.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    local = local_environment(given_environment())
    check_port("PORT", local.port)
    if local.simulator_port:
        check_port("SIMULATOR_PORT", local.simulator_port)
    env = local.variables | {
        "PYTHONUNBUFFERED": "1",
        # Celery warns at length about running as root, as in a container.
        "PYTHONWARNINGS": "ignore:::celery.platforms",
    }
    env.setdefault("WEB_LOG_LEVEL", "WARNING")

    try:
        return serve(runner, local, env)
    finally:
        runner.stop()
        say("Everything has stopped.")


def serve(runner: Runner, local: LocalEnvironment, env: Mapping[str, str]) -> int:
    """Prepare, start everything and stay until the end; returns the exit code."""
    say("Preparing database, static files and demo data ...")
    runner.start("prepare", [sys.executable, "-m", "scripts.prepare"], env)
    if not runner.run_to_end():
        return 0 if runner.stop_requests else 1

    for name, command in commands(local):
        runner.start(name, command, env)
    ends_at = time.monotonic() + START_SECONDS
    if runner.run_until(lambda: is_ready(local) or time.monotonic() > ends_at):
        if time.monotonic() > ends_at:
            say(f"The app did not answer within {START_SECONDS:.0f} seconds.")
            return 1
        say(welcome(local))
        runner.run_until(lambda: False)
    if runner.stop_requests:
        say("Stopping ...")
        return 0
    return report(runner.ended())


def report(child: Child | None) -> int:
    """Say which process ended by itself, and how."""
    if child is not None:
        code = child.process.returncode
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        say(f"{child.name} ended by itself ({how}): stopping all.")
    return 1


def main() -> None:
    try:
        sys.exit(run())
    except ImpossibleEnvironment as error:
        sys.exit(f"Cannot start: {error}")


if __name__ == "__main__":
    main()
