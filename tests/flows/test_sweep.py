"""All that is due, in one go."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone

from onboarding import tasks
from onboarding.clients import podero_client
from onboarding.flows import confirming, expiry, passes, proof, retention
from onboarding.flows import sweep as sweep_flow
from onboarding.models import Device
from onboarding.states import State
from tests.factories import NOON, make_attempt, make_customer, make_device
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db


def test_step_that_fails_keeps_none_from_its_turn(
    podero_settings: Any,
    simulator: RunningSimulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(**_when: object) -> int:
        raise ValueError("nobody has thought of this")

    erased: list[object] = []

    def erase(**when: object) -> int:
        erased.append(when)
        return 0

    monkeypatch.setattr(expiry, "free_stuck_claims", fails)
    monkeypatch.setattr(retention, "erase_what_is_over", erase)

    with pytest.raises(ExceptionGroup) as failed:
        call_command("sweep")

    assert [type(each) for each in failed.value.exceptions] == [ValueError]
    assert len(erased) == 1
    told = capsys.readouterr().out
    assert "returns checked: 0\n" in told
    assert told.endswith("rows erased: 0\n")
    assert "claims freed" not in told


def test_device_that_cannot_be_recalled_keeps_no_other_and_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    devices = [make_device(confirmed_at=NOON) for _number in range(3)]
    for device in devices:
        device.attempt.note_elsewhere(at=NOON)
    recalled: list[int] = []

    def recall(device: Device, **_when: object) -> bool:
        if device.pk == devices[0].pk:
            raise ValueError(device.pk)
        recalled.append(device.pk)
        return True

    monkeypatch.setattr(proof, "recall", recall)

    with pytest.raises(ExceptionGroup):
        confirming.recall_doubtful_confirmations(now=NOON)

    assert recalled == [device.pk for device in devices[1:]]


def test_recall_that_fails_keeps_no_device_from_being_switched(
    podero_settings: Any, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**_when: object) -> int:
        raise ValueError("nobody has thought of this")

    switched: list[object] = []

    def switch(**when: object) -> int:
        switched.append(when)
        return 0

    monkeypatch.setattr(confirming, "recall_doubtful_confirmations", fails)
    monkeypatch.setattr(sweep_flow, "switch_due_devices", switch)

    with pytest.raises(ExceptionGroup):
        tasks.switch_due_devices()

    assert len(switched) == 1


def test_sweep_ends_at_once_when_the_database_is_away(
    podero_settings: Any, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_away(**_when: object) -> int:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(expiry, "free_stuck_claims", is_away)
    monkeypatch.setattr(connection, "is_usable", lambda: False)

    with pytest.raises(OperationalError):
        sweep_flow.sweep(client=podero_client(), now=timezone.now())


@pytest.mark.django_db(transaction=True)
def test_refused_credentials_end_each_pass_as_an_outage_does(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    now = timezone.now()
    for _row in range(passes.UNANSWERED_LIMIT + 2):
        customer = make_customer(podero_id=uuid.uuid4(), devices_asked_at=None)
        attempt = make_attempt(customer=customer, state=State.LINKED)
        make_device(
            attempt=attempt,
            is_optimization_active=True,
            is_optimization_wanted=False,
            next_try_at=NOON,
            asked_about_at=NOON,
            checked_at=NOON,
        )
        make_attempt(customer=customer, state=State.RETURNED, returned_at=NOON, next_try_at=NOON)
    simulator.control.arm("*", "http_401", count=-1)
    client = podero_client()

    assert sweep_flow.switch_due_devices(client=client, now=now) == passes.UNANSWERED_LIMIT
    assert sweep_flow.verify_due_returns(client=client, now=now) == passes.UNANSWERED_LIMIT
