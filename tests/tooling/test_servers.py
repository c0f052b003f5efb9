"""The servers that other tests rely on, and the guard that keeps tests on this machine."""

from __future__ import annotations

import socket
import urllib.request

import psycopg
import pytest
import redis

from tests.network import LeftThisMachine
from tests.servers import RunningServer


def test_postgres_server_gives_each_caller_an_empty_database(
    postgres_server: RunningServer,
) -> None:
    url = postgres_server.create_database("one_of_its_own")

    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()

    assert tables == (0,)


def test_redis_server_answers_and_is_empty(redis_server: RunningServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize("address", ["192.0.2.1", "app.podero.com"])
def test_no_test_reaches_another_machine(address: str) -> None:
    with pytest.raises(LeftThisMachine):
        socket.create_connection((address, 80), timeout=1)


def test_guard_covers_unconnected_sockets() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(LeftThisMachine):
        sock.sendto(b"", ("192.0.2.1", 9))


def test_guard_lets_this_machine_through() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()

    with pytest.raises(LeftThisMachine):
        urllib.request.urlopen("http://192.0.2.1/", timeout=1)
