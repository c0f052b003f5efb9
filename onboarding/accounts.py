"""Who is signed in: Django's own accounts, read together with the customer behind them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User


class CustomerBackend(ModelBackend):
    """Every page of ours needs account and customer: one query for both."""

    def get_user(self, user_id: Any) -> User | None:
        accounts = User._default_manager.select_related("podero_user")
        account = accounts.filter(pk=user_id).first()
        return account if account is not None and self.user_can_authenticate(account) else None
