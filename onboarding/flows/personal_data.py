"""Everything held about one customer: what an export tells and an erasure takes away.

A column that is new must be named here; a test compares these lists with the models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db.models import Model, Q, QuerySet

from onboarding.flows import sign_in_failures, throttling
from onboarding.flows.passes import in_batches
from onboarding.models import (
    ChargeWish,
    Consent,
    ConsentText,
    Device,
    Mail,
    OnboardingSession,
    PoderoUser,
    Reconnection,
    SessionEvent,
    Tally,
)

_OURS = "a number of this database that says nothing elsewhere"
_KEY = "a key that would let whoever reads the file act as the customer"
_DIGEST = "a digest of the manufacturer's id of the device, by which another account is noticed"
_WORK = "when background work looks at the row again"
_REMOVAL = (
    "removal_wanted_at",
    "removal_refusals",
    "removal_refused_status",
    "removal_failure_code",
    "removed_at",
)
_REMOVING = {"removal_due_at": _WORK, "removal_tries": _WORK}
_CLAIM = {"id": _OURS, "claimed_at": _WORK, "tries": _WORK, "next_try_at": _WORK}


@dataclass(frozen=True)
class Held:
    """One table: its name in the export, how its rows lead to the customer, and its columns."""

    name: str
    model: type[Model]
    customer: str
    told: tuple[str, ...]
    withheld: dict[str, str] = field(default_factory=dict)
    is_shared: bool = False

    def rows_of(self, customer: PoderoUser) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model._base_manager.filter(**{self.customer: customer.pk})
        return rows.order_by("pk").distinct()


# In an order in which they can be erased.
HELD = (
    Held(
        "timeline",
        SessionEvent,
        "attempt__podero_user",
        (
            "attempt",
            "at",
            "event",
            "actor",
            "state_before",
            "state_after",
            "failure_code",
            "podero_status",
        ),
        {"id": _OURS},
    ),
    Held("mails", Mail, "consent__podero_user", ("consent", "kind", "sent_at"), _CLAIM),
    Held(
        "charge_wishes",
        ChargeWish,
        "device__podero_user",
        ("device", "is_start", "wished_at", "answer", "answered_at"),
        _CLAIM,
    ),
    Held(
        "reconnections",
        Reconnection,
        "device__podero_user",
        (
            "reference",
            "device",
            "state",
            "failure_code",
            "was_lapsed",
            "started_at",
            "opened_at",
            "returned_at",
            "returned_device_id",
            "is_return_matched",
            "foreign_return_at",
            "finished_at",
        ),
        _CLAIM | {"token_hash": _KEY, "cue_id": _KEY, "account_mark": _DIGEST},
    ),
    Held(
        "devices",
        Device,
        "podero_user",
        (
            "reference",
            "attempt",
            "podero_id",
            "device_type",
            "manufacturer",
            "model",
            "external_device_id",
            "linked_at",
            "linked_after",
            "confirmed_at",
            "is_named_by_session",
            "is_holder_proven",
            "login_doubted_at",
            "login_judged_at",
            "is_optimization_wanted",
            "is_optimization_active",
            "is_optimization_in_doubt",
            "is_authenticated",
            "is_action_needed",
            "connection_status",
            "checked_at",
            "missing_since",
            *_REMOVAL,
            "report",
            "savings",
        ),
        _CLAIM
        | _REMOVING
        | {
            "podero_user": _OURS,
            "account_mark": _DIGEST,
            "savings_due_at": _WORK,
            "asked_about_at": _WORK,
        },
    ),
    Held(
        "attempts",
        OnboardingSession,
        "podero_user",
        (
            "reference",
            "consent",
            "continues",
            "device_type",
            "state",
            "failure_code",
            "expires_at",
            "started_at",
            "opened_at",
            "returned_at",
            "returned_device_id",
            "is_return_matched",
            "foreign_return_at",
            "finished_at",
        ),
        _CLAIM
        | {
            "podero_user": _OURS,
            "submission": _OURS,
            "podero_id": _KEY,
            "return_token_hash": _KEY,
        },
    ),
    Held(
        "consents",
        Consent,
        "podero_user",
        (
            "reference",
            "text",
            "allows_control",
            "allows_data_exchange",
            "allows_reminder",
            "channel",
            "given_at",
            "withdrawn_at",
            "seal",
            "withdrawal_seal",
        ),
        {"id": _OURS, "podero_user": _OURS},
    ),
    Held(
        "words",
        ConsentText,
        "consent__podero_user",
        ("digest", "version", "language", "body"),
        {"id": _OURS},
        is_shared=True,
    ),
    Held(
        "customer",
        PoderoUser,
        "pk",
        (
            "reference",
            "account",
            "external_user_id",
            "email",
            "podero_id",
            "is_creation_in_doubt",
            "language",
            "price_zone",
            "created_at",
            "withdrawn_at",
            "reminders_stopped_at",
            *_REMOVAL,
        ),
        _CLAIM | _REMOVING | {"devices_asked_at": _WORK},
    ),
    Held(
        "account",
        User,
        "podero_user",
        (
            "id",
            "username",
            "first_name",
            "last_name",
            "email",
            "is_active",
            "is_staff",
            "is_superuser",
            "date_joined",
            "last_login",
        ),
        {"password": _KEY},
    ),
)

# Found in another way than by a column that names the customer; see below.
FOUND_OTHERWISE: dict[type[Model], str] = {
    Session: "sign-ins: known only from what is inside a row",
    LogEntry: "what staff did in the admin to rows of this customer",
    AccessAttempt: "wrong passwords of the last minutes: the account stands in it as a digest",
    Tally: "refused links and looks of the last hour: the customer stands in it as a digest",
}


def sign_ins_of(customer: PoderoUser, *, saved_since: datetime | None = None) -> Iterator[Session]:
    """Browsers in which the customer is signed in, or nobody is who came back for the customer.

    Every sign-in has to be opened to know, and there may be millions; `saved_since` leaves out
    those that were written before.
    """
    own = (customer.attempts, Reconnection.objects.for_customer(customer))
    ways_back = [str(pk) for rows in own for pk in rows.values_list("reference", flat=True)]
    sessions = Session.objects.all()
    if saved_since is not None:
        lasting = timedelta(seconds=settings.SESSION_COOKIE_AGE)
        sessions = sessions.filter(expire_date__gte=saved_since + lasting)
    for session in in_batches(sessions, size=500):
        held = session.get_decoded()
        signed_in = held.get("_auth_user_id")
        if signed_in == str(customer.account_id) or (
            signed_in is None and any(reference in str(held) for reference in ways_back)
        ):
            yield session


def log_entries_of(customer: PoderoUser) -> QuerySet[LogEntry]:
    about = Q(user=customer.account_id)
    for held in HELD:
        if not held.is_shared:
            pks = [str(pk) for pk in held.rows_of(customer).values_list("pk", flat=True)]
            kind = ContentType.objects.get_for_model(held.model)
            about |= Q(content_type=kind, object_id__in=pks)
    return LogEntry.objects.filter(about).order_by("pk")


def failed_sign_ins_of(customer: PoderoUser) -> QuerySet[AccessAttempt]:
    return sign_in_failures.failures_of(customer.account.get_username())


def tallies_of(customer: PoderoUser) -> QuerySet[Tally]:
    number = customer.external_user_id
    counted = (throttling.handoff_digest, throttling.look_digest)
    return Tally.objects.filter(digest__in=[digest(customer_number=number) for digest in counted])


def told_of(held: Held, customer: PoderoUser) -> list[dict[str, Any]]:
    relations = [name for name in held.told if held.model._meta.get_field(name).is_relation]
    rows = held.rows_of(customer).select_related(*relations)
    return [{name: _plain(getattr(row, name)) for name in held.told} for row in rows]


def _plain(value: Any) -> Any:
    """A row stands for itself by what names it elsewhere in the export."""
    if isinstance(value, Model):
        return next(
            getattr(value, name) for name in ("reference", "digest", "pk") if hasattr(value, name)
        )
    return value
