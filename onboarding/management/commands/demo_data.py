from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Q

from onboarding.models import PoderoUser

PASSWORD = "demo"  # noqa: S105
CUSTOMERS = (
    ("anna@example.com", "Anna", "4711", "en", "AT"),
    ("bernd@example.com", "Bernd", "4712", "de", "DE_LU"),
    ("csilla@example.com", "Csilla", "4713", "hu", "HU"),
)
SUPPORT = "support@example.com"


class Command(BaseCommand):
    help = "Make three demo customers and one support account; only on this machine."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_HTTPS:
            raise CommandError("SITE_URL: demo accounts are for http://localhost only")
        with transaction.atomic():
            for email, first_name, number, language, zone in CUSTOMERS:
                account = _account(email, first_name=first_name)
                PoderoUser.objects.get_or_create(
                    external_user_id=number,
                    defaults={
                        "account": account,
                        "email": email,
                        "language": language,
                        "price_zone": zone,
                    },
                )
            staff = _account(SUPPORT, first_name="Support", is_staff=True)
            staff.groups.set([_support_group()])


def _support_group() -> Group:
    """May look at everything, and have Podero asked again to remove what it refused to."""
    group, _is_new = Group.objects.get_or_create(name="Support")
    ours = Permission.objects.filter(content_type__app_label="onboarding")
    may = Q(codename__startswith="view_") | Q(codename__in=["change_device", "change_poderouser"])
    group.permissions.set(ours.filter(may))
    return group


def _account(email: str, **fields: Any) -> User:
    account, is_new = User.objects.get_or_create(
        username=email, defaults={"email": email, **fields}
    )
    if is_new:
        account.set_password(PASSWORD)
        account.save(update_fields=["password"])
    return account
