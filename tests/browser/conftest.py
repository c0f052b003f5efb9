"""One running app for all journeys; each person is a customer of their own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize

from tests import servers
from tests.browser.person import Customer, Person
from tests.browser.watch import Watch
from tests.simulator.launch import RunningSimulator

PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}

Meet = Callable[..., Person]


@pytest.fixture(scope="session")
def app(
    prepared_var_dir: Path,
    simulator_process: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[servers.RunningApp]:
    """The app without worker: what happens, happens in the customer's own requests."""
    var_dir = tmp_path_factory.mktemp("app") / "var"
    shutil.copytree(prepared_var_dir, var_dir)
    running = servers.start_app(
        simulator=simulator_process, var_dir=var_dir, env={"THROTTLE": "off"}
    )
    yield running
    running.stop()


@pytest.fixture
def watch(app: servers.RunningApp, simulator: RunningSimulator) -> Iterator[Watch]:
    """What no journey may do; `accept(422)` for what this one means to."""
    watch = Watch(app, simulator)
    yield watch
    watch.finish()


@pytest.fixture(autouse=True)
def _podero_was_well_so_far(app: servers.RunningApp) -> None:
    """What the faults of another test have taught the app is forgotten."""
    app.forget_podero()


@pytest.fixture
def meet(
    browser: Browser, app: servers.RunningApp, simulator: RunningSimulator, watch: Watch
) -> Iterator[Meet]:
    """Give a browser of their own to a customer, a new one unless named."""
    contexts: list[BrowserContext] = []

    def meet(
        customer: Customer | None = None, *, viewport: ViewportSize | None = None, **options: Any
    ) -> Person:
        context = browser.new_context(locale="en-GB", viewport=viewport or PHONE, **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        watch.look_at(context)
        customer = customer or Customer()
        watch.secrets.append(customer.email)
        return Person(context.new_page(), app=app, simulator=simulator, customer=customer)

    yield meet
    for context in contexts:
        context.close()


@pytest.fixture
def person(meet: Meet) -> Person:
    """A new customer with a phone."""
    return meet()
