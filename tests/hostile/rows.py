"""Everything in the database, so that a test can say that nothing of it has changed."""

from __future__ import annotations

from axes.models import AccessAttempt
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db.models import Model

from onboarding.flows.personal_data import HELD
from onboarding.models import PoderoUser, Tally

# What a stranger's visit may leave: a session of their own, and that they were refused.
OF_STRANGERS: frozenset[type[Model]] = frozenset({Session, AccessAttempt, Tally})


def rows_of_everything() -> dict[str, list[tuple[object, ...]]]:
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values_list())
        for model in apps.get_models()
        if model not in OF_STRANGERS
    }


def rows_of(customer: PoderoUser) -> dict[str, list[tuple[object, ...]]]:
    """What is held about one customer, timeline included."""
    return {
        held.name: list(held.rows_of(customer).values_list()) for held in HELD if not held.is_shared
    }
