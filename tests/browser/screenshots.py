"""Pictures of every page in every state: `python -m tests.browser.screenshots DIR`.

At 360 and 1280 px, light and dark, whole pages, named `<page>-<width>-<scheme>.png`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import django
from playwright.sync_api import Browser, sync_playwright

from tests import servers
from tests.browser.gallery import ENV, PAGES, Gallery, Shown, fill_gallery, show
from tests.simulator.launch import start_simulator

WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")


def take(folder: Path, pages: Sequence[Shown] = PAGES) -> None:
    """Save the pictures. Starts a simulator, an app and a browser, and ends them."""
    folder.mkdir(parents=True, exist_ok=True)
    simulator = start_simulator()
    try:
        app = servers.start_app(simulator=simulator, env=ENV)
        try:
            _photograph(fill_gallery(app), folder, pages)
        finally:
            app.stop()
    finally:
        simulator.stop()


def _photograph(gallery: Gallery, folder: Path, pages: Sequence[Shown]) -> None:
    from tests.conftest import BROWSER_ARGUMENTS  # noqa: PLC0415  (needs Django to be set up)

    program = servers.find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(BROWSER_ARGUMENTS))
        for shown in pages:
            for width in WIDTHS:
                for scheme in SCHEMES:
                    file = folder / f"{shown.name}-{width}-{scheme}.png"
                    _take_one(browser, gallery, shown, file, width=width, scheme=scheme)
            print(shown.name, flush=True)  # noqa: T201
        browser.close()


def _take_one(
    browser: Browser, gallery: Gallery, shown: Shown, file: Path, *, width: int, scheme: Any
) -> None:
    context = browser.new_context(
        locale="en-GB",
        viewport={"width": width, "height": 740 if width < 1000 else 800},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    page = context.new_page()
    show(shown, gallery, page)
    page.screenshot(path=file, full_page=True)
    context.close()


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    take(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
