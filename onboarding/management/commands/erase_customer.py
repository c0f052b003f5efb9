from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows import removal, withdrawal
from onboarding.flows.erasure import UnableToErase, erase_customer
from onboarding.management.customers import add_customer_argument, chosen_customer
from onboarding.models import PoderoUser

# Each reason, and what helps; where everything is ended already, what helps then.
_WHY = {
    "not_asked": ("Podero could not be asked whether devices are still steered", "try again later"),
    "steered": ("devices may still be steered", "run `sweep` and try again"),
    "linked": ("devices are still linked at Podero", "run `sweep` and try again"),
    "being_removed": ("Podero is still to remove devices or the user", "run `sweep`, or try later"),
    "form_open": ("a form at Podero may still bring a device", "try after {until}"),
    "perhaps_there": (
        "Podero may have a user of theirs",
        "use --withdraw, run `sweep`, and try again",
    ),
    "staff": ("the account is a member of staff's", "nothing can be erased here"),
}
_ENDED_BY_WITHDRAWAL = ("steered", "linked", "form_open")


class Command(BaseCommand):
    help = "Erase everything held about a customer, the account and evidence of consent included."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_customer_argument(parser)
        parser.add_argument(
            "--withdraw",
            action="store_true",
            help="first end everything, here and at Podero, as the customer's own withdrawal does",
        )
        parser.add_argument(
            "--no-input",
            action="store_false",
            dest="is_interactive",
            help="do not ask before erasing; for scripts",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        customer = chosen_customer(options)
        if options["is_interactive"]:
            _ask(customer.external_user_id)
        client, now = podero_client(), timezone.now()
        if options["withdraw"]:
            withdrawal.withdraw(customer=customer, now=now)
            removal.carry_out(client=client, customer=customer, now=now)
            customer.refresh_from_db()
        podero_id, was_removed = customer.podero_id, customer.is_removed
        was_in_doubt = customer.is_creation_in_doubt
        try:
            erased = erase_customer(client=client, customer=customer, now=now)
        except UnableToErase as refusal:
            raise CommandError(f"Nothing was erased: {_why(customer, refusal)}") from refusal
        for kind, count in sorted(erased.items()):
            self.stdout.write(f"{kind}: {count}")
        if podero_id is not None:
            self.stdout.write(f"Podero still has user {podero_id}: have it erased there, too.")
        elif was_removed:
            self.stdout.write(
                "Podero has no user of theirs any more, but may keep the row of one that it "
                "removed: have that erased there, too."
            )
        elif was_in_doubt:
            self.stdout.write("Podero may have a user with this number: have that erased, too.")


def _ask(number: str) -> None:
    """Raises CommandError unless the customer number is typed once more."""
    try:
        answer = input(
            f"This erases everything held about customer {number}, and cannot be undone.\n"
            "Type the customer number again to go on: "
        )
    except EOFError:
        answer = ""
    if answer.strip() != number:
        raise CommandError("Nothing was erased: the customer number was not typed again")


def _why(customer: PoderoUser, refusal: UnableToErase) -> str:
    why, what_helps = _WHY[refusal.reason]
    has_agreed = customer.consents.filter(withdrawn_at=None).exists()
    until = f"{refusal.until:%Y-%m-%d %H:%M} UTC" if refusal.until else "it has ended"
    first = "use --withdraw, then " if has_agreed and refusal.reason in _ENDED_BY_WITHDRAWAL else ""
    return f"{why}; {first}{what_helps.format(until=until)}"
