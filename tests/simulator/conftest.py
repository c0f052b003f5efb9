"""One simulator process per test run, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulator.launch import RunningSimulator, SimulatorControl, start_simulator
from tests.simulator.partner import Partner


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[RunningSimulator]:
    running = start_simulator()
    yield running
    running.stop()


@pytest.fixture
def simulator(simulator_process: RunningSimulator) -> RunningSimulator:
    simulator_process.control.reset()
    return simulator_process


@pytest.fixture
def control(simulator: RunningSimulator) -> SimulatorControl:
    return simulator.control


@pytest.fixture
def partner(simulator: RunningSimulator) -> Partner:
    return Partner(simulator.base_url)
