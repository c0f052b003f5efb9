"""What commands about one customer have in common."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

from onboarding.models import PoderoUser


def add_customer_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--customer", required=True, help="the retailer's customer number")


def chosen_customer(options: Mapping[str, Any]) -> PoderoUser:
    """The one with the given number. Raises CommandError when there is none."""
    customers = PoderoUser.objects.select_related("account")
    customer = customers.filter(external_user_id=options["customer"]).first()
    if customer is None:
        raise CommandError("--customer: there is no such customer")
    return customer
