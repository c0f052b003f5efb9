from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from onboarding import podero
from onboarding.clients import podero_client
from onboarding.flows.restoring import Ended, end_unrecorded
from onboarding.models import Consent


class Command(BaseCommand):
    help = (
        "After a backup was restored, for a customer who has agreed since it was made, so that "
        "nothing here tells of it: switch off and remove all that Podero has under their number."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customer", required=True, help="the retailer's customer number")

    def handle(self, *args: Any, **options: Any) -> None:
        number = options["customer"]
        living = Consent.objects.filter(withdrawn_at=None)
        if living.filter(podero_user__external_user_id=number).exists():
            raise CommandError("the customer has agreed to it: withdraw_customer ends that")
        try:
            ended = end_unrecorded(client=podero_client(), customer_number=number)
        except podero.PoderoError as error:
            raise CommandError(f"Podero has not done it ({error}): run this again") from error
        self.stdout.write(_told(ended))


def _told(ended: Ended | None) -> str:
    if ended is None:
        return "Podero has no user with this number"
    user = "not removed" if ended.is_user_left else "removed"
    return (
        f"devices switched off: {ended.devices}, of these not removed: {ended.devices_left}; "
        f"user {user}"
    )
