"""What was told of a device is forgotten when it is to go, whether Podero lets go of it or not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from onboarding import tasks
from onboarding.flows import reconnecting
from onboarding.models import Device, PoderoUser, Reconnection
from tests.journeys.cards import pause
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import finish, press_reconnect
from tests.journeys.removal.steps import answer_deletion, remove, sweep_at
from tests.journeys.test_leaving import is_steered, leave
from tests.races.test_races import Between
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)

COLLECTIONS = 4
LEAVING = pytest.mark.parametrize("is_leaving", [False, True])


@LEAVING
def test_what_was_told_of_a_device_is_forgotten_although_podero_keeps_it(
    customer: Customer, simulator: RunningSimulator, is_leaving: bool
) -> None:
    sweep_at(timezone.now() + timedelta(minutes=20))
    device = Device.objects.get()
    assert device.report
    assert device.external_device_id
    assert device.savings
    answer_deletion(simulator, "device", 403)

    if is_leaving:
        leave(customer)
    else:
        remove(customer)
    for hours in (1, 3, 30, 60, 120, 240):
        sweep_at(timezone.now() + timedelta(hours=hours))
    Device.objects.update(checked_at=timezone.now() - timedelta(hours=1))
    PoderoUser.objects.update(devices_asked_at=None)
    tasks.refresh_devices(customer_id=customer.podero_user.pk)
    read_before = len(simulator.control.requests_to("list_devices"))
    for minutes in (20, 40, 60):
        sweep_at(timezone.now() + timedelta(days=13, minutes=minutes))

    assert len(simulator.control.requests_to("list_devices")) == read_before + COLLECTIONS
    device.refresh_from_db()
    assert device.is_removal_given_up
    assert (device.report, device.savings, device.external_device_id) == ({}, {}, "")
    assert not is_steered(simulator, device)


@LEAVING
def test_renewal_that_comes_back_afterwards_writes_nothing(
    customer: Customer, simulator: RunningSimulator, is_leaving: bool
) -> None:
    device = Device.objects.get()
    simulator.control.set_device(str(device.podero_id), is_authenticated=False)
    way_back = finish(press_reconnect(customer).headers["Location"])
    simulator.control.arm("delete_device", "http_403", count=-1)
    if is_leaving:
        leave(customer)
    else:
        remove(customer)

    customer.go(way_back)
    sweep_at(timezone.now())

    device.refresh_from_db()
    assert (device.report, device.savings, device.external_device_id) == ({}, {}, "")


@LEAVING
def test_device_that_podero_keeps_and_steers_again_is_switched_off_again(
    customer: Customer, simulator: RunningSimulator, is_leaving: bool
) -> None:
    device = Device.objects.get()
    answer_deletion(simulator, "device", 403)
    if is_leaving:
        leave(customer)
    else:
        remove(customer)
    for hours in (0, 1, 3, 30, 60, 120, 240):
        sweep_at(timezone.now() + timedelta(hours=hours))
    device.refresh_from_db()
    assert device.is_removal_given_up
    simulator.control.set_device(str(device.podero_id), is_smart_optimization_active=True)

    for hours in (265, 266):
        sweep_at(timezone.now() + timedelta(hours=hours))

    assert not is_steered(simulator, device)


@pytest.mark.parametrize("is_paused", [False, True])
def test_renewal_that_removing_overtakes_writes_nothing(
    customer: Customer, simulator: RunningSimulator, is_paused: bool
) -> None:
    device = Device.objects.get()
    if is_paused:
        pause(customer, device)
    simulator.control.set_device(str(device.podero_id), is_authenticated=False)
    way_back = finish(press_reconnect(customer).headers["Location"])
    simulator.control.arm("get_device", "http_503", count=1)
    customer.go(way_back)
    simulator.control.arm("delete_device", "http_403", count=-1)
    client: Any = Between("list_devices", lambda: remove(customer))

    reconnecting.take_up(
        client=client, reconnection=Reconnection.objects.with_device().get(), now=timezone.now()
    )

    device.refresh_from_db()
    assert (device.is_removal_wanted, device.external_device_id) == (True, "")
