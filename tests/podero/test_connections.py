"""Connections are reused, and a lost one costs no more than it must."""

from __future__ import annotations

import gzip
import os
import socket
import threading
from collections.abc import Callable

import pytest
import requests
import urllib3.util.connection
from requests.adapters import HTTPAdapter

from onboarding import podero
from onboarding.podero import connections

from . import values
from .conftest import MakeClient, Serve
from .servers import Connection, keeps_alive


def create_user(client: podero.PoderoClient) -> podero.User:
    return client.create_user(email=values.EMAIL, external_user_id=values.EXTERNAL_ID)


def answers_once(connection: Connection) -> None:
    connection.read_request()
    connection.reply(values.USER_BODY)


def answers_once_then_drops(connection: Connection) -> None:
    """Close while the second request is on its way, as a load balancer does at its limit."""
    answers_once(connection)
    connection.read_request()


def answers_once_then_resets(connection: Connection) -> None:
    answers_once(connection)
    connection.read_request()
    connection.reset()


LOSSES = [answers_once_then_drops, answers_once_then_resets]


def test_calls_share_one_connection(make_client: MakeClient, serve: Serve) -> None:
    server = serve(keeps_alive(values.USER_BODY))
    client = make_client(server.url)

    for _ in range(3):
        client.get_user(values.USER_ID)
    create_user(client)

    assert (len(server.requests), server.connections) == (4, 1)


def test_failed_reply_keeps_the_connection(make_client: MakeClient, serve: Serve) -> None:
    def fails_once(connection: Connection) -> None:
        connection.read_request()
        connection.reply({"detail": "Not Found"}, status="404 Not Found")
        keeps_alive(values.USER_BODY)(connection)

    server = serve(fails_once)
    client = make_client(server.url)
    with pytest.raises(podero.NotFound):
        client.get_user(values.USER_ID)

    client.get_user(values.USER_ID)

    assert server.connections == 1


def test_threads_share_the_client(make_client: MakeClient, serve: Serve) -> None:
    server = serve(keeps_alive(values.USER_BODY))
    client = make_client(server.url)
    users: list[podero.User] = []

    def call() -> None:
        users.extend(client.get_user(values.USER_ID) for _ in range(10))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert [user.id for user in users] == [values.USER_ID] * 80
    assert server.connections <= 8


@pytest.mark.parametrize("loses", LOSSES)
def test_read_on_a_connection_just_closed_is_repeated(
    loses: Callable[[Connection], None], make_client: MakeClient, serve: Serve
) -> None:
    server = serve(loses, keeps_alive(values.USER_BODY))
    client = make_client(server.url)
    client.get_user(values.USER_ID)

    user = client.get_user(values.USER_ID)

    assert user.id == values.USER_ID
    assert (len(server.requests), server.connections) == (3, 2)


@pytest.mark.parametrize("loses", LOSSES)
def test_write_on_a_connection_just_closed_has_an_unknown_outcome_and_is_not_repeated(
    loses: Callable[[Connection], None], make_client: MakeClient, serve: Serve
) -> None:
    server = serve(loses, keeps_alive(values.USER_BODY))
    client = make_client(server.url)
    client.get_user(values.USER_ID)

    with pytest.raises(podero.Unavailable) as caught:
        create_user(client)

    assert (caught.value.code, caught.value.is_outcome_unknown) == ("unreachable", True)
    assert len(server.requests) == 2


def test_write_after_the_server_closed_goes_over_a_new_connection(
    make_client: MakeClient, serve: Serve
) -> None:
    server = serve(answers_once, keeps_alive(values.USER_BODY))
    client = make_client(server.url)
    client.get_user(values.USER_ID)
    server.wait_for_handlers()

    user = create_user(client)

    assert user.id == values.USER_ID
    assert server.connections == 2


