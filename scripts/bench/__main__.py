"""Measure each figure against its yardstick: `make bench`, or `make bench ARGS="--only NAME"`.

    --only NAME   this figure alone; may be given several times
    --small       fewer rounds and rows, to see that it works
    --write       keep the table in docs/benchmarks.md

Starts PostgreSQL, Redis, a simulator of Podero and the app, all of its own. A figure is a ratio
within one run, since a machine has its moods; the table shows its median and its spread.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from scripts.bench import report  # noqa: E402
from scripts.bench.catalogue import FIGURES  # noqa: E402
from scripts.bench.world import World  # noqa: E402
from tests.servers import NotInstalled  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=[figure.name for figure in FIGURES])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    figures = [figure for figure in FIGURES if not options.only or figure.name in options.only]
    # What the flows of this process tell would bury the table.
    logging.disable(logging.INFO)
    try:
        world = World()
    except NotInstalled as reason:
        sys.exit(str(reason))
    results = {}
    try:
        for figure in figures:
            print(f"{figure.name}: {figure.what} ...", flush=True)
            results[figure] = figure.measure(world, options.small)
            print(report.line(figure, results[figure]), flush=True)
            print(*(f"  {remark}" for remark in results[figure].remarks), sep="\n", flush=True)
    finally:
        world.close()
    text = report.table(results)
    print(text)
    if options.write:
        report.write(text, is_small=options.small)
    return 0


if __name__ == "__main__":
    sys.exit(main())
