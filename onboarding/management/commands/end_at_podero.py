from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from onboarding import podero
from onboarding.clients import podero_client
from onboarding.flows.restoring import Ended, end_unrecorded
from onboarding.models import Consent, OnboardingSession
from onboarding.models.attempt_queries import LATE


class Command(BaseCommand):
    help = (
        "After a backup was restored, for a customer who has agreed since it was made, so that "
        "nothing here tells of it: switch off and remove the devices that Podero has under their "
        "number."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customer", required=True, help="the retailer's customer number")
        parser.add_argument(
            "--user-too",
            action="store_true",
            help="remove the user as well, four days later: until then a form may bring a device",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        number = options["customer"].strip()
        if not number or not number.isprintable():
            raise CommandError("--customer: expected a customer number")
        if _has_agreed(number):
            raise CommandError("the customer has agreed to it: withdraw_customer ends that")
        if options["user_too"] and not _may_user_go(number):
            raise CommandError("a form that is on record may still bring a device: try again later")
        try:
            ended = end_unrecorded(
                client=podero_client(),
                customer_number=number,
                may_user_go=lambda: options["user_too"] and _may_user_go(number),
            )
        except podero.PoderoError as error:
            raise CommandError(f"Podero has not answered ({error}): run this again") from error
        if ended is None:
            self.stdout.write("Podero has no user with this number")
            return
        if not ended.has_no_devices_left or (options["user_too"] and ended.is_user_left):
            raise CommandError(f"{_left(ended)}: run this again, then ask Podero")
        self.stdout.write(f"switched off and removed: devices: {ended.devices}")
        if ended.is_user_left:
            self.stdout.write("the user stays: run this again in four days, with --user-too")
        else:
            self.stdout.write("the user was removed")


def _has_agreed(number: str) -> bool:
    consents = Consent.objects.filter(withdrawn_at=None)
    return consents.filter(podero_user__external_user_id=number).exists()


def _may_user_go(number: str) -> bool:
    """Not where the customer has agreed meanwhile, nor while a form may still bring a device."""
    own = OnboardingSession.objects.filter(podero_user__external_user_id=number)
    forms = own.that_may_bring_a_device(now=timezone.now() - LATE)
    return not (_has_agreed(number) or forms.exists())


def _left(ended: Ended) -> str:
    told = [f"of {ended.devices} devices, still on: {ended.on}, not removed: {ended.left}"]
    if ended.not_listed:
        told.append(f"not listed: {', '.join(kind.collection for kind in ended.not_listed)}")
    told.append(f"the user was {'not ' if ended.is_user_left else ''}removed")
    return "; ".join(told)
