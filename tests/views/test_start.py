"""The first page is drawn once for all strangers, and holds nothing of any of them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import brotli
import pytest
from django.template.loader import render_to_string
from django.test import Client

from config import compression
from onboarding.views import start
from tests.factories import make_customer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_drawn() -> None:
    start._page_for_strangers.cache_clear()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    templates: list[str] = []

    def draw(name: str, *args: Any) -> str:
        templates.append(name)
        return render_to_string(name, *args)

    monkeypatch.setattr(start, "render_to_string", draw)
    return templates


def test_strangers_get_the_page_that_was_drawn_for_the_first_of_them(
    client: Client, drawn: list[str]
) -> None:
    first = client.get("/optimize/?device_type=ev")
    second = Client().get("/optimize/?device_type=ev")

    assert first.content == second.content
    assert b"Charge your electric car" in first.content
    assert len(drawn) == 1


def test_page_for_strangers_is_compressed_once_in_each_way(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes] = []

    def counted(compress: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
        def run(content: bytes) -> bytes:
            made.append(content)
            return compress(content)

        return run

    codings = {name: counted(compress) for name, compress in compression._CODINGS.items()}
    monkeypatch.setattr(compression, "_CODINGS", codings)

    answers = [
        client.get(f"/optimize/?device_type={kind}", headers={"Accept-Encoding": coding})
        for _visit in range(2)
        for kind in ("ev", "hp")
        for coding in ("br", "gzip", "identity")
    ]

    assert len(made) == 4
    for number, answer in enumerate(answers):
        assert answer.content == answers[number % 6].content
    assert brotli.decompress(answers[6].content) == gzip.decompress(answers[7].content)
    assert answers[8].content == brotli.decompress(answers[6].content)


def test_each_device_type_and_brand_has_a_page_of_its_own(
    client: Client, drawn: list[str], settings: Any
) -> None:
    pages = {
        client.get(f"/optimize/?device_type={kind}").content
        for kind in ("", "ev", "hp", "iv", "wb", "moped", "fridge")
    }
    settings.BRAND_NAME = "Talstrom"
    another = client.get("/optimize/").content

    assert len(pages) == 5
    assert another not in pages
    assert b"Talstrom" in another
    assert len(drawn) == 6


def test_who_is_signed_in_gets_their_own_and_leaves_nothing_of_it_to_strangers(
    client: Client,
) -> None:
    client.force_login(make_customer().account)

    own = client.get("/optimize/").content
    strangers = Client().get("/optimize/").content

    assert b"Sign out" in own
    assert b"csrfmiddlewaretoken" in own
    assert b"Sign out" not in strangers
    assert b"csrfmiddlewaretoken" not in strangers


def test_page_is_kept_by_no_cache_but_ours(client: Client) -> None:
    """The next visitor of the same proxy may be signed in."""
    response = client.get("/optimize/")

    assert response.headers["Cache-Control"] == "no-store"
    assert "Cookie" in response.headers["Vary"]


def test_stranger_costs_no_query(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        client.get("/optimize/")


def test_changed_templates_show_at_once_where_they_are_written(
    client: Client, drawn: list[str], settings: Any
) -> None:
    settings.DEBUG = True

    client.get("/optimize/")

    assert drawn == []
