from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest
import responses
from responses import matchers

from onboarding import podero

from . import values
from .conftest import MakeClient, Serve
from .servers import Connection

TOKEN_URL = f"{values.BASE_URL}/oauth2/token/"
SECRET = "s3cr3t-client-secret"
BASIC = "Basic " + base64.b64encode(f"client-id:{SECRET}".encode()).decode()
GRANT = {"grant_type": "client_credentials"}


def reply(token: object = "fresh", **fields: object) -> dict[str, object]:
    return {"access_token": token, "expires_in": 36000, "token_type": "Bearer", **fields}


class RecordingStore(podero.MemoryStore):
    def __init__(self) -> None:
        super().__init__(clock=lambda: 0)
        self.seconds: list[float] = []
        self.discarded: list[str] = []

    def set(self, token: str, seconds: float) -> None:
        self.seconds.append(seconds)
        super().set(token, seconds)

    def discard(self, token: str) -> None:
        self.discarded.append(token)
        super().discard(token)


@pytest.fixture
def store() -> RecordingStore:
    return RecordingStore()


@pytest.fixture
def source(store: RecordingStore) -> podero.ClientCredentialsToken:
    return make_source(store)


def make_source(
    store: podero.TokenStore, base_url: str = values.BASE_URL
) -> podero.ClientCredentialsToken:
    return podero.ClientCredentialsToken(
        base_url=base_url, client_id="client-id", client_secret=SECRET, store=store
    )


def test_token_is_fetched_as_documented_and_kept(
    source: podero.ClientCredentialsToken, store: RecordingStore, api: responses.RequestsMock
) -> None:
    api.post(TOKEN_URL, json=reply())

    tokens = [source.get(), source.get()]

    (call,) = api.calls
    assert tokens == ["fresh", "fresh"]
    assert call.request.headers["Authorization"] == BASIC
    assert call.request.headers["Content-Type"] == "application/json"
    assert call.request.headers["Cache-Control"] == "no-cache"
    assert json.loads(call.request.body or b"") == GRANT


def test_token_of_another_process_is_used(
    source: podero.ClientCredentialsToken, store: RecordingStore, api: responses.RequestsMock
) -> None:
    store.set("shared", 60)

    assert source.get() == "shared"


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (36000, 35700),
        (600, 300),
        (100, 50),
        (10**400, 86100),
        (None, 300),
        (0, 300),
        (-5, 300),
        ("36000", 300),
        (True, 300),
    ],
    ids=str,
)
def test_token_is_renewed_early(
    expires_in: object,
    seconds: float,
    source: podero.ClientCredentialsToken,
    store: RecordingStore,
    api: responses.RequestsMock,
) -> None:
    api.post(TOKEN_URL, json=reply(expires_in=expires_in))

    source.get()

    assert store.seconds == [seconds]


def test_memory_store_forgets_a_token_at_its_end() -> None:
    now = 100.0
    store = podero.MemoryStore(clock=lambda: now)
    store.set("kept", 10)

    now = 109.9
    before = store.get()
    now = 110.0

    assert (before, store.get()) == ("kept", None)


def test_memory_store_discards_only_the_named_token() -> None:
    store = podero.MemoryStore()
    store.set("new", 10)

    store.discard("old")
    kept = store.get()
    store.discard("new")

    assert (kept, store.get()) == ("new", None)


@pytest.mark.parametrize("problem", ["unsupported_grant_type", "invalid_request"])
def test_server_that_reads_forms_only_is_served_with_forms_from_then_on(
    problem: str,
    source: podero.ClientCredentialsToken,
    store: RecordingStore,
    api: responses.RequestsMock,
) -> None:
    as_json = api.post(
        TOKEN_URL, status=400, json={"error": problem}, match=[matchers.json_params_matcher(GRANT)]
    )
    as_form = api.post(TOKEN_URL, json=reply(), match=[matchers.urlencoded_params_matcher(GRANT)])
    source.get()
    store.discard("fresh")

    source.get()

    assert (as_json.call_count, as_form.call_count) == (1, 2)


def test_grant_refused_in_both_encodings_is_unauthorized(
    source: podero.ClientCredentialsToken, api: responses.RequestsMock
) -> None:
    api.post(TOKEN_URL, status=400, json={"error": "unsupported_grant_type"})

    with pytest.raises(podero.Unauthorized) as caught:
        source.get()

    assert (caught.value.endpoint, caught.value.status) == ("fetch_token", 400)
    assert len(api.calls) == 2


@pytest.mark.parametrize("error", [{"code": "invalid_client"}, ["invalid_client"], 7, None])
def test_refusal_that_does_not_name_its_reason_is_one(
    error: object, source: podero.ClientCredentialsToken, api: responses.RequestsMock
) -> None:
    api.post(TOKEN_URL, status=400, json={"error": error})

    with pytest.raises(podero.Unauthorized):
        source.get()

    assert len(api.calls) == 1


