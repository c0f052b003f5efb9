"""The step at Podero that ends something, shared by the pages that end in it."""

from __future__ import annotations

from contextlib import suppress

from django.utils import timezone

from onboarding.clients import TooManyWaiting, place_in_line
from onboarding.flows import removal
from onboarding.models import PoderoUser
from onboarding.tasks import carry_out_removal, nudge

# What is not done by then is done while the customer reads that it is not.
_PATIENCE_SECONDS = 4.0


def undo_at_podero(customer: PoderoUser) -> None:
    """Switch off and remove what is due, at once where Podero answers; otherwise soon."""
    is_answered = False
    with suppress(TooManyWaiting), place_in_line(at_most_seconds=_PATIENCE_SECONDS) as client:
        is_answered = removal.carry_out(client=client, customer=customer, now=timezone.now())
    if not is_answered:
        nudge(carry_out_removal, customer_id=customer.pk)
