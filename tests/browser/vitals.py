"""What Chromium itself measured of a page: how far it moved, and when its main part was there."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

# What happened before the observer was there is told to its callback, not to `takeRecords`.
_READ = """
() => new Promise(resolve => {
  const seen = {"layout-shift": 0, "largest-contentful-paint": 0};
  const observer = type => new PerformanceObserver(list => {
    for (const entry of list.getEntries()) {
      if (type === "layout-shift") seen[type] += entry.value;
      else seen[type] = Math.max(seen[type], entry.startTime);
    }
  }).observe({type, buffered: true});
  Object.keys(seen).forEach(observer);
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => resolve(
    [seen["layout-shift"], seen["largest-contentful-paint"]]
  ), 50)));
})
"""


@dataclass(frozen=True)
class Vitals:
    """https://web.dev/articles/cls and https://web.dev/articles/lcp"""

    shift: float
    largest_paint_ms: float


def vitals_of(page: Page) -> Vitals:
    shift, largest_paint_ms = page.evaluate(_READ)
    return Vitals(float(shift), float(largest_paint_ms))
