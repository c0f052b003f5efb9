from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import responses

from onboarding import podero

from . import values
from .servers import Handler, ScriptedServer

MakeClient = Callable[..., podero.PoderoClient]
Serve = Callable[..., ScriptedServer]


@pytest.fixture
def api() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    made: list[podero.PoderoClient] = []

    def make(base_url: str = values.BASE_URL, **overrides: object) -> podero.PoderoClient:
        options: dict[str, object] = {
            "org_id": values.ORG_ID,
            "token_source": podero.FixedToken(values.TOKEN),
            "connect_hosts": ["connect.podero.com", "127.0.0.1:8001"],
            **overrides,
        }
        client = podero.PoderoClient(base_url=base_url, **options)  # type: ignore[arg-type]
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: MakeClient) -> podero.PoderoClient:
    return make_client()


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[ScriptedServer] = []

    def start(*handlers: Handler) -> ScriptedServer:
        servers.append(ScriptedServer(*handlers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
