"""A database as full as a large retailer's: rows that the app could have made, copied by SQL.

One row of each kind is made by the app's own models; PostgreSQL multiplies it, so that a column
that is added later is filled without a change here. Row `n` of each table belongs to customer `n`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model

from onboarding.models import Consent, Device, OnboardingSession, PoderoUser, SessionEvent
from onboarding.states import Actor, Event, State
from tests.factories import make_attempt, make_consent, make_customer, make_device

# The rows that are copied have the numbers below this.
FIRST = 1000
STEP = 50_000
# Of ten attempts six are linked, two cancelled, one expired, and one is what a figure needs.
_STATES = (
    "CASE WHEN mod(n, 10) < 6 THEN 'linked' WHEN mod(n, 10) < 8 THEN 'cancelled' ELSE 'expired' END"
)


def fill(count: int, *, now: datetime) -> None:
    """Fill an empty, migrated PostgreSQL with `count` customers of one attempt each."""
    long_ago = now - timedelta(days=100)
    customer = make_customer(created_at=long_ago)
    attempt = make_attempt(
        customer=customer,
        consent=make_consent(customer, given_at=long_ago),
        state=State.LINKED,
        started_at=long_ago,
        opened_at=long_ago,
        expires_at=long_ago,
        finished_at=long_ago,
        next_try_at=None,
    )
    attempt.note(Event.CONSENTED, at=long_ago, actor=Actor.CUSTOMER)
    # Not due before tomorrow, so that no sweep asks Podero about them; confirmed by a mere word, so
    # that whoever looks for doubtful ones has to mind them all.
    due = dict.fromkeys(("checked_at", "asked_about_at", "savings_due_at"), now + timedelta(days=1))
    device = make_device(attempt=attempt, confirmed_at=long_ago, **due)
    with connection.cursor() as cursor:
        # The numbers fit by construction; looking each of them up would take most of the time.
        cursor.execute("SET session_replication_role = replica")
    for start in range(FIRST, FIRST + count, STEP):
        numbers = (start, min(start + STEP, FIRST + count) - 1)
        _multiply(customer.account, numbers, {"username": "'bench-' || n"})
        _multiply(
            customer,
            numbers,
            {
                "reference": "gen_random_uuid()",
                "account_id": "n",
                "external_user_id": "'bench-' || n",
                "email": "'bench-' || n || '@bench.example'",
                "podero_id": "gen_random_uuid()",
            },
        )
        _multiply(
            attempt.consent, numbers, {"reference": "gen_random_uuid()", "podero_user_id": "n"}
        )
        _multiply(
            attempt,
            numbers,
            {
                "reference": "gen_random_uuid()",
                "podero_user_id": "n",
                "consent_id": "n",
                "submission": "gen_random_uuid()",
                "podero_id": "gen_random_uuid()",
                "return_token_hash": "encode(sha256(('bench-' || n)::bytea), 'hex')",
                "state": _STATES,
            },
        )
        _multiply(attempt.events.get(), numbers, {"attempt_id": "n"})
        _multiply(
            device,
            numbers,
            {
                "reference": "gen_random_uuid()",
                "podero_user_id": "n",
                "attempt_id": "n",
                "podero_id": "gen_random_uuid()",
            },
            where="mod(n, 10) < 6",
        )
    with connection.cursor() as cursor:
        for model in (User, PoderoUser, Consent, OnboardingSession, SessionEvent, Device):
            table = model._meta.db_table
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), "  # noqa: S608
                f"(SELECT max(id) FROM {table}))"
            )
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE")


def leave_unopened(one_in: int, *, started_at: datetime) -> int:
    """Turn every so-manieth attempt back into one whose form was never opened."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE onboarding_onboardingsession SET state = 'started', podero_id = NULL,"
            " failure_code = '', opened_at = NULL, expires_at = NULL, finished_at = NULL,"
            " next_try_at = NULL, started_at = %s WHERE id >= %s AND mod(id, %s) = %s",
            [started_at, FIRST, one_in, one_in - 1],
        )
        left: int = cursor.rowcount
        cursor.execute("VACUUM ANALYZE onboarding_onboardingsession, onboarding_sessionevent")
    return left


def _multiply(
    row: Model, numbers: tuple[int, int], changes: Mapping[str, str], *, where: str = "true"
) -> None:
    """Copy a row once for each number `n`, with these columns as SQL says."""
    table = row._meta.db_table
    columns = [str(field.column) for field in row._meta.concrete_fields]
    values = {column: f"row.{column}" for column in columns} | {"id": "n"} | dict(changes)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608
            f"SELECT {', '.join(values[column] for column in columns)} "
            f"FROM {table} AS row CROSS JOIN generate_series(%s, %s) AS n "
            f"WHERE row.id = %s AND {where}",
            [*numbers, row.pk],
        )
