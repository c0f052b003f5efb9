from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from onboarding.flows.erasure import export_customer
from onboarding.models import PoderoUser


class Command(BaseCommand):
    help = "Print everything held about a customer as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customer", required=True, help="the retailer's customer number")

    def handle(self, *args: Any, **options: Any) -> None:
        customer = PoderoUser.objects.filter(external_user_id=options["customer"]).first()
        if customer is None:
            raise CommandError("--customer: there is no such customer")
        told = export_customer(customer=customer, now=timezone.now())
        self.stdout.write(json.dumps(told, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
