"""Run the tests of all cases and write down what happens in them, as docs/cases.md: `make cases`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.environment import ROOT
from tests.cases import table
from tests.cases.catalogue import CASES


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="cases-") as folder:
        seen = Path(folder) / "seen.json"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
             f"--write-cases={seen}", *(case.test for case in CASES)],
            cwd=ROOT, check=False,
        )  # fmt: skip
        if done.returncode:
            return done.returncode
        rows = {test: table.Row(**row) for test, row in json.loads(seen.read_text()).items()}
    missing = [case.test for case in CASES if case.test not in rows]
    if missing:
        print("skipped, so nothing is written:", *missing, sep="\n  ")
        return 1
    table.FILE.write_text(table.written(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
