"""What stands before each call: asked, obeyed, and told the truth afterwards."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import pytest
import responses

from onboarding import podero
from onboarding.podero import Code, HeldBack, Outcome

from . import values
from .conftest import MakeClient, Serve
from .servers import Connection


@dataclass
class FakeGate:
    """Holds back as told, and writes down what it was told."""

    refusal: HeldBack | None = None
    is_shut: bool = False
    waits: list[float] = field(default_factory=list)
    outcomes: list[Outcome | None] = field(default_factory=list)

    def enter(self, *, wait_seconds: float) -> str:
        self.waits.append(wait_seconds)
        if self.refusal is not None:
            raise self.refusal
        return f"ticket {len(self.waits)}"

    def leave(self, ticket: object, outcome: Outcome | None) -> None:
        assert ticket == f"ticket {len(self.waits)}"
        self.outcomes.append(outcome)


@pytest.mark.parametrize("code", [Code.HELD_BACK, Code.PACED])
@pytest.mark.parametrize("endpoint", ["create_user", "get_user", "update_device", "list_devices"])
def test_call_that_is_held_back_is_never_made(
    endpoint: str, code: Code, make_client: MakeClient, api: responses.RequestsMock
) -> None:
    noted: list[str] = []
    gate = FakeGate(HeldBack(code, 12.5))
    client = make_client(gate=gate, on_call=lambda _endpoint, outcome, _s: noted.append(outcome))

    with pytest.raises(podero.Unavailable) as caught:
        values.CALLS[endpoint][2](client)

    error = caught.value
    assert (error.code, error.status, error.retry_after_seconds) == (code, None, 12.5)
    assert error.is_retryable
    assert error.is_held_back
    assert not error.is_outcome_unknown
    assert set(noted) == {code}
    assert len(api.calls) == 0
    assert gate.outcomes == []


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Outcome(None)),
        (404, {}, Outcome(Code.NOT_FOUND)),
        (503, {}, Outcome(Code.SERVER_ERROR)),
        (429, {"Retry-After": "17"}, Outcome(Code.RATE_LIMITED, 17.0)),
        (503, {"Retry-After": "9"}, Outcome(Code.SERVER_ERROR, 9.0)),
    ],
)
def test_gate_is_told_how_the_call_ended(
    status: int,
    headers: dict[str, str],
    outcome: Outcome,
    make_client: MakeClient,
    api: responses.RequestsMock,
) -> None:
    gate = FakeGate()
    api.get(values.USER, status=status, headers=headers, json=values.USER_BODY)

    with suppress(podero.PoderoError):
        make_client(gate=gate).get_user(values.USER_ID)

    assert gate.outcomes == [outcome]
    assert 0 < gate.waits[0] <= 8


def test_gate_is_told_of_lost_connections(make_client: MakeClient) -> None:
    gate = FakeGate()

    with pytest.raises(podero.Unavailable):
        make_client("http://127.0.0.1:9", gate=gate).get_user(values.USER_ID)

    assert gate.outcomes == [Outcome(Code.UNREACHABLE)]


def test_gate_gets_its_ticket_back_whatever_happens(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_args: object, **_kwargs: object) -> None:
        raise Killed

    gate = FakeGate()
    client = make_client(gate=gate)
    monkeypatch.setattr("requests.Session.request", killed)

    with pytest.raises(Killed):
        client.get_user(values.USER_ID)

    assert gate.outcomes == [None]


def test_time_that_ran_out_on_our_side_is_no_news_of_podero(make_client: MakeClient) -> None:
    gate = FakeGate()
    client = make_client(gate=gate)

    with podero.within(0), pytest.raises(podero.Unavailable) as caught:
        client.get_user(values.USER_ID)

    assert caught.value.code == Code.TIMEOUT
    assert (gate.waits, gate.outcomes) == ([], [])


@pytest.mark.parametrize(
    ("own_seconds", "total_seconds", "outcome"),
    [(0.2, 1, None), (5, 1, Outcome(Code.TIMEOUT)), (5, 0.5, Outcome(Code.TIMEOUT))],
)
def test_only_who_waited_as_long_as_a_call_may_take_knows_that_podero_is_slow(
    own_seconds: float,
    total_seconds: float,
    outcome: Outcome | None,
    make_client: MakeClient,
    serve: Serve,
) -> None:
    gate = FakeGate()

    def say_nothing(connection: Connection) -> None:
        connection.read_request()
        connection.wait_for_close()

    server = serve(say_nothing)
    patience = podero.Timeouts(connect_seconds=1, read_seconds=0.5, total_seconds=total_seconds)
    client = make_client(server.url, gate=gate, timeouts=patience)

    with podero.within(own_seconds), pytest.raises(podero.Unavailable) as caught:
        client.get_user(values.USER_ID)

    assert caught.value.code == Code.TIMEOUT
    assert gate.outcomes == [outcome]


def test_token_has_to_pass_too(api: responses.RequestsMock) -> None:
    gate = FakeGate(HeldBack(Code.HELD_BACK, 3))
    source = podero.ClientCredentialsToken(
        base_url=values.BASE_URL,
        client_id="id",
        client_secret="secret",
        store=podero.MemoryStore(),
        gate=gate,
    )

    with pytest.raises(podero.Unavailable) as caught:
        source.get()

    assert (caught.value.endpoint, caught.value.code) == ("fetch_token", Code.HELD_BACK)
    assert len(api.calls) == 0


def test_client_says_whether_the_gate_is_shut(make_client: MakeClient) -> None:
    assert make_client(gate=FakeGate(is_shut=True)).is_shut
    assert not make_client(gate=FakeGate()).is_shut
    assert not make_client().is_shut


@pytest.mark.parametrize(("request_id", "sent"), [("c0ffee", "c0ffee"), (None, None)])
def test_call_names_the_request_it_is_made_for(
    request_id: str | None,
    sent: str | None,
    make_client: MakeClient,
    api: responses.RequestsMock,
) -> None:
    api.get(values.USER, json=values.USER_BODY)

    make_client(request_id=lambda: request_id).get_user(values.USER_ID)

    assert api.calls[0].request.headers.get("X-Request-ID") == sent
