"""The Celery application: `celery -A config worker`, `celery -A config beat`."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init
from django.conf import settings

from config.processes import forget_ended_processes

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("podero_onboarding")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_options: Any) -> None:
    """Leave logging to the settings; Celery would hide what tasks say below a warning."""


@worker_init.connect
def begin_to_count_anew(**_options: Any) -> None:
    forget_ended_processes(settings.METRICS_DIR)
