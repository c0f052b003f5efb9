"""One link, many doors: on real processes, at the same instant and after a restart."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.conftest import StartApp
from tests.simulator.launch import RunningSimulator

DOORS = 16


def test_link_opens_once_on_all_processes_together(
    start_app: StartApp, simulator: RunningSimulator
) -> None:
    one = start_app(simulator, WEB_WORKERS="2")
    other = start_app(simulator, DATABASE_URL=one.database_url)
    link = one.handoff_link("4711", "a@example.com")
    barrier = threading.Barrier(DOORS)

    def open_at(port: int | None) -> int:
        connection = HTTPConnection("localhost", port, timeout=30)
        with closing(connection):
            connection.connect()
            barrier.wait(30)
            connection.request("GET", link.removeprefix(one.base_url))
            return connection.getresponse().status

    ports = [urlsplit(app.base_url).port for app in (one, other)] * (DOORS // 2)
    with ThreadPoolExecutor(DOORS) as pool:
        statuses = Counter(pool.map(open_at, ports))
    one.kill("web")
    one.start("web")
    barrier = threading.Barrier(1)
    afterwards = [open_at(port) for port in ports[:2]]

    assert statuses[302] == 1
    assert statuses[302] + statuses[400] + statuses[429] == DOORS
    assert set(afterwards) <= {400, 429}
