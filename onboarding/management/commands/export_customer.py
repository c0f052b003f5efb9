from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from onboarding.flows.erasure import export_customer
from onboarding.management.customers import add_customer_argument, chosen_customer


class Command(BaseCommand):
    help = "Print everything held about a customer as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_customer_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        customer = chosen_customer(options)
        told = export_customer(customer=customer, now=timezone.now())
        self.stdout.write(json.dumps(told, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
