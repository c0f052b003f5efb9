from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep


class Command(BaseCommand):
    help = "Do all background work that is due, once, and print how much of each there was."

    def handle(self, *args: Any, **options: Any) -> None:
        for step, count in sweep(client=podero_client(), now=timezone.now()).items():
            self.stdout.write(f"{step}: {count}")
