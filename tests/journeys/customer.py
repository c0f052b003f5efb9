"""A customer in a browser, without the browser: presses what the pages offer, over the test client."""

from __future__ import annotations

import re
import uuid
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from onboarding.models import OnboardingSession, PoderoUser
from onboarding.models.consents import digest_of
from onboarding.views import consent


class Customer:
    """One signed-in customer with one browser."""

    def __init__(self, podero_user: PoderoUser, browser: Client | None = None) -> None:
        self.podero_user = podero_user
        self.browser = browser or Client(HTTP_HOST="localhost")
        if browser is None:
            self.browser.force_login(podero_user.account)

    def opt_in(
        self,
        *,
        device_type: str = "ev",
        submission: uuid.UUID | None = None,
        **more: str,
    ) -> Any:
        """Tick both boxes and agree; the answer is not followed."""
        return self.browser.post(
            reverse("consent"),
            {
                "device_type": device_type,
                "submission": submission or uuid.uuid4(),
                "words": digest_of(consent.consent_record(consent.consent_words())),
                "allows_control": "on",
                "allows_data_exchange": "on",
                **more,
            },
        )

    def press_continue(self, attempt: OnboardingSession | None = None) -> Any:
        reference = (attempt or self.attempt).reference
        return self.browser.post(
            reverse("continue_attempt", args=[reference]), {"submission": uuid.uuid4()}
        )

    def press_check(self) -> Any:
        return self.browser.post(reverse("check_attempt", args=[self.attempt.reference]))

    def go(self, address: str) -> HttpResponse:
        """Follow an address of ours, such as the way back from the hosted form."""
        parts = urlsplit(address)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return self.browser.get(path)  # type: ignore[return-value]

    @property
    def attempt(self) -> OnboardingSession:
        """The newest attempt, fresh from the database."""
        return OnboardingSession.objects.filter(podero_user=self.podero_user).latest("pk")

    @property
    def page(self) -> Any:
        """The newest attempt's own page."""
        return self.browser.get(reverse("attempt", args=[self.attempt.reference]))


def heading_of(response: Any) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", response.content.decode(), re.DOTALL)
    assert found, "page without a heading"
    return re.sub(r"\s+", " ", found[1]).strip()
