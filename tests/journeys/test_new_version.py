"""A new meaning is asked about before the next attempt; a corrected letter is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from onboarding.checks import check_changes_are_explained
from onboarding.models import ConsentText
from onboarding.models import consents as consent_models
from tests.factories import make_attempt
from tests.journeys.customer import Customer, heading_of
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def new_version(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Any:
    """Call it to count the version up to 3; each version says what it changed."""
    folder = tmp_path / "onboarding" / "consent_changes"
    folder.mkdir(parents=True)
    for version in (2, 3):
        (folder / f"{version}.html").write_text(f"Change number {version}.")
    first, *rest = settings.TEMPLATES
    settings.TEMPLATES = [first | {"DIRS": [*first["DIRS"], tmp_path]}, *rest]
    return lambda: monkeypatch.setattr(consent_models, "CONSENT_VERSION", 3)


@pytest.mark.parametrize("podero_is_away", [False, True])
def test_attempt_under_an_older_meaning_is_not_continued_without_agreeing_anew(
    customer: Customer, simulator: RunningSimulator, new_version: Any, podero_is_away: bool
) -> None:
    if podero_is_away:
        simulator.control.arm("*", "http_503", count=-1)
    customer.opt_in(device_type="hp")
    simulator.control.clear_faults()
    before = len(simulator.control.state()["sessions"])
    new_version()
    shown = customer.page.content.decode()
    assert "Read what has changed" in shown
    assert reverse("continue_attempt", args=[customer.attempt.reference]) not in shown

    answer = customer.press_continue()

    assert answer.headers["Location"] == reverse("consent") + "?device_type=hp"
    assert customer.podero_user.attempts.count() == 1
    assert len(simulator.control.state()["sessions"]) == before
    asked = customer.browser.get(answer.headers["Location"])
    assert "Change number 2." in asked.content.decode()
    assert "Change number 3." in asked.content.decode()
    assert heading_of(asked) == "Before you go to Podero"

    customer.opt_in()

    assert customer.attempt.state == "open"
    assert customer.attempt.consent.text.version == "3"
    assert "Change number" not in customer.browser.get(reverse("consent")).content.decode()
    assert "Continue with a fresh form" in customer.page.content.decode()


def test_corrected_letter_asks_nobody_again(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer.opt_in()
    monkeypatch.setattr("onboarding.views.consent.consent_words", lambda: "<p>Corrected.</p>")
    assert "What has changed" not in customer.browser.get(reverse("consent")).content.decode()

    customer.press_continue()

    assert customer.podero_user.attempts.count() == 2
    assert customer.attempt.state == "open"
    customer.opt_in()
    assert sorted(ConsentText.objects.values_list("version", flat=True)) == ["1", "1"]


def test_first_consent_is_told_of_no_change(customer: Customer, new_version: Any) -> None:
    new_version()

    assert "What has changed" not in customer.browser.get(reverse("consent")).content.decode()


@pytest.mark.parametrize("state", ["cancelled", "expired", "open", "started"])
def test_pages_do_not_promise_that_nothing_need_be_agreed(
    customer: Customer, new_version: Any, state: Any
) -> None:
    make_attempt(customer=customer.podero_user, state=state)
    new_version()

    assert "need not agree again" not in customer.page.content.decode()


def test_version_that_does_not_say_what_changed_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert check_changes_are_explained() == []

    monkeypatch.setattr(consent_models, "CONSENT_VERSION", 2)

    assert [problem.id for problem in check_changes_are_explained()] == ["onboarding.E001"]
