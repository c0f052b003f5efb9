"""Values that look right at a glance are refused at the start, with the variable's name."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.core.exceptions import ImproperlyConfigured

from tests.servers import ROOT
from tests.settings import ENVIRONMENT

SITE = "https://flex.alpenstrom.example"
A_PUBLIC_KEY = "a public key in PEM form: RSA, EC P-256 or Ed25519"
HOST_NAMES = "host names such as connect.podero.com or localhost:8001"
A_FOLDER = "a folder that can be written to"

Start = Callable[..., dict[str, Any]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Start:
    """Load the app's settings afresh, as of an installation that the portal signs for by key."""
    usual = {
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": "",
        "ALLOWED_HOSTS": "",
        "SITE_URL": SITE,
        "HANDOFF_SECRET": "",
        "HANDOFF_PUBLIC_KEY": pem(ed25519.Ed25519PrivateKey.generate().public_key()),
    }

    def start_with(**variables: str) -> dict[str, Any]:
        for name, value in (ENVIRONMENT | usual | variables).items():
            monkeypatch.setenv(name, value)
        # The settings set it; this process keeps its own.
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
        return runpy.run_path(str(ROOT / "config" / "settings.py"))

    return start_with


def pem(key: Any) -> str:
    encoded: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode()


def private_pem() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def refusal_of(start: Start, **variables: str) -> str:
    with pytest.raises(ImproperlyConfigured) as refusal:
        start(**variables)
    return str(refusal.value)


@pytest.mark.parametrize(
    "key",
    [
        "nonsense",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\\nbm9uc2Vuc2U=\\n-----END PUBLIC KEY-----",
        pytest.param(pem(ec.generate_private_key(ec.SECP384R1()).public_key()), id="other-curve"),
        pytest.param(pem(ed448.Ed448PrivateKey.generate().public_key()), id="other-kind"),
        pytest.param(private_pem(), id="private-key"),
    ],
)
def test_key_that_verifies_nothing_is_refused(start: Start, key: str) -> None:
    message = refusal_of(start, HANDOFF_PUBLIC_KEY=key)

    assert message == f"HANDOFF_PUBLIC_KEY: expected {A_PUBLIC_KEY}"


@pytest.mark.parametrize("is_one_line", [False, True])
@pytest.mark.parametrize(
    "key",
    [
        pytest.param(pem(ed25519.Ed25519PrivateKey.generate().public_key()), id="ed25519"),
        pytest.param(pem(ec.generate_private_key(ec.SECP256R1()).public_key()), id="p-256"),
        pytest.param(pem(rsa.generate_private_key(65537, 2048).public_key()), id="rsa"),
    ],
)
def test_key_of_each_promised_kind_is_taken(start: Start, key: str, is_one_line: bool) -> None:
    given = key.replace("\n", "\\n") if is_one_line else key

    assert start(HANDOFF_PUBLIC_KEY=given)["HANDOFF_PUBLIC_KEY"].strip() == key.strip()


@pytest.mark.parametrize("token", ["keep this", "keep\tthis", "keep\nthis", "kéep-this"])
def test_token_that_no_header_can_carry_is_refused(start: Start, token: str) -> None:
    message = refusal_of(start, PODERO_AUTH_TOKEN=token)

    assert message == "PODERO_AUTH_TOKEN: expected a token without spaces"


@pytest.mark.parametrize(
    "hosts",
    [
        "host:99999",
        "host:0",
        "host:",
        "[:::::]",
        "[::1",
        ",",
        ", ,",
        "connect.podero.com,host:99999",
        "connect.podero.com/form",
    ],
)
def test_host_that_no_address_can_have_is_refused(start: Start, hosts: str) -> None:
    message = refusal_of(start, PODERO_CONNECT_HOSTS=hosts)

    assert message == f"PODERO_CONNECT_HOSTS: expected {HOST_NAMES}"


@pytest.mark.parametrize("hosts", ["elsewhere.example", "localhost,127.0.0.1", ","])
def test_hosts_without_the_one_that_customers_come_back_to_are_refused(
    start: Start, hosts: str
) -> None:
    message = refusal_of(start, ALLOWED_HOSTS=hosts)

    assert message == "ALLOWED_HOSTS: expected SITE_URL's host flex.alpenstrom.example among them"


@pytest.mark.parametrize("hosts", [SITE, f"flex.alpenstrom.example,{SITE}"])
def test_allowed_host_with_a_scheme_is_refused(start: Start, hosts: str) -> None:
    message = refusal_of(start, ALLOWED_HOSTS=hosts)

    assert message == "ALLOWED_HOSTS: expected host names without https://"


@pytest.mark.parametrize(
    "hosts", ["flex.alpenstrom.example", ".alpenstrom.example", "*", "FLEX.alpenstrom.example"]
)
def test_allowed_hosts_with_that_of_this_app_are_taken(start: Start, hosts: str) -> None:
    assert start(ALLOWED_HOSTS=hosts)["ALLOWED_HOSTS"] == [hosts]


def test_folder_that_cannot_be_made_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    message = refusal_of(start, VAR_DIR=str(tmp_path / "file" / "var"))

    assert message == f"VAR_DIR: expected {A_FOLDER}"


def test_file_in_the_place_of_the_folder_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")

    message = refusal_of(start, VAR_DIR=str(tmp_path / "var"))

    assert message == f"VAR_DIR: expected {A_FOLDER}"


def test_folder_that_cannot_be_written_to_is_refused(start: Start) -> None:
    # Nobody can make a file there, not even root.
    message = refusal_of(start, VAR_DIR="/proc")

    assert message == f"VAR_DIR: expected {A_FOLDER}"
