from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from onboarding.metrics import exposition_of_counts


class Command(BaseCommand):
    help = (
        "Print what the processes of this machine have counted: for a machine without a web "
        "process, into a file that node_exporter reads. All else any web process tells."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(exposition_of_counts().decode(), ending="")
