"""Pages stand still while they load, and show what matters at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests import servers
from tests.browser.gallery import ENV, PAGES, Gallery, Shown, fill_gallery, show
from tests.browser.vitals import vitals_of
from tests.simulator.launch import RunningSimulator

# What Google calls good, on a machine that has other things to do: https://web.dev/articles/lcp
GOOD_LCP_MS = 2500
# Resolves once Chromium has seen one, or after 5 seconds.
_SEEN = """
type => Promise.race([
  new Promise(seen => new PerformanceObserver(() => seen()).observe({type, buffered: true})),
  new Promise(late => setTimeout(late, 5000)),
])
"""
_NAMES = {"start", "consent", "started", "open", "returned", "linked", "devices-full"}


@pytest.fixture(scope="module")
def gallery(
    prepared_var_dir: Path,
    simulator_process: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gallery]:
    var_dir = tmp_path_factory.mktemp("still") / "var"
    shutil.copytree(prepared_var_dir, var_dir)
    app = servers.start_app(simulator=simulator_process, var_dir=var_dir, env=ENV)
    try:
        yield fill_gallery(app)
    finally:
        app.stop()


def test_the_pages_looked_at_are_in_the_gallery() -> None:
    assert {shown.name for shown in PAGES} >= _NAMES


@pytest.mark.parametrize("shown", [shown for shown in PAGES if shown.name in _NAMES], ids=str)
def test_page_stands_still_and_is_soon_there(
    shown: Shown, gallery: Gallery, page: Page, record_property: Any
) -> None:
    show(shown, gallery, page)
    page.reload(wait_until="networkidle")

    vitals = vitals_of(page)

    record_property("largest_paint_ms", vitals.largest_paint_ms)
    assert vitals.shift == 0
    assert 0 < vitals.largest_paint_ms <= GOOD_LCP_MS


def test_a_page_that_moves_is_noticed(gallery: Gallery, page: Page) -> None:
    gallery.opens(page, "/optimize/")
    # What moves before it is painted moves for nobody.
    page.evaluate(_SEEN, "paint")
    page.evaluate("document.querySelector('main').style.paddingTop = '300px'")
    page.evaluate(_SEEN, "layout-shift")

    assert vitals_of(page).shift > 0
