"""The reminder in a browser: asked for, read in the mail, followed, and declined."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Meet
from tests.browser.person import Person
from tests.conftest import StartApp
from tests.servers import RunningApp
from tests.simulator.launch import RunningSimulator

_A_DAY_LATER = """
from datetime import timedelta
from django.utils import timezone
from onboarding.flows import mails
from onboarding.letters import mail_server
mails.send_due_mails(post=mail_server(), now=timezone.now() + timedelta(hours=25))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the app's mails go."""
    return tmp_path / "mails"


@pytest.fixture
def app(start_app: StartApp, simulator: RunningSimulator, folder: Path) -> RunningApp:
    """An app of its own, with a mail server."""
    return start_app(
        simulator,
        EMAIL_URL=f"filemail:///{folder}",
        DEFAULT_FROM_EMAIL="Alpenstrom <flex@alpenstrom.example>",
        THROTTLE="off",
    )


def starts_and_leaves(person: Person) -> None:
    person.enters("/optimize/consent/?device_type=ev")
    offer = person.page.get_by_label("to send me one e-mail if I do not finish")
    expect(offer).not_to_be_checked()
    offer.check()
    person.agrees()
    person.is_at_podero()


def reminder_links(app: RunningApp, folder: Path) -> list[str]:
    """A day later: the addresses in the one reminder."""
    done = app.manage("shell", "-v", "0", "-c", _A_DAY_LATER)
    assert done.returncode == 0, done.stderr
    sent = [text for file in folder.iterdir() for text in file.read_text().split("-" * 79)]
    (reminder,) = [text for text in sent if "the reminder you asked for" in text]
    return re.findall(rf"(?m)^{re.escape(app.base_url)}(/\S+)$", reminder)


def test_mail_leads_to_our_page_with_a_button_and_on_to_podero(
    meet: Meet, app: RunningApp, folder: Path
) -> None:
    person = meet(java_script_enabled=False)
    starts_and_leaves(person)
    page, _stop = reminder_links(app, folder)

    person.opens(page)
    person.sees("Not finished yet")
    person.sees_text("As you had asked, we reminded you by e-mail")
    person.presses("Continue with a fresh form")

    person.is_at_podero()
    assert person.states == ["open", "open"]


def test_mail_opened_where_nobody_is_signed_in(
    person: Person, app: RunningApp, folder: Path
) -> None:
    starts_and_leaves(person)
    page, _stop = reminder_links(app, folder)
    person.loses_cookies()

    person.opens(page)

    person.sees("Sign in")
    assert person.states == ["open"]


def test_no_reminder_please_from_the_mail_signed_out(
    person: Person, app: RunningApp, folder: Path
) -> None:
    starts_and_leaves(person)
    page, stop = reminder_links(app, folder)
    person.loses_cookies()

    person.opens(stop)
    person.sees("Do you want no reminder?")
    person.presses("Do not remind me")
    person.sees("You will not be reminded")

    person.enters(page)
    person.sees("Not finished yet")
    person.sees_text("You have told us that you want no reminder")


def test_no_reminder_please_before_it_was_sent(
    person: Person, app: RunningApp, folder: Path
) -> None:
    starts_and_leaves(person)
    person.opens("/optimize/devices/")
    person.page.locator("main .notice a").click()
    person.sees_text("we send you one e-mail on")
    person.presses("Do not remind me")

    person.sees_text("You have told us that you want no reminder, so we send none.")
    done = app.manage("shell", "-v", "0", "-c", _A_DAY_LATER)
    assert done.returncode == 0, done.stderr
    assert not any("reminder you asked" in file.read_text() for file in folder.iterdir())
