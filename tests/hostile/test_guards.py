"""The list of guards and the threat model name what there is."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import Any

import pytest

from onboarding.clients import podero_client
from onboarding.flows import keeping, linking
from onboarding.flows.discovery import Finding
from onboarding.models import Device
from onboarding.podero import Device as Found
from onboarding.podero import DeviceType
from onboarding.states import State
from scripts.environment import ROOT
from scripts.guards.catalogue import GUARDS, Guard
from tests.factories import NOON, make_attempt, make_customer, make_device
from tests.simulator.launch import RunningSimulator


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_guard_can_be_taken_away_and_its_tests_exist(guard: Guard) -> None:
    for edit in guard.edits:
        assert (ROOT / edit.file).read_text().count(edit.old) == 1, edit
    assert guard.tests
    for test in guard.own_tests:
        file, _colons, name = test.partition("::")
        assert not name or name in names_in(file), test
        assert names_in(file), test


def test_names_of_guards_differ() -> None:
    names = [guard.name for guard in GUARDS]

    assert len(names) == len(set(names))


def test_threat_model_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text()

    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)

    assert len(named) > 40
    for file, name in named:
        assert (ROOT / file).is_file(), file
        assert not name or name in names_in(file), (file, name)


def test_threat_model_has_a_test_in_every_row() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]

    for row in rows:
        threat, _guard, held_by = [cell.strip() for cell in row.strip("|").split("|")]
        assert threat == "Threat" or "`tests/" in held_by or held_by.startswith("Open:"), row


# --- Guards that had no test of their own ------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_return_token_is_kept_as_a_hash_only(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    attempt = make_attempt(customer=make_customer())

    linking.open_hosted_form(client=podero_client(), attempt=attempt, now=NOON)

    (session,) = simulator.control.state()["sessions"]
    token = session["success_url"].split("/")[-3]
    attempt.refresh_from_db()
    assert len(token) >= 43
    assert attempt.return_token_hash != token
    assert len(str(attempt.return_token_hash)) == 64
    assert token not in str(attempt.__dict__)


@pytest.mark.django_db
def test_device_on_record_for_another_customer_is_not_taken_over() -> None:
    device = make_device()
    attempt = make_attempt(state=State.RETURNED)
    found = Found(
        id=device.podero_id,
        device_type=DeviceType.EV,
        manufacturer="Tesla",
        model="Model 3",
    )

    with pytest.raises(keeping.DeviceOfAnother):
        keeping.link_devices(
            attempt=attempt,
            findings=[Finding(device=found, is_named=True)],
            now=NOON,
        )

    assert Device.objects.get().podero_user == device.podero_user
