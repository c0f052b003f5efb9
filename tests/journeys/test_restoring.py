"""Who agreed after the backup that was restored: nothing here tells of them, but Podero steers."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from onboarding.models import PoderoUser
from tests.journeys.customer import Customer
from tests.journeys.test_leaving import leave, link_a_device
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def number(customer: Customer, simulator: RunningSimulator) -> str:
    """Of a customer whose device is steered, and of whom the restored copy knows nothing."""
    customer.opt_in(device_type="ev")
    simulator.control.complete(str(customer.attempt.podero_id))
    link_a_device(customer, simulator)
    for each in simulator.control.state()["devices"]:
        simulator.control.set_device(each["id"], is_smart_optimization_active=True)
    number = customer.podero_user.external_user_id
    call_command("flush", interactive=False, verbosity=0)
    return number


def devices_of(simulator: RunningSimulator) -> list[tuple[bool, bool]]:
    """Whether each is steered, and whether it is there."""
    return [
        (
            bool(each["fields"]["is_smart_optimization_active"]),
            each["fields"].get("deleted_at") is None,
        )
        for each in simulator.control.state()["devices"]
    ]


def end(number: str, *more: str) -> None:
    call_command("end_at_podero", "--customer", number, *more)


def test_all_that_podero_has_of_them_is_ended(
    number: str, simulator: RunningSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (True, True) in devices_of(simulator)

    end(f" {number}\r")

    told = capsys.readouterr().out
    assert "switched off and removed: devices: 2\n" in told
    assert "the user stays: run this again in four days, with --user-too" in told
    assert not any(is_steered or is_there for is_steered, is_there in devices_of(simulator))

    end(number, "--user-too")

    assert "devices: 0\nthe user was removed\n" in capsys.readouterr().out
    assert PoderoUser.objects.count() == 0
    end(number)
    assert "no user with this number" in capsys.readouterr().out


def test_what_podero_will_not_remove_is_off_all_the_same_and_told(
    number: str, simulator: RunningSimulator
) -> None:
    simulator.control.arm("delete_device", "http_403", count=-1)

    with pytest.raises(CommandError, match="still on: 0, not removed: 2; the user was not removed"):
        end(number, "--user-too")

    assert not any(is_steered for is_steered, _is_there in devices_of(simulator))


@pytest.mark.parametrize("answer", ["http_403", "http_404", "http_409", "http_422", "http_503"])
def test_device_that_is_not_switched_off_keeps_no_other_but_the_user(
    number: str, simulator: RunningSimulator, answer: str
) -> None:
    simulator.control.arm("update_device", answer, count=1)
    simulator.control.arm("delete_device", "http_403", count=1)

    with pytest.raises(CommandError, match="still on: 1, not removed: 1; the user was not removed"):
        end(number, "--user-too")

    assert sorted(devices_of(simulator)) == [(False, False), (True, True)]
    end(number)
    assert not any(is_steered or is_there for is_steered, is_there in devices_of(simulator))


@pytest.mark.parametrize("answer", ["http_403", "http_404", "http_422", "http_503"])
def test_collection_that_is_refused_once_is_not_taken_for_empty(
    number: str, simulator: RunningSimulator, answer: str
) -> None:
    simulator.control.arm("list_devices", answer, count=1)

    end(number)

    assert not any(is_steered or is_there for is_steered, is_there in devices_of(simulator))


def test_user_whom_podero_does_not_remove_is_told_of(
    number: str, simulator: RunningSimulator
) -> None:
    simulator.control.arm("delete_user", "http_403", count=1)

    with pytest.raises(
        CommandError, match="of 2 devices, still on: 0, not removed: 0; the user was not"
    ):
        end(number, "--user-too")

    end(number, "--user-too")


@pytest.mark.parametrize(
    ("answers", "not_listed"),
    [
        (["http_503"] * 2, "electric-vehicles;"),
        (["http_403"] * 2, "electric-vehicles;"),
        (["http_403", "http_404"], "electric-vehicles;"),
        (["http_404"] * 8, "electric-vehicles, heat-pumps, inverters, wallboxes;"),
    ],
    ids=len,
)
def test_user_stays_while_podero_does_not_say_what_they_have(
    number: str, simulator: RunningSimulator, answers: list[str], not_listed: str
) -> None:
    for answer in answers:
        simulator.control.arm("list_devices", answer, count=1)

    with pytest.raises(CommandError, match=f"not listed: {not_listed} the user was not removed"):
        end(number, "--user-too")

    end(number, "--user-too")
    assert not any(is_steered or is_there for is_steered, is_there in devices_of(simulator))


def test_collection_that_there_is_not_holds_up_nothing(
    number: str, simulator: RunningSimulator
) -> None:
    # Of the four, the cars come first.
    simulator.control.arm("list_devices", "http_404", count=6, skip=1)

    end(number)

    assert not any(is_steered or is_there for is_steered, is_there in devices_of(simulator))


@pytest.mark.parametrize("number", ["", "  ", "47\x0011"])
def test_number_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(CommandError, match="--customer: expected a customer number"):
        end(number)


@pytest.mark.parametrize(
    ("endpoint", "count"),
    [
        ("find_user", 1),
        ("list_devices", 2),
        ("update_device", 1),
        ("delete_device", 1),
        ("delete_user", 1),
    ],
)
def test_podero_that_does_not_answer_is_to_be_asked_again(
    number: str, simulator: RunningSimulator, endpoint: str, count: int
) -> None:
    simulator.control.arm(endpoint, "http_503", count=count)

    with pytest.raises(CommandError, match="run this again"):
        end(number, "--user-too")
    end(number, "--user-too")

    assert not any(is_steered or is_there for is_steered, is_there in devices_of(simulator))


@pytest.mark.parametrize(("endpoint", "on"), [("boost", 0), ("update_device", 1)])
def test_what_podero_fails_at_with_one_device_keeps_no_other_on(
    number: str, simulator: RunningSimulator, endpoint: str, on: int
) -> None:
    simulator.control.arm(endpoint, "http_500", count=1)
    simulator.control.arm("delete_device", "http_500", count=-1)

    with pytest.raises(CommandError, match=f"still on: {on}, not removed: 2"):
        end(number)

    assert [is_steered for is_steered, _is_there in devices_of(simulator)].count(True) == on


def test_one_answer_that_there_is_nobody_is_not_believed(
    number: str, simulator: RunningSimulator
) -> None:
    simulator.control.arm("find_user", "http_404", count=1)

    end(number)

    assert not any(is_steered for is_steered, _is_there in devices_of(simulator))


def test_customer_who_has_agreed_here_is_no_case_for_it(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)

    with pytest.raises(CommandError, match="withdraw_customer ends that"):
        end(customer.podero_user.external_user_id)

    assert devices_of(simulator) == [(True, True)]


def test_user_stays_while_a_form_on_record_may_bring_a_device(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    leave(customer)

    with pytest.raises(CommandError, match="a form that is on record may still bring a device"):
        end(customer.podero_user.external_user_id, "--user-too")

    assert simulator.control.state()["users"][0]["deleted_at"] is None
