"""No server, however slow or broken, holds a call longer than its time."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from onboarding import podero
from tests.tls import self_signed

from . import values
from .conftest import MakeClient, Serve
from .servers import Connection, keeps_alive

TOTAL = 0.4
TIMEOUTS = podero.Timeouts(connect_seconds=0.3, read_seconds=0.3, total_seconds=TOTAL)
SLACK = 1.0  # for a loaded machine; without the limit these servers go on for seconds


def says_nothing(connection: Connection) -> None:
    connection.read_request()
    connection.wait_for_close()


def drips_status_line(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 200 ")
    connection.drip(b"O")


def drips_headers(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nX-Padding: ")
    connection.drip(b"a")


def drips_interim_replies(connection: Connection) -> None:
    connection.read_request()
    connection.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


def drips_body(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    connection.drip(b" ")


def drips_body_without_length(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    connection.drip(b" ")


def drips_chunks(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection.drip(b"1\r\n \r\n")


def pauses_in_body(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")
    connection.wait_for_close()


def never_shakes_hands(connection: Connection) -> None:
    connection.server.is_closing.wait(5)


SLOW = [
    says_nothing,
    drips_status_line,
    drips_headers,
    drips_interim_replies,
    drips_body,
    drips_body_without_length,
    drips_chunks,
    pauses_in_body,
]


@pytest.mark.parametrize("slow", SLOW)
@pytest.mark.parametrize("endpoint", ["get_user", "create_user"])
def test_slow_server_is_left_when_the_time_is_over(
    slow: Callable[[Connection], None], endpoint: str, make_client: MakeClient, serve: Serve
) -> None:
    _, _, act = values.CALLS[endpoint]
    client = make_client(serve(slow).url, timeouts=TIMEOUTS)
    started = time.monotonic()

    with pytest.raises(podero.Unavailable) as caught:
        act(client)

    assert time.monotonic() - started < TOTAL + SLACK
    assert caught.value.code == "timeout"
    assert caught.value.is_outcome_unknown == (endpoint == "create_user")


def test_slow_page_of_a_failing_server_is_still_its_failure(
    make_client: MakeClient, serve: Serve
) -> None:
    def fails_slowly(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100000\r\n\r\n")
        connection.drip(b" ")

    client = make_client(serve(fails_slowly).url, timeouts=TIMEOUTS)

    with pytest.raises(podero.Unavailable) as caught:
        client.get_user(values.USER_ID)

    assert (caught.value.code, caught.value.status) == ("server_error", 502)


def test_slow_but_steady_reply_within_the_time_is_read(
    make_client: MakeClient, serve: Serve
) -> None:
    def takes_its_time(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n[")
        for _ in range(10):
            connection.server.is_closing.wait(0.02)
            connection.send(b" ")
        connection.send(b"]")

    client = make_client(serve(takes_its_time).url)

    assert client.list_users() == []


def test_token_call_and_renewal_share_one_time(make_client: MakeClient, serve: Serve) -> None:
    def answers_slowly(connection: Connection) -> None:
        while connection.read_request():
            connection.server.is_closing.wait(0.6)
            connection.reply({"access_token": "fresh"})

    server = serve(answers_slowly)
    source = podero.ClientCredentialsToken(
        base_url=server.url, client_id="i", client_secret="s", store=podero.MemoryStore()
    )
    client = make_client(
        server.url, token_source=source, timeouts=podero.Timeouts(total_seconds=1.0)
    )

    with pytest.raises(podero.Unavailable) as caught:
        client.create_user(email=values.EMAIL, external_user_id=values.EXTERNAL_ID)

    assert (caught.value.endpoint, caught.value.code) == ("create_user", "timeout")


def test_caller_may_allow_less_time(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(serve(drips_headers).url)
    started = time.monotonic()

    with podero.within(0.2), pytest.raises(podero.Unavailable):
        client.find_device(values.USER_ID, values.DEVICE_ID)

    assert time.monotonic() - started < 0.2 + SLACK < podero.Timeouts().read_seconds


def test_call_without_any_time_is_not_sent(make_client: MakeClient, serve: Serve) -> None:
    server = serve(keeps_alive(values.USER_BODY))
    client = make_client(server.url)

    with podero.within(0), pytest.raises(podero.Unavailable) as caught:
        client.create_user(email=values.EMAIL, external_user_id=values.EXTERNAL_ID)

    assert (caught.value.code, caught.value.is_outcome_unknown) == ("timeout", False)
    assert server.connections == 0


def test_replies_without_end_are_left_by_their_size(make_client: MakeClient, serve: Serve) -> None:
    def floods(connection: Connection) -> None:
        connection.read_request()
        while True:
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 4096)

    client = make_client(serve(floods).url)

    with pytest.raises(podero.UnexpectedReply) as caught:
        client.get_user(values.USER_ID)

    assert caught.value.cause_name == "ReplyTooLarge"


@pytest.fixture
def tls_files(tmp_path: Path) -> tuple[Path, Path]:
    return self_signed(tmp_path)


def over_tls(
    files: tuple[Path, Path], handler: Callable[[Connection], None]
) -> Callable[[Connection], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)

    def wrapped(connection: Connection) -> None:
        sock = context.wrap_socket(connection.sock, server_side=True)
        connection.server.accepted.append(sock)
        inner = Connection(sock, connection.server)
        try:
            handler(inner)
        finally:
            inner.close()

    return wrapped


def test_tls_server_that_drips_is_left_too(
    tls_files: tuple[Path, Path],
    make_client: MakeClient,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls_files[0]))
    answers = over_tls(tls_files, keeps_alive(values.USER_BODY))
    server = serve(answers)
    slow = serve(over_tls(tls_files, drips_headers))
    user = make_client(f"https://localhost:{server.port}").get_user(values.USER_ID)
    client = make_client(f"https://localhost:{slow.port}", timeouts=TIMEOUTS)
    started = time.monotonic()

    with pytest.raises(podero.Unavailable) as caught:
        client.create_user(email=values.EMAIL, external_user_id=values.EXTERNAL_ID)

    assert time.monotonic() - started < TOTAL + SLACK
    assert user.id == values.USER_ID
    assert (caught.value.code, caught.value.is_outcome_unknown) == ("timeout", True)


def test_tls_handshake_without_end_is_left_before_anything_was_sent(
    make_client: MakeClient, serve: Serve
) -> None:
    server = serve(never_shakes_hands)
    client = make_client(f"https://localhost:{server.port}", timeouts=TIMEOUTS)
    started = time.monotonic()

    with pytest.raises(podero.Unavailable) as caught:
        client.create_user(email=values.EMAIL, external_user_id=values.EXTERNAL_ID)

    assert time.monotonic() - started < TOTAL + SLACK
    assert (caught.value.code, caught.value.is_outcome_unknown) == ("timeout", False)


def test_certificate_nobody_vouches_for_stops_the_call(
    tls_files: tuple[Path, Path], make_client: MakeClient, serve: Serve
) -> None:
    server = serve(over_tls(tls_files, keeps_alive(values.USER_BODY)))
    client = make_client(f"https://localhost:{server.port}")

    with pytest.raises(podero.Unavailable) as caught:
        client.create_user(email=values.EMAIL, external_user_id=values.EXTERNAL_ID)

    assert (caught.value.code, caught.value.is_outcome_unknown) == ("unreachable", False)
    assert server.requests == []
