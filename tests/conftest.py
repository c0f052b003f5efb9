"""What all tests share: no network but this machine's own, real servers, a real browser."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.cache import cache
from django.core.management.commands import flush
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from onboarding import clients
from tests import network, servers
from tests.connected import completed, customer, keys_of, podero_settings  # noqa: F401  (fixtures)
from tests.simulator.launch import RunningSimulator, start_simulator

network.allow_only_this_machine()

BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever a page would fetch from elsewhere fails at once instead of going out.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)

# Taken up first, so that no worker is left with a long one when the others have finished.
LONGEST = (
    "tests/drill/",
    "tests/hostile/test_generated.py",
    "tests/journeys/test_faults.py",
    "tests/tooling/test_postgres.py",
    "tests/browser/test_accessibility.py",
    "tests/browser/test_fixation.py",
    "tests/browser/",
    "tests/tooling/",
)

StartApp = Callable[..., servers.RunningApp]


def missing(what: str) -> NoReturn:
    """Skip a test that needs a program this machine lacks; where all are expected, fail it."""
    if os.environ.get("CI") or os.environ.get("REQUIRE_ALL"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the random order, but for the longest files, which come first."""
    items.sort(
        key=lambda item: next(
            (at for at, long in enumerate(LONGEST) if item.nodeid.startswith(long)), len(LONGEST)
        )
    )


@pytest.fixture(scope="session", autouse=True)
def _emptied_of_what_tests_write() -> Iterator[None]:
    """Content types and permissions stay: to make them anew takes longer than a small test."""

    def sql_of_the_rest(style: Any, connection: Any, **options: Any) -> Any:
        tables = connection.introspection.django_table_names(only_existing=True)
        rest = set(tables) - {"django_content_type", "auth_permission"}
        return connection.ops.sql_flush(style, rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "sql_flush", sql_of_the_rest)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_args, **_more: None)
        yield


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    yield
    cache.clear()
    # What one test's faults have taught about Podero is of no use to the next one.
    clients.podero_gate().forget()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all workers of this run see."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[servers.RunningServer]:
    """A PostgreSQL of its own; `.url` is a DATABASE_URL. `.create_database()` gives an empty one."""
    try:
        server = servers.start_postgres()
    except servers.NotInstalled as reason:
        missing(str(reason))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.RunningServer]:
    """A Redis of its own; `.url` is a REDIS_URL."""
    try:
        server = servers.start_redis()
    except servers.NotInstalled as reason:
        missing(str(reason))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[RunningSimulator]:
    running = start_simulator()
    yield running
    running.stop()


@pytest.fixture
def simulator(simulator_process: RunningSimulator) -> RunningSimulator:
    """The simulator, emptied: no users, sessions or faults."""
    simulator_process.control.reset()
    return simulator_process


@pytest.fixture(scope="session")
def prepared_var_dir(shared_folder: Path) -> Path:
    """Return a VAR_DIR with a migrated database, demo data and static files, made once per run."""
    template = shared_folder / "prepared-var-dir"
    with (shared_folder / "prepared-var-dir.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            unfinished = shared_folder / "unfinished-var-dir"
            shutil.rmtree(unfinished, ignore_errors=True)
            servers.prepare(unfinished)
            unfinished.rename(template)
    return template


@pytest.fixture
def start_app(prepared_var_dir: Path, tmp_path: Path) -> Iterator[StartApp]:
    """Start the app as real processes: `start_app(simulator, with_worker=True, PORTAL_URL=...)`."""
    running: list[servers.RunningApp] = []

    def start(
        simulator: RunningSimulator, *, with_worker: bool = False, **env: str
    ) -> servers.RunningApp:
        var_dir = tmp_path / f"var-{len(running)}"
        shutil.copytree(prepared_var_dir, var_dir)
        running.append(
            servers.start_app(
                var_dir=var_dir, simulator=simulator, with_worker=with_worker, env=env
            )
        )
        return running[-1]

    yield start
    for app in running:
        app.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium for the whole run."""
    program = servers.find_chromium()
    if program is None:
        missing(
            "no Chromium: install Debian's package chromium-headless-shell or chromium, "
            "or set CHROMIUM to its path"
        )
    # Playwright keeps an event loop in this thread; Django would refuse the database to every
    # later test because of it, although none of ours runs inside that loop.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(BROWSER_ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One person's browser: cookies of its own."""
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
