"""The first page is light and stands still."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.person import Person
from tests.browser.vitals import vitals_of

MOST_BYTES = 14_000  # what arrives in the first round trips of a new connection


@pytest.mark.parametrize("path", ["/optimize/", "/optimize/?device_type=hp"])
def test_start_page_is_light_and_stands_still(
    person: Person, path: str, record_property: Any
) -> None:
    sizes: dict[str, int] = {}
    wire = person.context.new_cdp_session(person.page)
    addresses: dict[str, str] = {}

    def on_request(event: dict[str, Any]) -> None:
        addresses[event["requestId"]] = event["request"]["url"]

    def on_finished(event: dict[str, Any]) -> None:
        sizes[addresses[event["requestId"]]] = int(event["encodedDataLength"])

    wire.on("Network.requestWillBeSent", on_request)
    wire.on("Network.loadingFinished", on_finished)
    wire.send("Network.enable")
    person.page.goto(person.app.base_url + path, wait_until="networkidle")
    record_property("bytes", sum(sizes.values()))

    assert len(sizes) >= 4
    assert sum(sizes.values()) <= MOST_BYTES, sizes
    assert vitals_of(person.page).shift == 0
