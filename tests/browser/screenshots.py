"""Pictures of every page in every state: `python -m tests.browser.screenshots DIR`.

At 360 and 1280 px, light and dark, whole pages, named `<page>-<width>-<scheme>.png`.

`python -m tests.browser.screenshots docs/journey.png` makes the picture of the README anew.
"""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import django
from playwright.sync_api import Browser, sync_playwright

from tests import servers
from tests.browser.gallery import ENV, PAGES, Gallery, Shown, fill_gallery, show
from tests.simulator.launch import start_simulator

WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")


JOURNEY = ("start", "consent", "linked")
_SHEET = """
<body style="margin: 0; padding: 20px; display: flex; gap: 20px; background: #d6d3d1">{}</body>
"""


def take_all(browser: Browser, gallery: Gallery, folder: Path) -> None:
    """Save each page in each state, as a whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for shown in PAGES:
        for width in WIDTHS:
            for scheme in SCHEMES:
                file = folder / f"{shown.name}-{width}-{scheme}.png"
                file.write_bytes(_picture_of(browser, gallery, shown, width, scheme, is_whole=True))
        print(shown.name, flush=True)  # noqa: T201


def take_journey(browser: Browser, gallery: Gallery, file: Path) -> None:
    """Save what a phone shows on the way, side by side."""
    pages = {shown.name: shown for shown in PAGES}
    pictures = [_picture_of(browser, gallery, pages[name], 360, "light") for name in JOURNEY]
    page = browser.new_page(viewport={"width": 20 + 380 * len(JOURNEY), "height": 780})
    page.set_content(_SHEET.format("".join(map(_image_of, pictures))))
    page.screenshot(path=file)
    page.close()


def _picture_of(
    browser: Browser,
    gallery: Gallery,
    shown: Shown,
    width: int,
    scheme: Any,
    *,
    is_whole: bool = False,
) -> bytes:
    context = browser.new_context(
        locale="en-GB",
        viewport={"width": width, "height": 740 if width < 1000 else 800},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    page = context.new_page()
    show(shown, gallery, page)
    picture = page.screenshot(full_page=is_whole)
    context.close()
    return picture


def _image_of(picture: bytes) -> str:
    return f'<img alt="" src="data:image/png;base64,{b64encode(picture).decode()}">'


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from tests.conftest import BROWSER_ARGUMENTS  # noqa: PLC0415  (needs Django to be set up)

    target = Path(sys.argv[1])
    simulator = start_simulator()
    try:
        app = servers.start_app(simulator=simulator, env=ENV)
        try:
            gallery = fill_gallery(app)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=servers.find_chromium(), args=list(BROWSER_ARGUMENTS)
                )
                take = take_journey if target.suffix == ".png" else take_all
                take(browser, gallery, target)
                browser.close()
        finally:
            app.stop()
    finally:
        simulator.stop()


if __name__ == "__main__":
    main()
