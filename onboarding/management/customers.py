"""What commands about one customer have in common."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from onboarding.models import PoderoUser


def add_customer_argument(parser: ArgumentParser) -> None:
    named = parser.add_mutually_exclusive_group(required=True)
    named.add_argument("--customer", help="the retailer's customer number")
    named.add_argument(
        "--reference", type=UUID, help="what the log names the customer by, under `customer`"
    )


def chosen_customer(options: Mapping[str, Any]) -> PoderoUser:
    """The one with the given number or reference. Raises CommandError when there is none."""
    name = "reference" if options.get("reference") else "customer"
    column = {"customer": "external_user_id", "reference": "reference"}[name]
    customers = PoderoUser.objects.select_related("account")
    customer = customers.filter(**{column: options[name]}).first()
    if customer is None:
        raise CommandError(f"--{name}: there is no such customer")
    return customer
