"""With worker and beat: what the customer's own request could not settle settles by itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import servers
from tests.browser.conftest import Meet
from tests.browser.person import Person
from tests.simulator.launch import RunningSimulator

# The beat looks for what is due every 30 seconds; the page asks more rarely as time goes by.
PATIENCE_SECONDS = 75


@pytest.fixture(scope="module")
def app(
    prepared_var_dir: Path,
    simulator_process: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[servers.RunningApp]:
    """The app with worker and beat, in place of the one without."""
    var_dir = tmp_path_factory.mktemp("app-with-worker") / "var"
    shutil.copytree(prepared_var_dir, var_dir)
    running = servers.start_app(
        simulator=simulator_process, var_dir=var_dir, with_worker=True, env={"THROTTLE": "off"}
    )
    yield running
    running.stop()


def test_podero_down_on_the_return(person: Person, simulator: RunningSimulator) -> None:
    person.goes_to_podero("ev")
    person.links_tesla()
    simulator.control.arm("*", "http_503", count=-1)
    person.comes_back()
    person.sees("We are checking with Podero")
    person.sees_text("Podero cannot be reached just now.")
    assert person.state == "returned"

    simulator.control.clear_faults()
    person.sees("Your device is linked", within_seconds=PATIENCE_SECONDS)
    # Nobody presses anything: the page itself must not stay at "not on yet".
    person.sees_it_working(within_seconds=45)
    person.has_one_working_device()


def test_worker_killed_between_the_return_and_the_check(
    person: Person, app: servers.RunningApp, simulator: RunningSimulator
) -> None:
    person.goes_to_podero("ev")
    person.links_tesla()
    app.kill("worker")
    simulator.control.arm("*", "http_503", count=-1)
    person.comes_back()
    person.sees("We are checking with Podero")

    simulator.control.clear_faults()
    app.start("worker")
    person.sees("Your device is linked", within_seconds=PATIENCE_SECONDS)
    person.has_one_working_device(within_seconds=PATIENCE_SECONDS)


def test_web_killed_while_the_customer_is_at_podero(
    person: Person, app: servers.RunningApp
) -> None:
    person.goes_to_podero("ev")
    person.links_tesla()
    app.kill("web")
    app.start("web")
    person.comes_back()

    person.sees_it_working()


def test_device_linked_by_somebody_who_never_came_back(person: Person, meet: Meet) -> None:
    """The way back was opened where nobody is signed in: a mere word does not make it theirs."""
    person.goes_to_podero("ev")
    way_back = person.finishes()
    person.page.go_back()
    person.follows("Continue there")
    person.sees("Not finished yet")
    stranger = meet()
    stranger.page.goto(way_back)
    stranger.sees("Sign in")

    person.sees("Is this your device?", within_seconds=PATIENCE_SECONDS)
    person.sees_text("but not in the browser in which you had left")
    expect(person.button("Yes, this is my device")).to_have_count(0)
    person.sees_text("Or remove it below, and link it again.")
    (device,) = person.devices_at_podero
    assert device["fields"]["is_smart_optimization_active"] is False
