"""What the drill's people remember, by which the audit judges the app."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from drill.browser import Page
from drill.clock import Clock
from drill.customers import Customer, World
from drill.memory import NEVER
from simulator.hosted.linking import with_device_id

WAY = "http://app.example/optimize/return/a-key/success/"


@pytest.fixture
def customer(tmp_path: Path) -> Customer:
    world = World(
        base_url="http://app.example",
        podero_url="http://podero.example",
        handoff_secret="",
        handoff_issuer="",
        clock=Clock(tmp_path / "clock"),
        seed=1,
    )
    return Customer(world, world.new_person("straight"), random.Random(0))


@pytest.mark.parametrize(
    ("location", "is_taken_up"),
    [("/optimize/attempts/some/", True), ("/sign-in/", False), ("", False)],
)
def test_return_is_remembered_with_the_device_that_it_names(
    customer: Customer, monkeypatch: pytest.MonkeyPatch, location: str, is_taken_up: bool
) -> None:
    def ask(_method: str, address: str, *_rest: Any, **_named: Any) -> Page:
        return Page(address, 302, "", location)

    monkeypatch.setattr(customer, "ask", ask)
    monkeypatch.setattr(customer, "follow", lambda page, **_named: page)

    customer.come_back(with_device_id(WAY, "some-device"), "some-session")

    [back] = customer.person.returns
    assert (back.session, back.device, back.is_success) == ("some-session", "some-device", True)
    assert (back.answered_at < NEVER) == is_taken_up
