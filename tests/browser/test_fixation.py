"""An attacker has a victim link their car to the attacker's account, and presses all he has.

With worker and beat, in both activation settings. Podero has noted each time that it was told to
steer the car, or to let it be.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.browser.conftest import Meet
from tests.browser.person import Person
from tests.browser.watch import Watch
from tests.simulator.launch import RunningSimulator

ACTIVATIONS = ("after_return", "immediately")
ELSEWHERE = "but not in the browser in which you had left"


@pytest.fixture(scope="module", params=ACTIVATIONS)
def app(
    request: pytest.FixtureRequest,
    prepared_var_dir: Path,
    simulator_process: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[servers.RunningApp]:
    """The app with worker and beat, in place of the one without."""
    var_dir = tmp_path_factory.mktemp(f"app-{request.param}") / "var"
    shutil.copytree(prepared_var_dir, var_dir)
    running = servers.start_app(
        simulator=simulator_process,
        var_dir=var_dir,
        with_worker=True,
        env={"THROTTLE": "off", "ONBOARDING_ACTIVATION": request.param},
    )
    yield running
    running.stop()


@pytest.fixture
def attacker(person: Person, watch: Watch) -> Person:
    """Has started an attempt of his own and broken off at Podero, to see where that leads."""
    watch.accept(403, 404)
    person.goes_to_podero("ev")
    return person


def links_through_his_address(victim: Person, attacker: Person) -> None:
    victim.page.goto(attacker.page.url)
    victim.links_tesla()


def is_off(attacker: Person) -> bool:
    (car,) = attacker.devices_at_podero
    return car["fields"]["is_smart_optimization_active"] is False


def times_switched_on(attacker: Person) -> int:
    """How often since it was linked; from the start counts as well."""
    (car,) = attacker.devices_at_podero
    return sum(is_on for _at, is_on in car["switches"])


def waits_until(happened: Callable[[], bool], *, seconds: float = 20) -> None:
    ends_at = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends_at
        time.sleep(0.1)


def presses_all_he_has(attacker: Person) -> None:
    """Every button on his pages, and those that are not there any more, by hand."""
    attacker.opens("/optimize/devices/")
    attacker.sees_text(ELSEWHERE)
    assert not attacker.button("Yes, this is my device").count()
    for path in (f"/optimize/attempts/{attacker.attempts[-1][0]}/", "/optimize/devices/"):
        attacker.opens(path)
        page = attacker.page.locator("main").inner_html()
        assert "confirm/" not in page
    attempt = f"/optimize/attempts/{attacker.attempts[-1][0]}"
    attacker.opens(f"{attempt}/back/")
    assert attacker.posts_by_hand(f"{attempt}/check/") == 302
    for reference in attacker.devices_on_record:
        assert attacker.posts_by_hand(f"/optimize/devices/{reference}/confirm/") == 302


@pytest.mark.parametrize("victim_is", ["nobody here", "a customer"])
def test_attacker_gets_nothing_out_of_a_car_that_a_victim_linked(
    attacker: Person, meet: Meet, victim_is: str
) -> None:
    victim = meet()
    if victim_is == "a customer":
        victim.enters()
    links_through_his_address(victim, attacker)
    victim.comes_back()
    victim.sees("Sign in" if victim_is == "nobody here" else "Somebody else is signed in here")
    # Podero's documented example steers from the start: off as soon as the return has been seen.
    waits_until(lambda: bool(attacker.devices_on_record) and is_off(attacker))

    presses_all_he_has(attacker)
    # Nor is he offered to sign in at the manufacturer, which would show nothing.
    attacker.opens("/optimize/devices/")
    assert "reconnect/" not in attacker.page.locator("main").inner_html()

    assert attacker.app.manage("sweep").returncode == 0
    time.sleep(2)
    assert is_off(attacker)
    from_the_start = attacker.app.env["ONBOARDING_ACTIVATION"] == "immediately"
    assert times_switched_on(attacker) == int(from_the_start)
    assert victim.states == []


def test_attacker_who_is_faster_than_the_victims_return_loses_what_he_got(
    attacker: Person, meet: Meet
) -> None:
    """Until somebody comes back, Podero's word is all there is; see decision 4."""
    victim = meet()
    links_through_his_address(victim, attacker)
    attacker.opens(f"/optimize/attempts/{attacker.attempts[-1][0]}/")
    attacker.presses("Check again now")
    attacker.sees("Is this your device?")
    attacker.presses("Yes, this is my device")
    attacker.sees("My devices")

    victim.comes_back()
    victim.sees("Sign in")
    waits_until(lambda: is_off(attacker))

    presses_all_he_has(attacker)
    assert attacker.app.manage("sweep").returncode == 0
    assert is_off(attacker)


def test_attacker_who_has_seen_where_cancel_leads_cannot_come_back_for_the_victim(
    attacker: Person, meet: Meet
) -> None:
    victim = meet()
    form = attacker.page.url
    attacker.cancels()
    attacker.sees("Nothing was linked")
    token = attacker.tokens_seen[-1]
    victim.page.goto(form)
    victim.links_tesla()

    attacker.opens(f"/optimize/return/{token}/success/")
    attacker.sees("We do not know this way back")
    victim.comes_back()
    victim.sees("Sign in")
    waits_until(lambda: bool(attacker.devices_on_record) and is_off(attacker))

    presses_all_he_has(attacker)
    assert is_off(attacker)
