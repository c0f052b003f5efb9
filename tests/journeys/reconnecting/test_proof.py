"""Renewing a login proves nothing about whose device it is: any account leads back."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.urls import reverse

from onboarding import tasks
from onboarding.models import Device
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import (
    break_off,
    finish,
    lapse,
    newest,
    page_of,
    press_reconnect,
)
from tests.journeys.test_proof_of_return import (
    ELSEWHERE,
    confirm_by_hand,
    path_of,
    stranger,
)
from tests.simulator.launch import RunningSimulator
from tests.simulator.test_reconnecting import OTHER

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("is_lapsed", [True, False])
def test_signing_in_does_not_show_whose_device_it_is(
    customer: Customer, doubtful: Device, simulator: RunningSimulator, is_lapsed: bool
) -> None:
    if is_lapsed:
        lapse(simulator, doubtful)
    page = customer.browser.get(reverse("devices")).content.decode()
    assert ELSEWHERE in page
    assert reverse("reconnect_device", args=[doubtful.reference]) not in page
    assert reverse("remove_device", args=[doubtful.reference]) in page

    customer.go(finish(press_reconnect(customer).headers["Location"]))
    confirm_by_hand(customer)

    assert newest(customer).state == "renewed"
    assert "We cannot tell yet whose device it is" in page_of(customer).content.decode()
    assert not Device.objects.get().is_holder_proven
    assert not Device.objects.get().is_confirmed


def test_login_renewed_in_a_foreign_browser_proves_nothing(
    customer: Customer, doubtful: Device, simulator: RunningSimulator
) -> None:
    """The second trick of who tricked somebody into linking: have them sign in again, too."""
    way_back = finish(press_reconnect(customer).headers["Location"])

    stranger().get(path_of(way_back))
    tasks.take_up_reconnection(reconnection_id=newest(customer).pk)
    confirm_by_hand(customer)

    assert not Device.objects.get().is_confirmed


def test_login_renewed_on_another_phone_proves_nothing_for_this_browser(
    customer: Customer, doubtful: Device
) -> None:
    phone = Customer(customer.podero_user)

    phone.go(finish(press_reconnect(customer).headers["Location"]))
    confirm_by_hand(customer)

    assert (newest(customer).state, newest(customer).is_return_matched) == ("renewed", False)
    assert not Device.objects.get().is_holder_proven
    assert not Device.objects.get().is_confirmed


def test_login_renewed_with_another_account_is_no_proof_for_the_device_that_was_there(
    customer: Customer, doubtful: Device, simulator: RunningSimulator
) -> None:
    simulator.control.settings(reconnect_other_account="new_device")

    customer.go(finish(press_reconnect(customer).headers["Location"], OTHER))
    customer.browser.post(reverse("confirm_device", args=[doubtful.reference]))

    assert newest(customer).state == "other_device"
    doubtful.refresh_from_db()
    assert not doubtful.is_confirmed


def test_key_to_break_off_is_no_key_to_the_proof(
    customer: Customer, doubtful: Device, simulator: RunningSimulator
) -> None:
    way_back = break_off(press_reconnect(customer).headers["Location"])
    seen = urlsplit(way_back).path.split("/")[-3]

    response = customer.go(reverse("reconnect_success", args=[seen]))

    assert response.headers["Location"] == reverse("return_unknown")
    assert not Device.objects.get().is_holder_proven