@pytest.mark.parametrize(
    ("status", "error_class", "code"),
    [
        (400, podero.Unauthorized, "unauthorized"),
        (401, podero.Unauthorized, "unauthorized"),
        (403, podero.Unauthorized, "unauthorized"),
        (404, podero.Unauthorized, "unauthorized"),
        (429, podero.Unavailable, "rate_limited"),
        (500, podero.Unavailable, "server_error"),
        (302, podero.UnexpectedReply, "unexpected_reply"),
    ],
)
def test_write_without_a_token_was_not_made(
    status: int,
    error_class: type[podero.PoderoError],
    code: str,
    make_client: MakeClient,
    source: podero.ClientCredentialsToken,
    api: responses.RequestsMock,
) -> None:
    api.post(TOKEN_URL, status=status, json={"error": "invalid_client"})

    with pytest.raises(error_class) as caught:
        values.create_session(make_client(token_source=source))

    error = caught.value
    assert (error.endpoint, error.status, error.code) == ("fetch_token", status, code)
    assert not error.is_outcome_unknown


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "access_token"),
        ([], "access_token"),
        (reply(None), "access_token"),
        (reply(""), "access_token"),
        (reply("a b"), "access_token"),
        (reply("a\r\nX: y"), "access_token"),
        (reply("ä"), "access_token"),
        (reply("x" * 5000), "access_token"),
        (reply(token_type="mac"), "token_type"),
        (reply(token_type=None), "token_type"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_reply_without_a_usable_token_is_unexpected(
    body: Any,
    field: str,
    source: podero.ClientCredentialsToken,
    store: RecordingStore,
    api: responses.RequestsMock,
) -> None:
    api.post(TOKEN_URL, json=body)

    with pytest.raises(podero.UnexpectedReply) as caught:
        source.get()

    assert caught.value.field == field
    assert store.get() is None


@pytest.mark.parametrize("endpoint", ["get_user", "create_user"])
def test_call_whose_token_had_run_out_is_repeated_once_with_a_fresh_one(
    endpoint: str,
    make_client: MakeClient,
    source: podero.ClientCredentialsToken,
    store: RecordingStore,
    api: responses.RequestsMock,
) -> None:
    method, url, act = values.CALLS[endpoint]
    store.set("stale", 60)
    api.add(method, url, status=401, json={"detail": "Unauthorized"})
    api.add(method, url, json=values.USER_BODY)
    api.post(TOKEN_URL, json=reply())

    act(make_client(token_source=source))

    sent = [call.request for call in api.calls if call.request.url == url]
    assert [request.headers["Authorization"] for request in sent] == [
        "Bearer stale",
        "Bearer fresh",
    ]
    assert sent[0].body == sent[1].body
    assert store.discarded == ["stale"]


def test_token_renewed_by_another_process_meanwhile_is_used(
    make_client: MakeClient,
    source: podero.ClientCredentialsToken,
    store: RecordingStore,
    api: responses.RequestsMock,
) -> None:
    store.set("stale", 60)

    def renewed_elsewhere(request: Any) -> tuple[int, dict[str, str], str]:
        store.set("renewed", 60)
        return 401, {}, ""

    api.add_callback("GET", values.USER, callback=renewed_elsewhere)
    api.get(values.USER, json=values.USER_BODY)

    make_client(token_source=source).get_user(values.USER_ID)

    assert api.calls[1].request.headers["Authorization"] == "Bearer renewed"


def test_store_that_cannot_forget_does_not_bring_a_rejected_token_back(
    api: responses.RequestsMock,
) -> None:
    class Stubborn(podero.MemoryStore):
        def discard(self, token: str) -> None:
            pass

    store = Stubborn()
    store.set("rejected", 60)
    api.post(TOKEN_URL, json=reply())

    assert make_source(store).renew("rejected") == "fresh"


def test_second_refusal_is_final(
    make_client: MakeClient,
    source: podero.ClientCredentialsToken,
    store: RecordingStore,
    api: responses.RequestsMock,
) -> None:
    store.set("stale", 60)
    refused = api.get(values.USER, status=401)
    api.post(TOKEN_URL, json=reply())

    with pytest.raises(podero.Unauthorized) as caught:
        make_client(token_source=source).get_user(values.USER_ID)

    assert (caught.value.endpoint, caught.value.status) == ("get_user", 401)
    assert refused.call_count == 2


def test_fixed_token_is_not_tried_twice(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(values.USER, status=401)

    with pytest.raises(podero.Unauthorized):
        client.get_user(values.USER_ID)

    assert len(api.calls) == 1


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "tök"])
def test_fixed_token_that_no_header_can_hold_stops_the_start(token: str) -> None:
    with pytest.raises(ValueError, match="token is printable") as caught:
        podero.FixedToken(token)

    assert not token or token not in str(caught.value)


def test_threads_that_need_a_token_at_once_share_one(serve: Serve) -> None:
    def answer(connection: Connection) -> None:
        while connection.read_request():
            connection.reply(reply(f"token-{len(connection.server.requests)}"))

    server = serve(answer)
    source = make_source(podero.MemoryStore(), server.url)
    barrier = threading.Barrier(8)
    tokens: list[str] = []

    def get() -> None:
        barrier.wait(5)
        tokens.append(source.get())

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert tokens == ["token-1"] * 8
    assert len(server.requests) == 1


def test_waiting_for_another_threads_token_ends_with_the_time_allowed(serve: Serve) -> None:
    is_asked, may_answer = threading.Event(), threading.Event()

    def answers_late(connection: Connection) -> None:
        connection.read_request()
        is_asked.set()
        may_answer.wait(5)
        connection.reply(reply())

    source = make_source(podero.MemoryStore(), serve(answers_late).url)
    other = threading.Thread(target=source.get)
    other.start()
    is_asked.wait(5)

    with podero.within(0.1), pytest.raises(podero.Unavailable) as caught:
        source.get()

    may_answer.set()
    other.join(5)
    assert (caught.value.code, caught.value.endpoint) == ("timeout", "fetch_token")
