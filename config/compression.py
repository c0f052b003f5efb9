"""Pages made for one person, compressed on their way out; static files already lie compressed.

Somebody who watches the wire and can make a browser fetch pages with words of theirs in them may
guess from the lengths what else is in the page (BREACH). Worth guessing would be the CSRF token,
which Django masks anew in each answer; keys to forms and devices are in no page. And since our
cookies are `SameSite`, no other site can have a customer's pages fetched but by moving the whole tab.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable

import brotli
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

# Below this the headers outweigh what is saved.
LEAST_BYTES = 500
# The step at which a page of ours is 10 % smaller than before for some hundredths of a millisecond.
_QUALITY = 5
_WINDOW_BITS = 15
_TYPES = frozenset(
    {"text/html", "text/css", "text/plain", "text/javascript", "application/json", "image/svg+xml"}
)


def _to_brotli(content: bytes) -> bytes:
    compressed: bytes = brotli.compress(
        content, mode=brotli.MODE_TEXT, quality=_QUALITY, lgwin=_WINDOW_BITS
    )
    return compressed


def _to_gzip(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=_QUALITY, mtime=0)


# The better one first.
_CODINGS: dict[str, Callable[[bytes], bytes]] = {"br": _to_brotli, "gzip": _to_gzip}


def compressed_pages(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Compress what is text and long enough, the best way that the browser takes."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if not isinstance(response, HttpResponse) or not _is_worth_it(response):
            return response
        patch_vary_headers(response, ["Accept-Encoding"])
        coding = _chosen(request.headers.get("Accept-Encoding", ""))
        if coding is not None:
            _compress(response, coding)
        return response

    return middleware


def _is_worth_it(response: HttpResponse) -> bool:
    return (
        len(response.content) >= LEAST_BYTES
        and response.get("Content-Type", "").partition(";")[0].strip().lower() in _TYPES
        and not response.has_header("Content-Encoding")
        and not response.has_header("Content-Range")
        and "no-transform" not in response.get("Cache-Control", "")
    )


def _chosen(accept_encoding: str) -> str | None:
    """The best of ours among `gzip, br;q=0.9`; what has `q=0` is refused."""
    accepted = set()
    for choice in accept_encoding.lower().split(","):
        name, _, parameter = choice.partition(";")
        quality = parameter.partition("=")[2].strip()
        if not quality or quality.strip("0."):
            accepted.add(name.strip())
    return next((coding for coding in _CODINGS if coding in accepted), None)


def _compress(response: HttpResponse, coding: str) -> None:
    # A view that gives many the same page keeps here what has been made of it.
    forms: dict[str, bytes] = getattr(response, "compressed_forms", {})
    if coding not in forms:
        forms[coding] = _CODINGS[coding](response.content)
    response.content = forms[coding]
    response.headers["Content-Encoding"] = coding
    response.headers["Content-Length"] = str(len(response.content))
    etag = response.get("ETag", "")
    if etag.startswith('"'):
        # The same page, but not the same bytes: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.1
        response.headers["ETag"] = f"W/{etag}"
