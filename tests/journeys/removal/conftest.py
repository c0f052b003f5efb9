"""A customer with one linked device, of whom Podero answers without delay or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import make_customer
from tests.journeys.customer import Customer
from tests.journeys.test_leaving import link_a_device
from tests.simulator.launch import RunningSimulator


@pytest.fixture
def customer(podero_settings: Any, simulator: RunningSimulator) -> Customer:
    podero_settings.PODERO_TIMEOUT_SECONDS = 1
    customer = Customer(make_customer())
    link_a_device(customer, simulator)
    return customer
