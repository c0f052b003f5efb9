"""docs/cases.md and docs/guards.md tell of the cases, guards and tests that there are."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from scripts.environment import ROOT
from scripts.guards.catalogue import GUARDS
from tests.cases import table
from tests.cases.catalogue import CASES, Case
from tests.hostile.test_guards import names_in


def test_table_is_that_of_the_catalogue() -> None:
    assert table.FILE.read_text() == table.written(table.rows()), "make cases"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.section}: {case.name}")
def test_case_has_a_test_and_a_guard(case: Case) -> None:
    file, _colons, name = case.test.partition("::")

    assert name.partition("[")[0] in names_in(file)
    assert case.guards
    assert set(case.guards) <= {guard.name for guard in GUARDS}


def test_each_test_plays_one_case() -> None:
    assert [test for test, n in Counter(case.test for case in CASES).items() if n > 1] == []


def test_every_guard_was_seen_to_be_noticed() -> None:
    text = (ROOT / "docs" / "guards.md").read_text()
    rows = dict(re.findall(r"^\| (.+?) \| (`tests/.+) \|$", text, flags=re.MULTILINE))

    assert list(rows) == [guard.name for guard in GUARDS], "make guards"
    for guard in GUARDS:
        for test in guard.case_tests:
            assert f"`{test}`" in rows[guard.name], "make guards"
