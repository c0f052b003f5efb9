"""Somebody signs in with another account than the one the device came with."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import Device
from tests.journeys.cards import link, remove
from tests.journeys.customer import Customer, heading_of
from tests.journeys.reconnecting.steps import (
    OTHER_DEVICE,
    RENEWED,
    finish,
    newest,
    page_of,
    press_reconnect,
)
from tests.journeys.test_detours import is_steered, reads_anew
from tests.journeys.test_proof_of_return import confirm_by_hand
from tests.simulator.launch import RunningSimulator
from tests.simulator.test_reconnecting import OTHER

pytestmark = pytest.mark.django_db(transaction=True)


def test_account_of_somebody_else_is_noticed_on_the_same_device(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    customer.go(finish(press_reconnect(customer).headers["Location"], OTHER))

    assert heading_of(page_of(customer)) == OTHER_DEVICE
    device.refresh_from_db()
    assert (device.is_confirmed, device.is_optimization_wanted) == (False, False)
    (held,) = simulator.control.state()["devices"]
    assert held["fields"]["is_smart_optimization_active"] is False, "switched off at once"
    sweep(client=podero_client(), now=timezone.now())
    assert [cue["outcome"] for cue in simulator.control.state()["cues"]] == ["fail"]
    assert reverse("confirm_device", args=[device.reference]) in page_of(customer).content.decode()


def test_right_account_after_the_wrong_one_is_asked_about_and_works(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    customer.go(finish(press_reconnect(customer).headers["Location"], OTHER))

    customer.go(finish(press_reconnect(customer).headers["Location"]))

    assert heading_of(page_of(customer)) == RENEWED
    assert not Device.objects.get().is_confirmed
    confirm_by_hand(customer)
    sweep(client=podero_client(), now=timezone.now())
    assert Device.objects.get().is_optimization_active


@pytest.mark.parametrize("appends", [True, False])
def test_account_of_somebody_else_that_brings_a_device_of_its_own_is_noticed(
    customer: Customer, device: Device, simulator: RunningSimulator, appends: bool
) -> None:
    simulator.control.settings(
        reconnect_other_account="new_device", reconnect_appends_device_id=appends
    )

    customer.go(finish(press_reconnect(customer).headers["Location"], OTHER))

    assert heading_of(page_of(customer)) == OTHER_DEVICE
    newcomer = Device.objects.exclude(pk=device.pk).get()
    assert (newcomer.is_confirmed, newcomer.is_optimization_wanted) == (False, False)
    assert (
        reverse("confirm_device", args=[newcomer.reference]) in page_of(customer).content.decode()
    )
    device.refresh_from_db()
    assert device.is_confirmed


def test_way_back_that_names_another_of_my_devices_is_noticed(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    second = simulator.control.complete(str(customer.attempt.podero_id))
    customer.go(str(second.redirect_url))
    way_back = finish(press_reconnect(customer, device).headers["Location"]).split("?")[0]

    customer.go(f"{way_back}?deviceId={second.device_id}")

    assert newest(customer).state == "other_device"


@pytest.mark.parametrize("named", ["0b6e1c9a-5d0f-4f6e-9d3e-3a1b7c2d4e5f", "nonsense", ""])
def test_device_in_the_way_back_that_podero_does_not_know_is_only_a_hint(
    customer: Customer, device: Device, named: str
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"]).split("?")[0]

    customer.go(f"{way_back}?deviceId={named}")

    assert newest(customer).state == "renewed"


def test_device_that_is_linked_in_another_tab_meanwhile_is_not_taken_for_another_account(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    address = press_reconnect(customer, device).headers["Location"]
    wallbox = link(customer, simulator, "wb")

    customer.go(finish(address))
    sweep(client=podero_client(), now=timezone.now())

    assert heading_of(page_of(customer)) == RENEWED
    assert is_steered(simulator, wallbox.podero_id)
    assert [cue["outcome"] for cue in simulator.control.state()["cues"]] == ["success"]


@pytest.mark.parametrize("is_gone", [True, False])
def test_what_the_wrong_account_brought_and_was_removed_stays_removed(
    customer: Customer, device: Device, simulator: RunningSimulator, is_gone: bool
) -> None:
    """Also while Podero is being asked to remove it, or says that it has and lists it all the same."""
    simulator.control.settings(reconnect_other_account="new_device", device_delete_status=404)
    way_back = finish(press_reconnect(customer, device).headers["Location"], OTHER)
    link(customer, simulator, "wb")
    reads_anew(customer)
    newcomer = Device.objects.exclude(pk=device.pk).get(device_type="ev")
    if is_gone:
        remove(customer, newcomer)
    else:
        now = timezone.now()
        newcomer.want_removal(now=now)
        Device.objects.filter(pk=newcomer.pk).update(claimed_at=now)

    customer.go(way_back)

    newcomer.refresh_from_db()
    assert newcomer.is_removal_wanted
    assert newest(customer).claimed_at is None
    assert customer.page.status_code == 200
