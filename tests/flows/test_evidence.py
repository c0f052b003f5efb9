"""Consent as evidence: whatever is changed behind the app's back, the seal tells."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from onboarding.flows import withdrawal
from onboarding.flows.evidence import verify_consents
from onboarding.models import Consent, ConsentText, PoderoUser
from onboarding.models.seals import Mark
from onboarding.states import Actor, Event
from tests.factories import NOON, make_attempt, make_consent, make_customer

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=1)


def tamper(table: str, pk: int, **columns: Any) -> None:
    """Change a row past all that the app enforces, as somebody with a database shell would."""
    assignments = ", ".join(f"{name} = %s" for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE onboarding_{table} SET {assignments} WHERE id = %s",  # noqa: S608
            [*columns.values(), pk],
        )


def marks() -> list[Mark]:
    return [mark for _reference, mark in verify_consents().doubtful]


def test_consent_as_written_is_intact_before_and_after_withdrawal() -> None:
    consent = make_consent()
    before = Consent.objects.get().examine()

    withdrawal.withdraw(customer=consent.podero_user, now=LATER)

    ended = Consent.objects.get()
    assert (before, ended.examine()) == (Mark.INTACT, Mark.INTACT)
    assert (ended.withdrawn_at, ended.seal) == (LATER, consent.seal)
    assert verify_consents().counts == {Mark.INTACT: 1}


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("consent", {"reference": "00000000000040008000000000000001"}),
        ("consent", {"channel": "phone"}),
        ("consent", {"given_at": NOON + timedelta(microseconds=1)}),
        ("consent", {"allows_reminder": True}),
        ("consent", {"seal": "1$00000000$00"}),
        ("consent", {"withdrawn_at": LATER, "withdrawal_seal": "1$00000000$00"}),
        ("consenttext", {"body": "I agree to more."}),
        ("consenttext", {"digest": "0" * 64}),
        ("consenttext", {"version": "2"}),
        ("consenttext", {"language": "de"}),
        ("poderouser", {"reference": "00000000000040008000000000000001"}),
        ("poderouser", {"external_user_id": "another"}),
    ],
)
def test_any_change_is_detected(table: str, columns: dict[str, Any]) -> None:
    consent = make_consent()
    rows = {
        "consent": consent.pk,
        "consenttext": consent.text_id,
        "poderouser": consent.podero_user_id,
    }

    tamper(table, rows[table], **columns)

    assert len(marks()) == 1


def test_consent_that_was_given_to_another_customer_is_detected() -> None:
    consent = make_consent()

    tamper("consent", consent.pk, podero_user_id=make_customer().pk)

    assert marks() == [Mark.CHANGED]


def test_changed_withdrawal_is_detected() -> None:
    consent = make_consent()
    withdrawal.withdraw(customer=consent.podero_user, now=LATER)

    tamper("consent", consent.pk, withdrawn_at=LATER + timedelta(days=1))

    assert marks() == [Mark.CHANGED]


def test_withdrawal_removed_together_with_its_seal_is_detected_while_the_customer_has_left() -> (
    None
):
    consent = make_consent()
    withdrawal.withdraw(customer=consent.podero_user, now=LATER)

    tamper("consent", consent.pk, withdrawn_at=None, withdrawal_seal="")

    assert marks() == [Mark.CHANGED]


@pytest.mark.parametrize(
    ("is_withdrawn", "columns"),
    [
        (False, {"seal": ""}),
        (False, {"allows_control": False}),
        (False, {"withdrawn_at": LATER}),
        (False, {"withdrawal_seal": "1$00000000$00"}),
        (True, {"withdrawn_at": None}),
        (True, {"withdrawal_seal": ""}),
    ],
)
def test_database_refuses_what_no_seal_could_vouch_for(
    is_withdrawn: bool, columns: dict[str, Any]
) -> None:
    consent = make_consent()
    if is_withdrawn:
        withdrawal.withdraw(customer=consent.podero_user, now=LATER)

    with pytest.raises(IntegrityError), transaction.atomic():
        tamper("consent", consent.pk, **columns)

    assert verify_consents().counts == {Mark.INTACT: 1}


def test_seal_of_another_consent_does_not_fit() -> None:
    first, second = make_consent(), make_consent()

    tamper("consent", second.pk, seal=first.seal)

    assert [reference for reference, _mark in verify_consents().doubtful] == [second.reference]


EDITS: dict[str, Callable[[Any], Any]] = {
    "save": lambda row: row.save(),
    "save_of_a_copy": lambda row: type(row)(**values_of(row)).save(),
    "update": lambda row: type(row).objects.filter(pk=row.pk).update(**values_of(row)),
    "base_update": lambda row: type(row)._base_manager.update(**values_of(row)),
    "bulk_update": lambda row: type(row).objects.bulk_update([row], [field_of(row)]),
    "bulk_create": lambda row: type(row).objects.bulk_create([type(row)()]),
    "upsert": lambda row: type(row).objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["id"], update_fields=[field_of(row)]
    ),
    "update_or_create": lambda row: type(row).objects.update_or_create(
        pk=row.pk, defaults={field_of(row): "de"}
    ),
    "delete": lambda row: row.delete(),
    "delete_many": lambda row: type(row).objects.filter(pk=row.pk).delete(),
    "base_delete": lambda row: type(row)._base_manager.all().delete(),
}


def values_of(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def field_of(row: Any) -> str:
    return {"Consent": "channel", "ConsentText": "language", "SessionEvent": "event"}[
        type(row).__name__
    ]


@pytest.mark.parametrize("kind", ["consent", "words", "timeline"])
@pytest.mark.parametrize("edit", EDITS)
def test_evidence_is_neither_edited_nor_removed_by_the_way(kind: str, edit: str) -> None:
    attempt = make_attempt()
    attempt.note(Event.CONSENTED, at=NOON, actor=Actor.CUSTOMER)
    row: Any = {
        "consent": attempt.consent,
        "words": attempt.consent.text,
        "timeline": attempt.events.get(),
    }[kind]
    before = values_of(row)

    # A copy with an old number is refused by the database, all else before it is asked.
    with pytest.raises((TypeError, IntegrityError)), transaction.atomic():
        EDITS[edit](row)

    assert values_of(type(row).objects.get(pk=row.pk)) == before
    assert type(row).objects.count() == 1
    assert verify_consents().counts == {Mark.INTACT: 1}


def test_related_rows_are_no_way_round() -> None:
    consent = make_consent()

    with pytest.raises(TypeError):
        consent.podero_user.consents.update(channel="phone")
    with pytest.raises(TypeError):
        consent.podero_user.consents.all().delete()

    assert verify_consents().counts == {Mark.INTACT: 1}


def test_seals_of_before_the_reminder_was_offered_stay_good() -> None:
    consent = make_consent()

    assert consent.facts()["choices"] == ["allows_control", "allows_data_exchange"]
    assert make_consent(allows_reminder=True).facts()["choices"][-1] == "allows_reminder"
    assert marks() == []


def test_new_secret_key_leaves_evidence_good_while_the_old_one_is_kept(settings: Any) -> None:
    make_consent()
    old, settings.SECRET_KEY = settings.SECRET_KEY, "n" * 50

    assert marks() == [Mark.KEY_MISSING]
    settings.SECRET_KEY_FALLBACKS = [old]
    assert marks() == []


def test_key_of_its_own_outlives_every_secret_key(settings: Any) -> None:
    make_consent()
    settings.CONSENT_KEYS = ["k" * 50]
    make_consent()
    assert marks() == []

    settings.CONSENT_KEYS = ["newer" * 10, "k" * 50, settings.SECRET_KEY]
    settings.SECRET_KEY = "n" * 50

    assert marks() == []


def test_same_words_under_a_new_version_are_another_text() -> None:
    first = make_consent(version="1")
    second = make_consent(version="2")

    assert first.text.digest == second.text.digest
    assert [text.version for text in ConsentText.objects.order_by("pk")] == ["1", "2"]


def test_command_counts_and_ends_well() -> None:
    make_consent()
    out = StringIO()

    call_command("verify_consents", stdout=out)

    assert out.getvalue() == "intact: 1\nchanged: 0\nsealed with a key that is not set: 0\n"


def test_command_names_what_was_changed_and_fails() -> None:
    make_consent()
    consent = make_consent()
    tamper("consent", consent.pk, channel="phone")
    out = StringIO()

    with pytest.raises(CommandError):
        call_command("verify_consents", stdout=out)

    assert "intact: 1\nchanged: 1\n" in out.getvalue()
    assert f"{consent.reference} changed\n" in out.getvalue()


def test_verification_costs_the_same_for_many(django_assert_num_queries: Any) -> None:
    customer = make_customer()
    for _row in range(20):
        make_consent(customer)

    with django_assert_num_queries(1):
        verify_consents()


def test_support_sees_the_words_and_the_mark(admin_client: Any) -> None:
    consent = make_consent(body="<p>I agree to this.</p>")
    page = reverse("admin:onboarding_consent_change", args=[consent.pk])
    customer = reverse("admin:onboarding_poderouser_change", args=[consent.podero_user_id])
    assert "&lt;p&gt;I agree to this." in admin_client.get(page).content.decode()
    assert _is_marked_intact(admin_client.get(page))
    assert _is_marked_intact(admin_client.get(customer))

    tamper("consent", consent.pk, channel="phone")

    assert not _is_marked_intact(admin_client.get(page))
    assert not _is_marked_intact(admin_client.get(customer))
    assert PoderoUser.objects.count() == 1


def _is_marked_intact(response: Any) -> bool:
    found = re.search(r"field-is_intact.*?icon-(yes|no)", response.content.decode(), re.DOTALL)
    assert found, "page without a mark"
    return found[1] == "yes"
