"""Exactly one Podero user per customer, whatever is lost, repeated or done twice at once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError

from onboarding import podero
from onboarding.models import PoderoUser

# Podero documents no answer to a repeated e-mail or external id; these are the likely ones.
DUPLICATE_STATUSES = frozenset({400, 409, 422})


class UserBeingMade(Exception):
    """Another process is making, replacing or removing this customer's Podero user right now."""


class EmailTaken(Exception):
    """The e-mail address belongs to a Podero user with another customer number."""


def ensure_podero_user(*, client: podero.PoderoClient, customer: PoderoUser, now: datetime) -> UUID:
    """Podero's id of the customer, found or made.

    Raises UserBeingMade, EmailTaken, or podero.PoderoError when Podero could not be asked.
    """
    if customer.podero_id is not None:
        if customer.is_claimed(now=now):
            # It may be gone in a moment.
            raise UserBeingMade
        return customer.podero_id
    return _find_or_create(
        client=client, customer=customer, looks_first=customer.is_creation_in_doubt, now=now
    )


def replace_podero_user(
    *, client: podero.PoderoClient, customer: PoderoUser, now: datetime
) -> UUID:
    """Find or make the customer again, whose id Podero no longer knows. Raises the same.

    The old id stays on record until there is a new one.
    """
    return _find_or_create(client=client, customer=customer, looks_first=True, now=now)


def is_known_to_podero(*, client: podero.PoderoClient, user_id: UUID) -> bool:
    """Whether Podero still has the user. Raises podero.PoderoError when it could not be asked."""
    try:
        client.get_user(user_id)
    except (podero.NotFound, podero.Forbidden, podero.Refused):
        # Which status tells of a user that is gone is not documented.
        return False
    return True


def _find_or_create(
    *, client: podero.PoderoClient, customer: PoderoUser, looks_first: bool, now: datetime
) -> UUID:
    if not customer.claim(now=now, is_creation_in_doubt=True):
        return _made_by_another(customer)
    try:
        podero_id = _find_for_certain(client, customer) if looks_first else None
        podero_id = podero_id or _create(client, customer)
        is_recorded = customer.record_podero_id(podero_id)
    except IntegrityError as error:
        customer.release()
        raise EmailTaken from error
    except (podero.PoderoError, EmailTaken):
        customer.release()
        raise
    return podero_id if is_recorded else _made_by_another(customer)


def _made_by_another(customer: PoderoUser) -> UUID:
    customer.refresh_from_db()
    if customer.podero_id is None:
        raise UserBeingMade
    return customer.podero_id


def _create(client: podero.PoderoClient, customer: PoderoUser) -> UUID:
    try:
        user = client.create_user(email=customer.email, external_user_id=customer.external_user_id)
    except podero.Refused as refusal:
        if refusal.status not in DUPLICATE_STATUSES:
            raise
        found = _find(client, customer) or _find_in_list(client, customer, refusal)
        if found is None:
            raise
        return found
    return user.id


def _find_for_certain(client: podero.PoderoClient, customer: PoderoUser) -> UUID | None:
    """Asks again whether there is none: where Podero minds no duplicate, two would be made."""
    return _find(client, customer) or _find(client, customer)


def _find(client: podero.PoderoClient, customer: PoderoUser) -> UUID | None:
    user = client.find_user_by_external_id(customer.external_user_id)
    return user.id if user is not None else None


def _find_in_list(
    client: podero.PoderoClient, customer: PoderoUser, refusal: podero.Refused
) -> UUID | None:
    """Tell a user that the direct look-up missed from an e-mail that is somebody else's."""
    try:
        users = client.list_users()
        with_deleted = client.list_users(include_deleted=True)
    except podero.PoderoError as error:
        if error.is_retryable:
            raise
        # The list of a large organisation is more than we are willing to read.
        if refusal.status == 409 or "email" in refusal.fields:
            raise EmailTaken from error
        return None
    for user in users:
        if user.external_user_id == customer.external_user_id:
            return user.id
    # A user deleted at Podero may still hold the number or the address; only Podero can free them.
    if any(
        user.external_user_id == customer.external_user_id
        or user.email.casefold() == customer.email.casefold()
        for user in with_deleted
    ):
        raise EmailTaken
    return None
