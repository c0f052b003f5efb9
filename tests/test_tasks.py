"""What the beat sends is what the tasks take, also from another release."""

from __future__ import annotations

from typing import Any

import pytest
from celery import current_app
from django.conf import settings

from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("name", sorted(settings.CELERY_BEAT_SCHEDULE))
@pytest.mark.parametrize("more", [{}, {"number": 1, "of": 3, "of_a_later_release": 1}])
def test_each_scheduled_message_is_taken(
    podero_settings: Any, simulator: RunningSimulator, name: str, more: dict[str, int]
) -> None:
    entry = settings.CELERY_BEAT_SCHEDULE[name]

    done = current_app.tasks[entry["task"]].apply(kwargs=entry["kwargs"] | more)

    assert done.successful(), done.traceback
