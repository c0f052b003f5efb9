"""All figures, in the order in which they are measured."""

from __future__ import annotations

from scripts.bench import opting_in, pages, upkeep
from scripts.bench.figures import Figure

FIGURES = (
    Figure(
        name="one",
        what="POST to 302, one customer at a time",
        yardstick="a bare script making the same two API calls on a warm connection",
        reach=1.05,
        is_more_better=False,
        measure=opting_in.one_at_a_time,
        bound="",
    ),
    Figure(
        name="fifty",
        what="POST to 302, 50 customers at once, p95",
        yardstick="the same two bare calls",
        reach=1.3,
        is_more_better=False,
        measure=opting_in.fifty_at_once,
        bound="",
    ),
    Figure(
        name="rate",
        what="opt-ins per second",
        yardstick="a plain Django view with two `requests.post`, gunicorn's default workers",
        reach=10,
        is_more_better=True,
        measure=opting_in.per_second,
        bound="",
    ),
    Figure(
        name="slow",
        what="start and devices page p95 while Podero takes 10 s per call and 100 opt in",
        yardstick="the same pages at rest",
        reach=1.3,
        is_more_better=False,
        measure=pages.while_podero_is_slow,
        bound="",
    ),
    Figure(
        name="start",
        what="start page, requests per second per core",
        yardstick="an empty Django view in the same server",
        reach=0.7,
        is_more_better=True,
        measure=pages.start_page_per_core,
        bound="",
    ),
    Figure(
        name="expire",
        what="expire 100,000 due attempts among 1,000,000, with timeline events",
        yardstick="the two bare SQL statements",
        reach=2,
        is_more_better=False,
        measure=upkeep.expire_many,
        bound="",
    ),
    Figure(
        name="growth",
        what="return page and sweep of 100 due attempts among 1,000,000",
        yardstick="the same among 10,000",
        reach=1.2,
        is_more_better=False,
        measure=upkeep.growth,
        bound="",
    ),
)
