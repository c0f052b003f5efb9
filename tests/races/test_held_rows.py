"""Somebody holds a customer's row and has vanished: a press and a pass give up waiting, in time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows import sweep
from onboarding.models import Consent, Device, PoderoUser
from tests.factories import make_customer
from tests.journeys.cards import link
from tests.journeys.customer import Customer
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def held_by_another(customer: Customer) -> Iterator[None]:
    """Another connection holds the customer's row; this one waits for locks but shortly."""
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                PoderoUser.objects.hold(customer.podero_user.pk)
                is_held.set()
                may_end.wait(30)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(10)
    with connection.cursor() as cursor:
        is_postgres = connection.vendor == "postgresql"
        cursor.execute("SET lock_timeout = '200ms'" if is_postgres else "PRAGMA busy_timeout = 200")
    try:
        yield
    finally:
        may_end.set()
        holder.join()
        connection.close()


def test_press_that_waits_for_it_changes_nothing_and_can_be_made_again(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link(customer, simulator)
    customer.browser.raise_request_exception = False

    with held_by_another(customer):
        answer = customer.browser.post(reverse("leave"))

    assert answer.status_code == 500
    assert "something went wrong" in answer.content.decode()
    assert Consent.objects.get().withdrawn_at is None
    assert Device.objects.get().is_optimization_wanted

    customer.browser.post(reverse("leave"))

    assert Consent.objects.get().withdrawn_at is not None
    assert not Device.objects.get().is_optimization_wanted


def test_pass_goes_on_with_other_customers(customer: Customer, simulator: RunningSimulator) -> None:
    other = Customer(make_customer())
    for each in (customer, other):
        link(each, simulator)
    simulator.control.arm("*", "http_503", count=-1)
    for each in (customer, other):
        each.browser.post(reverse("leave"))
    simulator.control.clear_faults()
    now = timezone.now() + timedelta(hours=1)
    sweep.switch_due_devices(client=podero_client(), now=now)

    if connection.vendor == "postgresql":
        with held_by_another(customer):
            sweep.remove_due_devices(client=podero_client(), now=now)
        removed = Device.objects.filter(removed_at__isnull=False)
        assert [device.podero_user_id for device in removed] == [other.podero_user.pk]

    sweep.remove_due_devices(client=podero_client(), now=now + timedelta(minutes=5))

    assert Device.objects.filter(removed_at=None).count() == 0
