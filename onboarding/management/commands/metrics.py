from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from onboarding.metrics import exposition


class Command(BaseCommand):
    help = (
        "Print the metrics of this machine, as /health/metrics does: for a machine without a web "
        "process, into a file that node_exporter reads."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(exposition().decode(), ending="")
