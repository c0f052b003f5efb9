from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboarding.podero.hosted_address import ConnectHosts

from .values import unhurried

HOSTS = ConnectHosts(["connect.podero.com", "Sandbox.Example:8443", "127.0.0.1:8001", "[::1]:9"])


@pytest.mark.parametrize(
    "address",
    [
        "https://connect.podero.com?onboarding_session_id=1",
        "https://connect.podero.com/path?a=b#c",
        "https://CONNECT.podero.com:443/",
        "https://sandbox.example:8443/x",
        "http://127.0.0.1:8001/form",
        "http://[::1]:9/form",
        "https://connect.podero.com/" + "a" * 7973,
    ],
)
def test_address_on_a_listed_host_is_allowed(address: str) -> None:
    assert HOSTS.is_allowed(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://connect.podero.com/",
        "https://evil.example/",
        "https://connect.podero.com.evil.example/",
        "https://connect.podero.com./",
        "https://evil.example/?connect.podero.com",
        "https://connect.podero.com@evil.example/",
        "https://user@connect.podero.com/",
        "https://user:pw@connect.podero.com/",
        "https://connect.podero.com:8443/",
        "https://sandbox.example/",
        "https://127.0.0.1/",
        "http://127.0.0.1/",
        "https://connect.podero.com:99999/",
        "https://connect.podero.com:x/",
        "https://[connect.podero.com/",
        "//connect.podero.com/",
        "connect.podero.com",
        "javascript:alert(1)//connect.podero.com",
        "ftp://connect.podero.com/",
        "https:/connect.podero.com/",
        "https:///connect.podero.com/",
        "https://evil.example\\@connect.podero.com/",
        "https://connect.podero.com\\.evil.example/",
        " https://connect.podero.com/",
        "https://connect.podero.com/\n",
        "https://connect.podero.com/a b",
        "https://connect.podero.com/\x00",
        "https://connect.podero.com/\x7f",
        "ht\ttps://connect.podero.com/",
        "https://connect.podero.com/\u202e",
        "https://connect\uff0epodero.com/",
        "https://connect.podero.com/" + "a" * 7974,
    ],
)
def test_any_other_address_is_refused(address: str) -> None:
    assert not HOSTS.is_allowed(address)


@unhurried
@given(st.text())
def test_no_text_breaks_the_check(address: str) -> None:
    assert not HOSTS.is_allowed(address)


@pytest.mark.parametrize("entry", ["", "https://x.example", "x/y", "a@b", "x:port", "x y"])
def test_entry_that_is_not_a_host_stops_the_start(entry: str) -> None:
    with pytest.raises(ValueError, match="host"):
        ConnectHosts([entry])
