"""A device whose login at the manufacturer has lapsed."""

from __future__ import annotations

import pytest

from onboarding.models import Device
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import lapse
from tests.journeys.test_proof_of_return import (
    path_of,
    stranger,
    worker_hears_of,
)
from tests.simulator.launch import RunningSimulator


@pytest.fixture
def device(customer: Customer, simulator: RunningSimulator) -> Device:
    """A working car whose login at the manufacturer has lapsed."""
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    customer.go(str(completed.redirect_url))
    device = Device.objects.get()
    lapse(simulator, device)
    return device


@pytest.fixture
def doubtful(customer: Customer, simulator: RunningSimulator) -> Device:
    """A device with which somebody came back in a browser where the customer was not signed in."""
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    stranger().get(path_of(completed.redirect_url))
    worker_hears_of(customer.attempt)
    return Device.objects.get()
