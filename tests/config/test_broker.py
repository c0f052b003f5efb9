"""The embedded broker under fire: what is read is whole, and nothing ends the reader."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import time_ns

import pytest
from kombu import Connection, Exchange, Queue

from config.broker import Transport
from tests.servers import ROOT, app_environment
from tests.tls import self_signed

ASKS_BROKER = """
from config.celery import app
app.connection_for_write().ensure_connection(max_retries=1, timeout=5)
"""


@pytest.fixture
def options(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "messages").mkdir()
    return {
        "data_folder_in": str(tmp_path / "messages"),
        "data_folder_out": str(tmp_path / "messages"),
        "control_folder": str(tmp_path / "control"),
        "store_processed": False,
        "polling_interval": 0.001,
    }


def connect(options: dict[str, object]) -> Connection:
    return Connection("filesystem://localhost", transport=Transport, transport_options=options)


def test_messages_of_many_writers_arrive_whole_and_once(options: dict[str, object]) -> None:
    queue = Queue("work", Exchange("work"), routing_key="work")
    writers, each = 4, 200

    def write(writer: int) -> None:
        with connect(options) as connection:
            producer = connection.Producer()
            for number in range(each):
                producer.publish(
                    {"n": [writer, number], "padding": "x" * 5000},
                    exchange=queue.exchange,
                    routing_key="work",
                    declare=[queue],
                )

    threads = [threading.Thread(target=write, args=[writer]) for writer in range(writers)]
    arrived: list[tuple[int, int]] = []
    with connect(options) as connection, connection.SimpleQueue("work") as reader:
        for thread in threads:
            thread.start()
        while len(arrived) < writers * each:
            message = reader.get(timeout=20)
            arrived.append(tuple(message.payload["n"]))
            message.ack()
    for thread in threads:
        thread.join()

    assert sorted(arrived) == [(w, n) for w in range(writers) for n in range(each)]


def test_half_written_message_is_passed_over(options: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "messages" / "1_half.work.msg").write_text('{"body": "')
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "work.exchange").write_text("")

    with connect(options) as connection, connection.SimpleQueue("work") as both:
        both.put({"n": 1})
        message = both.get(timeout=5)

        assert message.payload == {"n": 1}


def test_messages_that_nobody_took_for_an_hour_are_gone(
    options: dict[str, object], tmp_path: Path
) -> None:
    """Each one that is taken has the whole folder listed: a weekend's would take as long to end."""
    folder = tmp_path / "messages"
    hour = 3600 * 1_000_000_000
    old = [folder / f"{time_ns() - hours * hour}_{hours}.work.msg" for hours in (2, 60)]
    new = folder / f"{time_ns() - hour // 2}_new.work.msg"
    for file in (*old, new):
        file.write_text("{}")

    with connect(options) as connection:
        connection.channel()

    assert list(folder.iterdir()) == [new]


def test_server_is_trusted_by_its_certificate_only(tmp_path: Path) -> None:
    """Messages are worth little, but Podero's token lies in the same server, behind one password."""
    certificate, key = self_signed(tmp_path)
    listening = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listening.load_cert_chain(certificate, key)
    handshakes: list[str] = []

    def answer() -> None:
        while True:
            try:
                client, _address = plain.accept()
            except OSError:
                return
            try:
                listening.wrap_socket(client, server_side=True).close()
                handshakes.append("done")
            except OSError as error:
                handshakes.append(type(error).__name__)

    with socket.create_server(("127.0.0.1", 0)) as plain, ThreadPoolExecutor(1) as pool:
        pool.submit(answer)
        url = f"rediss://localhost:{plain.getsockname()[1]}/0"
        asked = subprocess.run(
            [sys.executable, "-c", ASKS_BROKER],
            env=app_environment(tmp_path, 8000, {"REDIS_URL": url}),
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        plain.shutdown(socket.SHUT_RDWR)

    assert "certificate verify failed" in asked.stderr
    assert set(handshakes) == {"SSLError"}
