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
        bound=(
            "Podero's own 600 ms. The app adds the work of one press: about 15 ms of Python and 3 ms of "
            "PostgreSQL, for two calls and 13 statements, three transactions among them. 1.05 × leaves 30 ms."
        ),
    ),
    Figure(
        name="fifty",
        what="POST to 302, 50 customers at once, p95",
        yardstick="the same two bare calls",
        reach=1.3,
        is_more_better=False,
        measure=opting_in.fifty_at_once,
        bound=(
            "The processor. A press costs about 20 ms of it: 15 in the web process (a third for Django's "
            "ORM, a tenth each for psycopg and for the two calls through `requests`), 3 in PostgreSQL, 2 in "
            "the simulator and the customer. Fifty in the same instant are 1 s of work for 2 cores. They take "
            "turns, two in a process, so that the first are at Podero while the last wait. The last still waits for what comes before everybody's first call, "
            "10 ms each or a quarter of a second on 2 cores, and 1.3 × leaves 0.18 s. Of two processes with 20 "
            "places toward Podero each, about 40 of the 50 go straight to the form; the others get their "
            "status page at once, which goes on by itself."
        ),
    ),
    Figure(
        name="rate",
        what="opt-ins per second",
        yardstick="a plain Django view with two `requests.post`, gunicorn's default workers",
        reach=10,
        is_more_better=True,
        measure=opting_in.per_second,
        bound=(
            "The processor, at about 20 ms a press: 100 per second on 2 cores at most, and the places toward "
            "Podero: 40 customers for 0.6 s each are 66 per second. Who finds all places of a process taken "
            "is not counted."
        ),
    ),
    Figure(
        name="slow",
        what="start and devices page p95 while Podero takes 10 s per call and 100 opt in",
        yardstick="the same pages at rest",
        reach=1.3,
        is_more_better=False,
        measure=pages.while_podero_is_slow,
        bound=(
            "Sharing the cores and Python's lock with the presses; the worse of the two pages counts, and how much of a core the "
            "web processes took stands below. No page "
            "waits for Podero, since half of the threads never do. The hundred come evenly over the 20 s of a round, which "
            "begins with a Podero that answers. Each call is given up after 6 s; then the breaker "
            "opens, and who presses is told so at once. The medians move less: the 95th percentile of a page of a few "
            "milliseconds is mostly a page that came while a press was being worked on, and then its own work "
            "takes as long as ever, as the profile shows. Having Python's threads change places after 1 or 0.2 ms "
            "instead of 5 was tried, and was no better."
        ),
    ),
    Figure(
        name="start",
        what="start page, requests per second per core",
        yardstick="an empty Django view in the same server",
        reach=0.7,
        is_more_better=True,
        measure=pages.start_page_per_core,
        bound=(
            "Django's request cycle and the middleware, the same for both. Beside them the page costs the "
            "look-up of session and user, which makes no query, and one look into the pages that are drawn "
            "and compressed already."
        ),
    ),
    Figure(
        name="expire",
        what="expire 100,000 due attempts among 1,000,000, with timeline events",
        yardstick="the two bare SQL statements",
        reach=2,
        is_more_better=False,
        measure=upkeep.expire_many,
        bound=(
            "PostgreSQL writing: both sides change each row once in twelve indexes and add one line in three. "
            "Batches of 1,000 add the reading of their keys and a commit each."
        ),
    ),
    Figure(
        name="growth",
        what="return page and sweep of 100 due attempts among 1,000,000",
        yardstick="the same among 10,000",
        reach=1.2,
        is_more_better=False,
        measure=upkeep.growth,
        bound=(
            "Calls to the simulator and the work per row, which are the same: every statement finds its rows by an index. "
            "In the sweep is the hourly erasure, for which nothing is old enough here. Where the rows of most customers are "
            "older than they are kept for, but held up by a device that is still optimized, three of its statements go through "
            "all of these: 1.2 s an hour of 600,000 such customers, once, on this machine. Measured without latency at "
            "Podero, so that nothing hides it; the worse of the two counts."
        ),
    ),
)
