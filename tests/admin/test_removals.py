"""Staff see what is to be removed and what could not be, and can have it tried again."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from onboarding.models import Device, LeavingReason, PoderoUser
from tests.factories import NOON, make_customer, make_device
from tests.journeys.customer import Customer
from tests.journeys.test_leaving import leave, link_a_device
from tests.simulator.launch import RunningSimulator

LISTS = ("device", "poderouser")
STATES: dict[str, dict[str, Any]] = {
    "wanted": {"removal_wanted_at": NOON, "removal_due_at": NOON},
    "refused": {
        "removal_wanted_at": NOON,
        "removal_refusals": 5,
        "removal_refused_status": 405,
        "removal_failure_code": "podero_refused",
    },
    "removed": {"removal_wanted_at": NOON, "removed_at": NOON},
    "": {},
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", LISTS)
def test_list_tells_and_filters(admin_client: Client, name: str) -> None:
    for fields in STATES.values():
        device = make_device()
        Device.objects.filter(pk=device.pk).update(**fields)
        PoderoUser.objects.filter(pk=device.podero_user_id).update(**fields)
    address = reverse(f"admin:onboarding_{name}_changelist")

    everything = admin_client.get(address).content.decode()
    counts = {
        state: admin_client.get(address, {"removal": state}).context["cl"].result_count
        for state in ("wanted", "refused", "removed")
    }

    assert "could not be removed (405)" in everything
    assert counts == {"wanted": 2, "refused": 1, "removed": 1}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", LISTS)
def test_staff_have_podero_asked_again(
    admin_client: Client,
    podero_settings: Any,
    simulator: RunningSimulator,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    customer = Customer(make_customer())
    link_a_device(customer, simulator)
    simulator.control.settings(device_delete_status=405)
    leave(customer)
    Device.objects.update(removal_due_at=None, removal_refusals=5)
    simulator.control.settings(device_delete_status=204)
    row = Device.objects.get().pk if name == "device" else customer.podero_user.pk
    nudged: list[int] = []

    def do_at_once(task: Any, *, customer_id: int) -> None:
        nudged.append(customer_id)
        task(customer_id=customer_id)

    monkeypatch.setattr(
        "onboarding.admin.removals.nudge",
        do_at_once,
    )

    answer = admin_client.post(
        reverse(f"admin:onboarding_{name}_changelist"),
        {"action": "try_to_remove_again", "_selected_action": [row]},
        follow=True,
    )

    assert "is being removed" in answer.content.decode()
    assert nudged == [customer.podero_user.pk]
    assert Device.objects.get().is_removed
    assert PoderoUser.objects.get(pk=customer.podero_user.pk).is_removed
    assert LogEntry.objects.get().object_id == str(row)


@pytest.mark.django_db
@pytest.mark.parametrize("name", LISTS)
def test_looking_does_not_suffice_to_have_podero_asked_again(client: Client, name: str) -> None:
    device = make_device()
    Device.objects.update(**STATES["refused"])
    PoderoUser.objects.update(**STATES["refused"])
    staff = User.objects.create_user("looks", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename=f"view_{name}"))
    client.force_login(staff)
    address = reverse(f"admin:onboarding_{name}_changelist")
    row = device.pk if name == "device" else device.podero_user_id

    client.post(address, {"action": "try_to_remove_again", "_selected_action": [row]})

    assert "try_to_remove_again" not in client.get(address).content.decode()
    assert not Device.objects.exclude(removal_due_at=None).exists()
    assert not PoderoUser.objects.exclude(removal_due_at=None).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("name", LISTS)
def test_nothing_is_removed_that_nobody_wanted_removed(admin_client: Client, name: str) -> None:
    device = make_device()
    row = device.pk if name == "device" else device.podero_user_id

    admin_client.post(
        reverse(f"admin:onboarding_{name}_changelist"),
        {"action": "try_to_remove_again", "_selected_action": [row]},
    )

    device.refresh_from_db()
    assert not device.is_removal_wanted
    assert not PoderoUser.objects.get().is_removal_wanted
    assert LogEntry.objects.count() == 0


@pytest.mark.django_db
def test_reasons_for_leaving_are_shown_as_numbers(admin_client: Client) -> None:
    LeavingReason.add(LeavingReason.Reason.TRUST, day=NOON.date())

    text = admin_client.get(reverse("admin:onboarding_leavingreason_changelist")).content.decode()

    assert "Rather not have devices controlled" in text