def test_connection_idle_for_long_is_not_used_again(
    make_client: MakeClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(keeps_alive(values.USER_BODY))
    client = make_client(server.url)
    client.get_user(values.USER_ID)
    monkeypatch.setattr(connections, "MAX_IDLE_SECONDS", -1.0)

    create_user(client)

    assert server.connections == 2


def test_connection_of_a_parent_process_is_not_used(
    make_client: MakeClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(keeps_alive(values.USER_BODY))
    client = make_client(server.url)
    client.get_user(values.USER_ID)
    monkeypatch.setattr(os, "getpid", lambda: -1)

    client.get_user(values.USER_ID)

    assert server.connections == 2


@pytest.mark.parametrize("endpoint", ["get_user", "create_user"])
def test_first_request_that_is_reset_is_not_repeated(
    endpoint: str, make_client: MakeClient, serve: Serve
) -> None:
    def resets(connection: Connection) -> None:
        connection.read_request()
        connection.reset()

    _, _, act = values.CALLS[endpoint]
    server = serve(resets)

    with pytest.raises(podero.Unavailable) as caught:
        act(make_client(server.url))

    assert caught.value.code == "unreachable"
    assert caught.value.is_outcome_unknown == (endpoint == "create_user")
    assert len(server.requests) == 1


def test_refused_connection_was_certainly_not_processed(make_client: MakeClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(podero.Unavailable) as caught:
        create_user(make_client(f"http://127.0.0.1:{port}"))

    assert (caught.value.code, caught.value.is_outcome_unknown) == ("unreachable", False)


def test_unknown_host_was_certainly_not_processed(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def knows_no_host(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", knows_no_host)

    with pytest.raises(podero.Unavailable) as caught:
        create_user(make_client("http://nowhere.invalid"))

    assert (caught.value.code, caught.value.is_outcome_unknown) == ("unreachable", False)
    assert caught.value.cause_name == "NameResolutionError"


def test_server_that_does_not_take_connections_is_left_in_time(make_client: MakeClient) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]  # fill the queue, so that SYNs are dropped
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        timeouts = podero.Timeouts(connect_seconds=0.2)

        with pytest.raises(podero.Unavailable) as caught:
            create_user(make_client(f"http://127.0.0.1:{port}", timeouts=timeouts))

        for sock in waiting:
            sock.close()
    assert (caught.value.code, caught.value.is_outcome_unknown) == ("timeout", False)


@pytest.mark.parametrize(
    "junk", [b"SSH-2.0-OpenSSH_9\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"]
)
def test_what_is_not_http_is_unexpected(junk: bytes, make_client: MakeClient, serve: Serve) -> None:
    def answers_junk(connection: Connection) -> None:
        connection.read_request()
        connection.send(junk)

    client = make_client(serve(answers_junk).url)

    with pytest.raises(podero.UnexpectedReply) as caught:
        create_user(client)

    assert caught.value.is_outcome_unknown


def test_body_cut_short_is_worth_another_try(make_client: MakeClient, serve: Serve) -> None:
    def stops_early(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

    client = make_client(serve(stops_early).url)

    with pytest.raises(podero.Unavailable) as caught:
        create_user(client)

    assert (caught.value.code, caught.value.is_outcome_unknown) == ("unreachable", True)


def test_announced_size_is_refused_before_it_arrives(make_client: MakeClient, serve: Serve) -> None:
    def announces_much(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
        connection.wait_for_close()

    client = make_client(serve(announces_much).url)

    with pytest.raises(podero.UnexpectedReply) as caught:
        client.get_user(values.USER_ID)

    assert caught.value.cause_name == "ReplyTooLarge"


def test_compressed_bomb_is_refused(make_client: MakeClient, serve: Serve) -> None:
    bomb = gzip.compress(b" " * (64 * 1024 * 1024))

    def explodes(connection: Connection) -> None:
        connection.read_request()
        connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
        )
        connection.send(bomb)

    client = make_client(serve(explodes).url)

    with pytest.raises(podero.UnexpectedReply) as caught:
        client.get_user(values.USER_ID)

    assert caught.value.cause_name == "ReplyTooLarge"


def test_proxy_of_the_environment_is_used(
    make_client: MakeClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(keeps_alive(values.USER_BODY))
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    user = make_client("http://api.example").get_user(values.USER_ID)

    assert user.id == values.USER_ID
    assert proxy.requests[0].startswith(b"GET http://api.example/api/partners/v2.0/org/")


def test_plain_session_of_the_caller_gets_our_connections(
    make_client: MakeClient, serve: Serve
) -> None:
    session = requests.Session()

    make_client(serve(keeps_alive(values.USER_BODY)).url, http=session)

    assert isinstance(session.get_adapter("https://x"), connections.BoundedAdapter)


def test_adapter_the_caller_chose_is_left_alone(make_client: MakeClient) -> None:
    class Own(HTTPAdapter):
        pass

    session, own = requests.Session(), Own()
    session.mount("https://", own)

    make_client(http=session)

    assert session.get_adapter("https://x") is own


def test_addresses_of_a_host_share_the_time(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[tuple[str, int]] = []

    def never_connects(address: tuple[str, int], *_: object, **__: object) -> None:
        tried.append(address)
        raise TimeoutError

    def has_three_addresses(*_: object) -> list[object]:
        return [(socket.AF_INET, 1, 6, "", (f"192.0.2.{n}", 80)) for n in (1, 2, 3)]

    monkeypatch.setattr(socket, "getaddrinfo", has_three_addresses)
    monkeypatch.setattr(urllib3.util.connection, "create_connection", never_connects)

    with pytest.raises(podero.Unavailable) as caught:
        create_user(make_client("http://api.example"))

    assert tried == [("192.0.2.1", 80), ("192.0.2.2", 80), ("192.0.2.3", 80)]
    assert (caught.value.code, caught.value.is_outcome_unknown) == ("timeout", False)


def test_second_address_is_used_when_the_first_refuses(
    make_client: MakeClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(keeps_alive(values.USER_BODY))
    look_up = socket.getaddrinfo

    def has_two_addresses(host: str, *rest: object) -> list[object]:
        if host != "api.example":
            return look_up(host, *rest)  # type: ignore[arg-type,return-value]
        return [
            (socket.AF_INET, 1, 6, "", (address, server.port))
            for address in ("127.0.0.2", "127.0.0.1")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", has_two_addresses)

    user = make_client(f"http://api.example:{server.port}").get_user(values.USER_ID)

    assert user.id == values.USER_ID


def test_host_name_that_cannot_exist_is_unreachable(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot_encode(*_: object) -> None:
        raise UnicodeError("label too long")

    monkeypatch.setattr(socket, "getaddrinfo", cannot_encode)

    with pytest.raises(podero.Unavailable) as caught:
        create_user(make_client(f"http://{'a' * 70}.example"))

    assert (caught.value.code, caught.value.is_outcome_unknown) == ("unreachable", False)


@pytest.mark.parametrize(
    "location",
    [b"http://[", b"//[::1", b"\xff\xfe", b"http://" + b"a" * 4000, b"file:///etc/passwd"],
)
def test_redirect_leads_nowhere_and_is_told_as_one(
    make_client: MakeClient, serve: Serve, location: bytes
) -> None:
    """Not even its address is read, which may be none, nor all of its body, which may have no end."""

    def sends_away(connection: Connection) -> None:
        connection.read_request()
        body = gzip.compress(b" " * 50_000_000)
        connection.send(
            b"HTTP/1.1 302 Found\r\nContent-Encoding: gzip\r\nLocation: " + location
            + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )  # fmt: skip

    server = serve(sends_away)

    with pytest.raises(podero.UnexpectedReply) as refusal:
        create_user(make_client(server.url))

    assert refusal.value.status == 302
