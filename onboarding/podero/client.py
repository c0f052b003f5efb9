"""The client: one method per endpoint, named for the act."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import requests

from onboarding.podero.boosts import BoostCalls
from onboarding.podero.calls import Calls
from onboarding.podero.cues import CueCalls
from onboarding.podero.deadline import Timeouts
from onboarding.podero.devices import DeviceCalls
from onboarding.podero.gates import Gate
from onboarding.podero.savings import SavingsCalls
from onboarding.podero.sessions import SessionCalls
from onboarding.podero.tokens import TokenSource
from onboarding.podero.transport import OnCall, RequestId
from onboarding.podero.users import UserCalls


class PoderoClient(UserCalls, SessionCalls, DeviceCalls, CueCalls, BoostCalls, SavingsCalls):
    """Podero's Partner API 2.0 for one organisation. Share it between threads.

    base_url: host of the API, such as "https://app.podero.com".
    connect_hosts: hosts (`host` or `host:port`) that a hosted address may have.
    http: a session to use instead of one of its own, for instance with proxies set.
    on_call: told (endpoint, "ok" or a code, seconds) after each HTTP exchange.
    gate: asked before and told after each HTTP exchange; see `gates.py`.
    request_id: names the request that a call is made for, sent as X-Request-ID.

    Every method waits at most `timeouts.total_seconds` per endpoint it asks (`find_device`
    asks up to four, `list_devices` up to seven); `podero.within(seconds)` shortens that for a whole block.
    Every method raises PoderoError subclasses only; nothing is retried except a GET on a
    connection that was just closed and any call whose token had run out, once each.
    """

    def __init__(
        self,
        *,
        base_url: str,
        org_id: str | UUID,
        token_source: TokenSource,
        connect_hosts: Collection[str],
        timeouts: Timeouts | None = None,
        http: requests.Session | None = None,
        on_call: OnCall | None = None,
        gate: Gate | None = None,
        request_id: RequestId | None = None,
    ) -> None:
        self._calls = Calls(
            base_url=base_url,
            org_id=org_id,
            token_source=token_source,
            connect_hosts=connect_hosts,
            timeouts=Timeouts() if timeouts is None else timeouts,
            http=http,
            on_call=on_call,
            gate=gate,
            request_id=request_id,
        )

    @property
    def is_shut(self) -> bool:
        """Whether a call would be held back just now."""
        return self._calls.gate.is_shut

    def have_a_token(self) -> None:
        """Fetch a token where none is at hand. Raises Unauthorized, Unavailable, UnexpectedReply."""
        self._calls.have_a_token()

    def close(self) -> None:
        """Close the pooled connections."""
        self._calls.close()
