"""Consecutive journeys over real HTTP, audited on both sides, and what the app adds to the calls.

    .venv/bin/python -m scripts.journeys --count 200 --latency-ms 50

Starts a simulator and the app (gunicorn, SQLite) of its own. Each journey is a new customer:
hand-off, consent, hosted form, return. Prints the audit and the median time from the consent's
POST to its 302, beside a bare script that makes the same two API calls on a warm connection.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import requests

from tests.servers import RunningApp, prepare, start_app
from tests.simulator.launch import RunningSimulator, start_simulator


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--latency-ms", type=int, default=50)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="journeys-"))
    prepare(folder)
    simulator = start_simulator()
    app = start_app(var_dir=folder, simulator=simulator)
    try:
        simulator.control.settings(latency_ms=options.latency_ms)
        bare, journeys = BareCalls(simulator), _Journeys(app, simulator)
        for number in range(options.count):
            # In turn, so that both see the machine in the same mood.
            bare.run(f"B-{number}")
            journeys.run(f"J-{number}")
        breaches = journeys.audit(options.count)
        _report(bare.seconds, journeys.seconds, breaches)
    finally:
        app.stop()
        simulator.stop()
        shutil.rmtree(folder)
    return 1 if breaches else 0


def _report(bare: list[float], ours: list[float], breaches: list[str]) -> None:
    print(f"{len(ours)} journeys, {len(breaches)} breaches", *breaches, sep="\n  ")
    for name, seconds in (("two bare calls", bare), ("POST to 302", ours)):
        low, *_rest, high = statistics.quantiles(seconds, n=20)
        middle = statistics.median(seconds)
        print(f"{name:>16}: median {middle * 1e3:6.1f} ms, 5–95 % {low * 1e3:.1f}–{high * 1e3:.1f}")
    added = statistics.median(ours) - statistics.median(bare)
    print(f"the app adds {added * 1e3:.1f} ms (median)")


class BareCalls:
    """What the app cannot do without: the same two calls, by a script on a warm connection."""

    def __init__(self, simulator: RunningSimulator) -> None:
        self.seconds: list[float] = []
        self._api = f"{simulator.base_url}/api/partners/v2.0"
        self._http = requests.Session()
        token = self._http.post(
            f"{simulator.base_url}/oauth2/token/",
            auth=("demo-client", "demo-secret"),
            json={"grant_type": "client_credentials"},
            timeout=10,
        ).json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def run(self, number: str) -> None:
        started = time.perf_counter()
        user = self._post(
            "/org/00000000-0000-4000-8000-000000000001/users",
            {"role": "user", "email": f"{number}@bare.example", "external_user_id": number},
        )
        self._post(
            "/device-onboarding",
            {
                "user_id": user["id"],
                "language": "en",
                "price_zone_default": "AT",
                "is_smart_optimization_active_default": False,
                "success_url": "http://localhost/s",
                "cancel_url": "http://localhost/c",
            },
        )
        self.seconds.append(time.perf_counter() - started)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._http.post(f"{self._api}{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()


class _Journeys:
    def __init__(self, app: RunningApp, simulator: RunningSimulator) -> None:
        self.app = app
        self.simulator = simulator
        self.seconds: list[float] = []
        self.states: Counter[str] = Counter()

    def run(self, number: str) -> None:
        browser = requests.Session()
        browser.get(f"{self.app.base_url}/enter/?token={self._token(number)}", timeout=10)
        page = browser.get(f"{self.app.base_url}/optimize/consent/?device_type=ev", timeout=10)
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        fields |= {"device_type": "ev", "allows_control": "on", "allows_data_exchange": "on"}
        started = time.perf_counter()
        leave = browser.post(page.url, data=fields, allow_redirects=False, timeout=30)
        self.seconds.append(time.perf_counter() - started)
        session_id = parse_qs(urlsplit(leave.headers["Location"]).query)["onboarding_session_id"][0]
        way_back = str(self.simulator.control.complete(session_id).redirect_url)
        attempt = browser.get(way_back, timeout=30)
        status: dict[str, Any] = browser.get(f"{attempt.url}status", timeout=10).json()
        self.states[status["state"]] += 1

    def _token(self, number: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.app.env["HANDOFF_ISSUER"],
            "aud": "podero-onboarding",
            "iat": now,
            "exp": now + 60,
            "jti": number,
            "sub": number,
            "email": f"{number}@journeys.example",
        }
        return jwt.encode(claims, self.app.env["HANDOFF_SECRET"], algorithm="HS256")

    def audit(self, count: int) -> list[str]:
        held = self.simulator.control.state()
        ours = [user for user in held["users"] if str(user["external_user_id"]).startswith("J-")]
        ids = {user["id"] for user in ours}
        sessions = [session for session in held["sessions"] if session["user_id"] in ids]
        expected = {
            "attempts linked": (self.states["linked"], count),
            "Podero users": (len(ours), count),
            "sessions": (len(sessions), count),
            "rejected requests": (len(held["rejected"]), 0),
        }
        return [
            f"{name}: {got}, expected {want}"
            for name, (got, want) in expected.items()
            if got != want
        ]


if __name__ == "__main__":
    sys.exit(main())
