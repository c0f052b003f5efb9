"""What the calls to all endpoints have in common: the token, its one renewal, the errors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit
from uuid import UUID

import requests

from onboarding.podero import deadline
from onboarding.podero.deadline import Timeouts
from onboarding.podero.device_types import DeviceType
from onboarding.podero.exchange import Call, Reply
from onboarding.podero.gates import Gate
from onboarding.podero.hosted_address import ConnectHosts
from onboarding.podero.parsing import NotUnderstood
from onboarding.podero.tokens import TokenSource
from onboarding.podero.transport import OnCall, RequestId, Transport

API_PATH: Final = "/api/partners/v2.0"

T = TypeVar("T")


class Calls:
    """Sends authorized calls and reads their replies; one per organisation. Thread-safe."""

    def __init__(
        self,
        *,
        base_url: str,
        org_id: object,
        token_source: TokenSource,
        connect_hosts: Collection[str],
        timeouts: Timeouts,
        http: requests.Session | None,
        on_call: OnCall | None,
        gate: Gate | None,
        request_id: RequestId | None,
    ) -> None:
        self.org_path = f"/org/{path_segment(org_id)}"
        self.connect_hosts = ConnectHosts(connect_hosts)
        self._tokens = token_source
        self._transport = Transport(
            base_url=base_url,
            timeouts=timeouts,
            http=http,
            on_call=on_call,
            gate=gate,
            request_id=request_id,
        )
        self._own_host = ConnectHosts([urlsplit(base_url).netloc])

    @property
    def gate(self) -> Gate:
        """What every call has to pass."""
        return self._transport.gate

    def have_a_token(self) -> None:
        """Fetch a token where none is at hand. Raises Unauthorized, Unavailable, UnexpectedReply."""
        self._tokens.get()

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def is_own_address(self, address: str) -> bool:
        """Say whether an address received from the API leads to the API itself."""
        return self._own_host.is_allowed(address)

    def collection_path(self, user_id: UUID, device_type: DeviceType) -> str:
        """Return the path of a user's devices of one type."""
        return f"{self.org_path}/users/{user_id}/{device_type.collection}"

    def device_path(self, user_id: UUID, device_type: DeviceType, device_id: UUID) -> str:
        """Return the path of one device."""
        return f"{self.collection_path(user_id, device_type)}/{device_id}"

    def send(
        self,
        endpoint: str,
        method: str,
        path: str,
        *,
        json: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
        also_accept: Collection[int] = (),
        is_write: bool | None = None,
    ) -> Reply:
        """Return a reply with 2xx, or with a status the caller knows what to do with.

        Raises a PoderoError for any other. A 401 is answered once with another token.
        """
        with deadline.within(self._transport.timeouts.total_seconds):
            token = self._tokens.get()
            call = Call(
                endpoint=endpoint,
                method=method,
                path=API_PATH + path,
                authorization=f"Bearer {token}",
                json=json,
                params=params,
                is_write=method != "GET" if is_write is None else is_write,
            )
            reply = self._transport.exchange(call)
            if reply.status == 401:
                other = self._tokens.renew(token)
                if other is not None:
                    reply = self._transport.exchange(call.authorized(f"Bearer {other}"))
        if reply.is_success or reply.status in also_accept:
            return reply
        raise reply.refusal()


def read(reply: Reply, parse: Callable[[object], T]) -> T:
    """Return what the reply says. Raises UnexpectedReply naming the field that is missing."""
    try:
        return parse(reply.content())
    except NotUnderstood as problem:
        field = problem.field
    # Outside the handler, so that the chain holds nothing of the body.
    raise reply.unexpected(field)


def path_segment(value: object) -> str:
    """Return a value fit for one segment of a path."""
    return quote(str(value), safe="")
