from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from onboarding.flows.evidence import verify_consents
from onboarding.models.seals import Mark


class Command(BaseCommand):
    help = "Hold every consent against its seal; exit code 1 when one is not as it was written."

    def handle(self, *args: Any, **options: Any) -> None:
        verification = verify_consents()
        for mark in Mark:
            self.stdout.write(f"{mark.value}: {verification.counts[mark]}")
        for reference, mark in verification.doubtful:
            self.stdout.write(f"{reference} {mark.value}")
        if verification.doubtful:
            raise CommandError(f"consents to look into: {len(verification.doubtful)}")
