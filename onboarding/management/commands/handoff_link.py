from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils import timezone

from onboarding.flows import handoff


class Command(BaseCommand):
    help = "Print an address that signs a customer in, as the portal would send them (5 minutes)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customer", required=True, help="the retailer's customer number")
        parser.add_argument("--email", required=True)
        parser.add_argument("--locale", default="", help="language such as de or en-GB")
        parser.add_argument("--price-zone", default="", help="such as AT or DE_LU")
        parser.add_argument("--next", default="", help="a path under /optimize/")

    def handle(self, *args: Any, **options: Any) -> None:
        visitor = handoff.Visitor(
            external_user_id=options["customer"],
            email=options["email"],
            language=options["locale"],
            price_zone=options["price_zone"],
            given_name="",
            family_name="",
            next_path=options["next"],
        )
        now = timezone.now()
        try:
            token = handoff.issue(visitor=visitor, now=now)
            handoff.examine(token=token, now=now)
        except handoff.UnableToEnter as refusal:
            option = _OPTIONS.get(refusal.field, refusal.field)
            raise CommandError(f"{option}: {refusal.reason}") from refusal
        query = urlencode({"token": token})
        self.stdout.write(f"{settings.SITE_URL}{reverse('enter')}?{query}")


_OPTIONS = {
    "sub": "--customer",
    "email": "--email",
    "locale": "--locale",
    "price_zone": "--price-zone",
    "next": "--next",
    "HANDOFF_SECRET": "HANDOFF_SECRET (needed to sign; the portal's own key never is)",
}
