"""What the first page costs on the wire, headers included, as a browser over real HTTP gets it."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import brotli
import pytest

from tests import servers
from tests.simulator.launch import RunningSimulator

MOST_BYTES = 14_000  # what fits into the first round trip of a new connection
A_YEAR = 365 * 24 * 3600
PAGES = ["/optimize/", *(f"/optimize/?device_type={kind}" for kind in ("ev", "hp", "iv", "wb"))]


@dataclass(frozen=True)
class Answer:
    """An answer as it came, byte by byte."""

    raw: bytes

    @property
    def headers(self) -> dict[str, str]:
        lines = self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def text(self) -> str:
        is_brotli = self.headers.get("content-encoding") == "br"
        return (brotli.decompress(self.body) if is_brotli else self.body).decode()


@pytest.fixture(scope="module")
def web(
    prepared_var_dir: Path,
    simulator_process: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[servers.RunningApp]:
    var_dir = tmp_path_factory.mktemp("weight") / "var"
    shutil.copytree(prepared_var_dir, var_dir)
    app = servers.start_app(simulator=simulator_process, var_dir=var_dir)
    yield app
    app.stop()


def get(app: servers.RunningApp, path: str, *, accept_encoding: str = "gzip, br") -> Answer:
    address = urlsplit(app.base_url)
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n"
        f"Accept-Encoding: {accept_encoding}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", address.port or 80), timeout=20) as connection:
        connection.sendall(request.encode())
        raw = b"".join(iter(lambda: connection.recv(65536), b""))
    assert raw.startswith(b"HTTP/1.1 200 "), raw[:200]
    return Answer(raw)


def addresses_in(page: str) -> list[str]:
    """Everything that a browser fetches by itself with this page."""
    links = re.findall(r'<link rel="(?:stylesheet|icon)" href="([^"]+)"', page)
    return links + re.findall(r'<(?:script|img)[^>]* src="([^"]+)"', page)


@pytest.mark.parametrize("path", PAGES)
def test_start_page_with_all_that_belongs_to_it_is_light(
    web: servers.RunningApp, path: str
) -> None:
    page = get(web, path)
    parts = {address: get(web, address) for address in addresses_in(page.text)}

    sizes = {path: len(page.raw)} | {name: len(part.raw) for name, part in parts.items()}
    assert len(sizes) == 5
    assert sum(sizes.values()) <= MOST_BYTES, sizes
    assert page.headers["content-encoding"] == "br"
    assert int(page.headers["content-length"]) == len(page.body)
    assert "Accept-Encoding" in page.headers["vary"]


def test_page_is_the_same_without_compression(web: servers.RunningApp) -> None:
    plain = get(web, "/optimize/", accept_encoding="identity")

    assert "content-encoding" not in plain.headers
    assert plain.text == get(web, "/optimize/").text


def test_what_pages_are_made_of_is_kept_for_a_year_and_compressed_as_well(
    web: servers.RunningApp,
) -> None:
    parts = {address: get(web, address) for address in addresses_in(get(web, "/optimize/").text)}

    for address, part in parts.items():
        kept = part.headers["cache-control"]
        assert int(re.findall(r"max-age=(\d+)", kept)[0]) >= A_YEAR, address
        assert "immutable" in kept, address
        assert re.search(r"\.[0-9a-f]{8,}\.(css|js|svg)$", address), address
    assert {
        address.rpartition(".")[2]
        for address, part in parts.items()
        if part.headers.get("content-encoding") == "br"
    } == {"css", "js", "svg"}
