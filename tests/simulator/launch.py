"""Starts a real simulator process and steers it over its control API."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import requests

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0
STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Completed:
    """How a visit to the hosted form ended: the real device, and where the browser would go."""

    device_id: str | None
    redirect_url: str | None


class SimulatorControl:
    """The control API of one simulator. Each method raises requests.HTTPError on refusal."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._http = requests.Session()
        self._http.trust_env = False

    def reset(self) -> None:
        """Forget users, sessions, devices, tokens, journal, faults and settings."""
        self._call("POST", "reset")

    def arm(self, endpoint: str, fault: str, **params: Any) -> dict[str, Any]:
        """Arm a fault; `count`, `probability`, `skip` and the fault's own parameters by name."""
        body = {"endpoint": endpoint, "fault": fault, **params}
        armed: dict[str, Any] = self._call("POST", "faults", body)
        return armed

    def clear_faults(self) -> None:
        """Disarm everything and let hanging requests go."""
        self._call("DELETE", "faults")

    def faults(self) -> dict[str, Any]:
        """Return what is armed, what has struck where, and the counters, without the records."""
        values: dict[str, Any] = self._call("GET", "faults")
        return values

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change some settings; returns all of them."""
        values: dict[str, Any] = self._call("POST", "settings", changes)
        return values

    def state(self, *, journal: int | None = None) -> dict[str, Any]:
        """Return everything the simulator holds; `journal` limits the request log."""
        query = "" if journal is None else f"?journal={journal}"
        values: dict[str, Any] = self._call("GET", f"state{query}")
        return values

    def requests_to(self, endpoint: str) -> list[dict[str, Any]]:
        """Return the journal's entries for one endpoint, oldest first."""
        return [entry for entry in self.state()["journal"] if entry["endpoint"] == endpoint]

    def complete(self, session_id: str, **choices: Any) -> Completed:
        """Finish a session as a customer would.

        Choices: `device_type`, `manufacturer`, `account`, `devices`.
        """
        values = self._call("POST", f"sessions/{session_id}/complete", choices)
        return Completed(values["device_id"], values["redirect_url"])

    def cancel(self, session_id: str) -> str | None:
        """Press the form's cancel button; returns the way back, None for a form that is over."""
        response = self._http.get(
            f"{self.base_url}/cancel?onboarding_session_id={session_id}",
            allow_redirects=False,
            timeout=15,
        )
        return response.headers.get("Location")

    def expire_session(self, session_id: str) -> None:
        """Put a session's last valid day into the past."""
        self._call("POST", f"sessions/{session_id}/expire")

    def set_session(self, session_id: str, **values: Any) -> None:
        """Set `expiration_date` or `object_id` of a session."""
        self._call("POST", f"sessions/{session_id}", values)

    def set_device(self, device_id: str, **values: Any) -> dict[str, Any]:
        """Set any field of a device, e.g. `is_authenticated` or `is_plugged_in`."""
        device: dict[str, Any] = self._call("POST", f"devices/{device_id}", values)
        return device

    def drop_device(self, device_id: str) -> None:
        """Let a device vanish at Podero."""
        self._call("DELETE", f"devices/{device_id}")

    def expire_tokens(self) -> None:
        """Let all bearer tokens die."""
        self._call("POST", "tokens/expire")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        response = self._http.request(
            method, f"{self.base_url}/control/{path}", json=body, timeout=120
        )
        if response.status_code >= 400:
            raise requests.HTTPError(
                f"{response.status_code}: {response.text[:500]}", response=response
            )
        return response.json()


class RunningSimulator:
    """A simulator process that belongs to the caller, who stops it."""

    def __init__(self, process: subprocess.Popen[bytes], base_url: str, log: IO[bytes]) -> None:
        self._process = process
        self._log = log
        self.base_url = base_url
        self.host = base_url.removeprefix("http://")
        self.control = SimulatorControl(base_url)

    @property
    def pid(self) -> int:
        """Return the id of the process that was started."""
        return self._process.pid

    def stop(self) -> int:
        """End the process politely, then firmly; returns its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_SECONDS)
        self._log.close()
        return self._process.returncode

    def output(self) -> str:
        """Return what the process printed so far."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")


def free_port() -> int:
    """Return a port of the loopback interface that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_simulator(
    port: int | None = None, env: Mapping[str, str] | None = None
) -> RunningSimulator:
    """Start a simulator on this port (any free one by default) and wait until it answers.

    SIMULATOR_* variables of the caller's environment are not passed on, `env` is.
    Raises RuntimeError with the process's output when it does not come up.
    """
    port = port or free_port()
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("SIMULATOR_")
    }
    log = tempfile.TemporaryFile()  # noqa: SIM115  (closed by stop)
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--port", str(port)],
        cwd=ROOT,
        env=environment | dict(env or {}),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    running = RunningSimulator(process, f"http://127.0.0.1:{port}", log)
    ends_at = time.monotonic() + START_SECONDS
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            running.control.state(journal=0)
            return running
        except requests.ConnectionError:
            time.sleep(0.05)
    output = running.output()
    running.stop()
    raise RuntimeError(f"the simulator did not start:\n{output}")
