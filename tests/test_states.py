from __future__ import annotations

import pytest

from onboarding.states import AWAITING_DEVICE, FINAL, MOVES, UNFINISHED, State, sources_of

DESIGNED = {
    ("started", "open"),
    ("started", "failed"),
    ("started", "expired"),
    ("started", "cancelled"),
    ("open", "returned"),
    ("open", "linked"),
    ("open", "cancelled"),
    ("open", "expired"),
    ("returned", "linked"),
    ("returned", "failed"),
    ("cancelled", "returned"),
    ("cancelled", "linked"),
    ("expired", "returned"),
    ("expired", "linked"),
    ("failed", "returned"),
    ("failed", "linked"),
}


@pytest.mark.parametrize("source", State)
@pytest.mark.parametrize("target", State)
def test_only_designed_moves_are_allowed(source: State, target: State) -> None:
    is_allowed = source in sources_of(target)

    assert is_allowed == ((source.value, target.value) in DESIGNED)


def test_nothing_leaves_linked() -> None:
    assert MOVES[State.LINKED] == frozenset()


def test_every_state_is_either_unfinished_or_final() -> None:
    assert UNFINISHED | FINAL == set(State)
    assert not UNFINISHED & FINAL


def test_every_state_that_awaits_a_device_may_become_linked() -> None:
    assert AWAITING_DEVICE - {State.LINKED} <= sources_of(State.LINKED)
