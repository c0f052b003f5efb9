"""Connections whose every wait ends by the deadline, pooled and shared by threads."""

from __future__ import annotations

import logging
import os
import socket
import time
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import connection as urllib3_connection

from onboarding.podero import deadline
from onboarding.podero.streams import BoundedResponse

# Load balancers drop idle connections after a minute or so; asking before that avoids the race
# in which a POST is sent on a connection that is just being closed.
MAX_IDLE_SECONDS: Final = 30.0


@dataclass(slots=True)
class Exchange:
    """What the connection saw of the exchange under way in this thread; None: nothing yet."""

    is_sent: bool | None = None
    is_reused: bool = False


current_exchange: ContextVar[Exchange | None] = ContextVar("podero_exchange", default=None)


class BoundedHTTPConnection(HTTPConnection):
    """A connection that keeps the deadline and reports what became of the request."""

    response_class = BoundedResponse
    _is_fresh = False
    _used_at = 0.0
    _pid = 0

    def _new_conn(self) -> socket.socket:
        # As upstream, but the addresses of a host share the time instead of each having all of it.
        failure: OSError | None = None
        try:
            addresses = socket.getaddrinfo(
                self._dns_host,
                self.port,
                urllib3_connection.allowed_gai_family(),
                socket.SOCK_STREAM,
            )
            for *_, address in addresses:
                try:
                    sock = self._connected_to(str(address[0]))
                except OSError as error:
                    failure = error
                else:
                    sock.settimeout(deadline.seconds_left(self._connect_seconds))
                    return sock
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except UnicodeError as error:
            raise NewConnectionError(self, "host name is not valid") from error
        except TimeoutError as error:
            failure = error
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "connection timed out") from failure
        raise NewConnectionError(self, "connection failed") from failure

    @property
    def _connect_seconds(self) -> float:
        return self.timeout if isinstance(self.timeout, (int, float)) else float("inf")

    def _connected_to(self, address: str) -> socket.socket:
        seconds = deadline.seconds_left(self._connect_seconds)
        return urllib3_connection.create_connection(
            (address, self.port or self.default_port),
            None if seconds == float("inf") else seconds,
            source_address=self.source_address,
            socket_options=self.socket_options,
        )

    def connect(self) -> None:
        exchange = current_exchange.get()
        if exchange is not None:
            exchange.is_sent = False
        super().connect()
        self._is_fresh = True
        self._pid = os.getpid()

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()
        self._used_at = time.monotonic()
        exchange = current_exchange.get()
        if exchange is not None:
            exchange.is_sent = True
            exchange.is_reused = not self._is_fresh
        self._is_fresh = False
        super().request(*args, **kwargs)

    @property
    def is_connected(self) -> bool:
        is_ours = self._pid == os.getpid()  # a forked worker must not share its parent's socket
        is_idle_too_long = time.monotonic() - self._used_at > MAX_IDLE_SECONDS
        return is_ours and not is_idle_too_long and super().is_connected


class BoundedHTTPSConnection(BoundedHTTPConnection, HTTPSConnection):
    """The same over TLS."""


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = BoundedHTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = BoundedHTTPSConnection


_POOLS: Final = {"http": _HTTPPool, "https": _HTTPSPool}


class BoundedAdapter(HTTPAdapter):
    """A requests adapter made of such connections; never retries by itself.

    It keeps one for each thread that has asked at the same time as others, up to `pool_size`.
    """

    def __init__(self, *, pool_size: int = 1000) -> None:
        super().__init__(pool_connections=4, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


def _nowhere(_response: requests.Response) -> None:
    return None


def bounded(session: requests.Session) -> requests.Session:
    """Prepare a session for sharing, and return it.

    It gets our connections, unless its owner has mounted an adapter of another kind.
    """
    for scheme in ("https://", "http://"):
        if type(session.get_adapter(scheme)) is HTTPAdapter:
            session.mount(scheme, BoundedAdapter())
    # Even where none is followed, requests would read all of a redirect, and where it leads.
    session.get_redirect_target = _nowhere  # type: ignore[assignment, method-assign]
    # A cookie set on one customer's reply must not travel with another customer's request.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # urllib3 logs paths, which hold customer numbers. Who sets its level on purpose is obeyed.
    logger = logging.getLogger("urllib3")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.ERROR)
    return session
