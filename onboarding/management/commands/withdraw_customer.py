from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from onboarding.flows import withdrawal
from onboarding.management.customers import add_customer_argument, chosen_customer


class Command(BaseCommand):
    help = (
        "Withdraw for a customer who has done so by letter or on the phone, or before a backup was "
        "restored: here at once, at Podero as soon as a worker or `sweep` runs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_customer_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        customer = chosen_customer(options)
        if not customer.consents.filter(withdrawn_at=None).exists():
            raise CommandError("there is nothing to withdraw from")
        devices = withdrawal.withdraw(customer=customer, now=timezone.now())
        self.stdout.write(f"Withdrawn; to be switched off and removed: devices: {len(devices)}")
