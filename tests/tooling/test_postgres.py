"""SQLite ignores row locks, so what relies on them is run again on a real PostgreSQL.

So is what asks the database in its own way. `make test-scaled` runs everything there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.servers import ROOT, RunningServer

SUITES = [
    "tests/admin",
    "tests/journeys/reconnecting/test_newcomers.py",
    "tests/models",
    "tests/races",
]


def test_everything_that_touches_rows_holds_on_postgresql(postgres_server: RunningServer) -> None:
    inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--quiet", *SUITES],
        cwd=ROOT,
        env=inherited | {"TEST_DATABASE": postgres_server.url},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    closing = done.stdout.strip().splitlines()[-1]
    assert re.fullmatch(r"\d+ passed in .*", closing)
