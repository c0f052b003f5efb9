"""Pages are compressed on their way out, the best way that the browser takes, and only then."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import brotli
import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from config.compression import LEAST_BYTES, compressed_pages

LONG = b"<p>Your car charges when electricity costs less.</p>" * 40


def answer_to(accept_encoding: str, response: HttpResponseBase) -> Any:
    request = RequestFactory(headers={"Accept-Encoding": accept_encoding}).get("/")
    return compressed_pages(lambda _request: response)(request)


@pytest.mark.parametrize(
    "accept_encoding",
    ["br", "gzip, deflate, br, zstd", "gzip;q=1.0, br;q=0.5", "BR", " br ; q=1 ", "br;q=0.001"],
)
def test_brotli_is_taken_where_it_is_accepted(accept_encoding: str) -> None:
    response = answer_to(accept_encoding, HttpResponse(LONG))

    assert response.headers["Content-Encoding"] == "br"
    assert brotli.decompress(response.content) == LONG
    assert int(response.headers["Content-Length"]) == len(response.content) < len(LONG) / 5
    assert response.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accept_encoding", ["gzip", "gzip, deflate", "br;q=0, gzip"])
def test_gzip_is_taken_where_brotli_is_not_accepted(accept_encoding: str) -> None:
    response = answer_to(accept_encoding, HttpResponse(LONG))

    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.content) == LONG
    assert int(response.headers["Content-Length"]) == len(response.content) < len(LONG) / 5


@pytest.mark.parametrize(
    "accept_encoding", ["", "identity", "br;q=0", "br; q=0.0, gzip;q=0.000", "abr, xgzip, *"]
)
def test_what_the_browser_does_not_take_is_not_compressed(accept_encoding: str) -> None:
    response = answer_to(accept_encoding, HttpResponse(LONG))

    assert "Content-Encoding" not in response.headers
    assert response.content == LONG
    assert response.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(b"x" * (LEAST_BYTES - 1)),
        HttpResponse(status=304),
        HttpResponse(LONG, content_type="image/png"),
        HttpResponse(LONG, headers={"Content-Encoding": "gzip"}),
        HttpResponse(LONG, status=206, headers={"Content-Range": "bytes 0-1/2"}),
        HttpResponse(LONG, headers={"Cache-Control": "no-transform"}),
    ],
    ids=["short", "empty", "image", "compressed", "partial", "no-transform"],
)
def test_what_gains_nothing_or_must_not_change_stays(response: HttpResponse) -> None:
    content, headers = response.content, dict(response.headers)

    answered = answer_to("br", response)

    assert (answered.content, dict(answered.headers)) == (content, headers)


def test_what_is_streamed_flows_on_untouched() -> None:
    drawn: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            drawn.append(number)
            yield LONG

    response = answer_to("br", StreamingHttpResponse(pieces(), content_type="text/html"))

    assert drawn == []
    assert b"".join(response.streaming_content) == LONG * 3
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize(
    ("before", "after"), [('"abc"', 'W/"abc"'), ('W/"abc"', 'W/"abc"'), ("", None)]
)
def test_a_tag_no_longer_promises_the_same_bytes(before: str, after: str | None) -> None:
    headers = {"ETag": before} if before else {}

    response = answer_to("br", HttpResponse(LONG, headers=headers))

    assert response.headers.get("ETag") == after


def test_caches_keep_what_they_knew_of_the_answer() -> None:
    response = answer_to("br", HttpResponse(LONG, headers={"Vary": "Cookie"}))

    assert response.headers["Vary"] == "Cookie, Accept-Encoding"


@pytest.mark.django_db
def test_token_in_a_compressed_form_is_masked_anew_in_each_answer(client: Client) -> None:
    tokens = set()
    for _visit in range(2):
        response = client.get("/sign-in/", headers={"Accept-Encoding": "br"})
        assert response.headers["Content-Encoding"] == "br"
        page = brotli.decompress(response.content).decode()
        tokens.add(page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0])

    assert len(tokens) == 2
