"""Fixtures for tests that talk to the simulator in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from onboarding import clients
from onboarding.models import Breaker
from tests.factories import make_customer
from tests.journeys.customer import Customer
from tests.simulator.launch import Completed, RunningSimulator


def let_the_breaker_rest() -> None:
    """As if the time had passed for which Podero is left alone; the clock of the gate is real."""
    Breaker.objects.update(open_until=timezone.now())
    clients.podero_gate().forget()


@pytest.fixture
def podero_settings(simulator: RunningSimulator, settings: Any) -> Iterator[Any]:
    """Settings that lead to the simulator; the client is built anew from them."""
    settings.PODERO_BASE_URL = simulator.base_url
    settings.PODERO_CONNECT_HOSTS = frozenset({simulator.host})
    clients.podero_client.cache_clear()
    clients.podero_gate.cache_clear()
    cache.clear()
    yield settings
    clients.podero_gate.cache_clear()
    clients.podero_client.cache_clear()


@pytest.fixture
def customer(podero_settings: Any) -> Customer:
    """A customer of whom Podero has not heard yet, signed in in one browser."""
    return Customer(make_customer())


@pytest.fixture
def completed(customer: Customer, simulator: RunningSimulator) -> Completed:
    """A device has been linked through the customer's form; nobody has come back yet."""
    customer.opt_in()
    return simulator.control.complete(str(customer.attempt.podero_id))


@pytest.fixture
def keys_of(simulator: RunningSimulator, settings: Any) -> Callable[[Customer], list[str]]:
    """Everything that must never be written down about a customer's attempts."""

    def collect(customer: Customer) -> list[str]:
        state = simulator.control.state()
        keys = [settings.PODERO_CLIENT_SECRET, customer.podero_user.email]
        for session in state["sessions"]:
            keys += [session["id"], session["success_url"].split("/")[-3]]
            keys += [session["cancel_url"].split("/")[-3]]
        return keys

    return collect
