"""Every page in every state: no finding of axe at all, and nothing lost on a narrow screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, Page

from tests import servers
from tests.browser.gallery import ENV, PAGES, Gallery, Shown, fill_gallery, show
from tests.simulator.launch import RunningSimulator

# No colour depends on the width, and no width on the colours.
LOOKS = ((360, "dark"), (1280, "light"))

_AXE = """
async () => {
  const results = await axe.run({resultTypes: ["violations"]});
  return results.violations.flatMap(finding => finding.nodes.map(
    node => `${finding.id} (${finding.impact}): ${node.target.join(" ")}: ${node.failureSummary}`
  ));
}
"""

# Things to press that are cut off, or that something else covers when they are scrolled to.
_OUT_OF_REACH = """
() => {
  const problems = [];
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) problems.push(`the page is ${page.scrollWidth} px wide`);
  for (const thing of document.querySelectorAll("main a, main button, main input, main summary")) {
    if (thing.type === "hidden" || !thing.checkVisibility()) continue;
    thing.scrollIntoView({block: "center", behavior: "instant"});
    const [box] = thing.getClientRects();
    const x = box.left + box.width / 2, y = box.top + Math.min(box.height / 2, 20);
    const hit = document.elementFromPoint(x, y);
    if (!hit || !(thing.contains(hit) || hit.contains(thing)) || hit === document.body) {
      problems.push(`out of reach: ${thing.outerHTML.slice(0, 100)}`);
    }
  }
  return problems;
}
"""


@pytest.fixture(scope="module")
def gallery(
    prepared_var_dir: Path,
    simulator_process: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gallery]:
    """An app of its own: its rows were never at Podero, and it is broken for a moment."""
    var_dir = tmp_path_factory.mktemp("gallery") / "var"
    shutil.copytree(prepared_var_dir, var_dir)
    app = servers.start_app(simulator=simulator_process, var_dir=var_dir, env=ENV)
    try:
        yield fill_gallery(app)
    finally:
        app.stop()


@pytest.fixture(scope="module")
def shared_context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en-GB", viewport={"width": 360, "height": 740})
    yield context
    context.close()


@pytest.fixture
def page(shared_context: BrowserContext) -> Iterator[Page]:
    """A page of a browser that remembers nobody."""
    shared_context.clear_cookies()
    page = shared_context.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("shown", PAGES, ids=str)
def test_page_is_accessible(shown: Shown, gallery: Gallery, page: Page) -> None:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    show(shown, gallery, page)

    findings = _findings_of_axe(page) + _reflow(page)

    assert findings == []
    assert [text for text in errors if "Failed to load resource" not in text] == []


def _findings_of_axe(page: Page) -> list[str]:
    page.evaluate(AXE_SCRIPT)
    findings: list[str] = []
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 740})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            findings.append(f"{width} px: the page is wider than the window")
        _prefer(page, scheme)
        findings += [f"{width} px, {scheme}: {found}" for found in page.evaluate(_AXE)]
    return findings


def _prefer(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)


def _reflow(page: Page) -> list[str]:
    """At 320 px, and as at 1280 x 1024 with everything four times as large."""
    problems: list[str] = []
    for height in (740, 256):
        page.set_viewport_size({"width": 320, "height": height})
        problems += [f"320 x {height}: {problem}" for problem in page.evaluate(_OUT_OF_REACH)]
    return problems
