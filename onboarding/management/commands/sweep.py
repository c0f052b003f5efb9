from __future__ import annotations

import atexit
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from onboarding import messages, metrics, podero
from onboarding.clients import have_a_token, podero_client
from onboarding.flows.sweep import sweep
from onboarding.letters import mail_server
from onboarding.models import JobRun


class Command(BaseCommand):
    help = "Do all background work that is due, once, and print how much of each there was."

    def handle(self, *args: Any, **options: Any) -> None:
        # By a timer it is a process each minute: their files of counts would fill the disk.
        atexit.register(metrics.forget_own_counts)
        with suppress(podero.PoderoError):
            have_a_token()
        # Where no worker is, nobody else ever takes them.
        messages.forget_all()
        sweep(
            client=podero_client(),
            post=mail_server(),
            now=timezone.now(),
            report=self._tell,
        )
        for name in ("sweep", *settings.CELERY_BEAT_SCHEDULE):
            JobRun.record_success(name, at=timezone.now())

    def _tell(self, step: str, count: int) -> None:
        # Whoever listens no more keeps nothing from being done.
        with suppress(OSError):
            self.stdout.write(f"{step}: {count}")
            self.stdout.flush()
