"""Consent as evidence: whatever is changed behind the app's back, the seal tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse

from onboarding.flows import withdrawal
from onboarding.flows.evidence import verify_consents
from onboarding.models import Consent, ConsentText, PoderoUser
from onboarding.models.seals import Mark
from tests.factories import NOON, make_consent, make_customer

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
        ("consent", {"seal": ""}),
        ("consent", {"seal": "1$00000000$00"}),
        ("consent", {"withdrawn_at": LATER}),
        ("consent", {"withdrawal_seal": "1$00000000$00"}),
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


@pytest.mark.parametrize("moment", [LATER + timedelta(days=1), None])
def test_changed_withdrawal_is_detected(moment: Any) -> None:
    consent = make_consent()
    withdrawal.withdraw(customer=consent.podero_user, now=LATER)

    tamper("consent", consent.pk, withdrawn_at=moment)

    assert marks() == [Mark.CHANGED]


def test_seal_of_another_consent_does_not_fit() -> None:
    first, second = make_consent(), make_consent()

    tamper("consent", second.pk, seal=first.seal)

    assert [reference for reference, _mark in verify_consents().doubtful] == [second.reference]


@pytest.mark.parametrize(
    "edit",
    [
        lambda consent: consent.save(),
        lambda consent: consent.text.save(),
        lambda consent: Consent.objects.filter(pk=consent.pk).update(channel="phone"),
    ],
)
def test_what_was_agreed_cannot_be_edited(edit: Callable[[Consent], Any]) -> None:
    consent = make_consent()

    with pytest.raises(TypeError):
        edit(consent)

    assert verify_consents().counts == {Mark.INTACT: 1}


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
    assert b"icon-no" not in admin_client.get(page).content

    tamper("consent", consent.pk, channel="phone")

    assert b"icon-no" in admin_client.get(page).content
    assert b"icon-no" in admin_client.get(customer).content
    assert PoderoUser.objects.count() == 1
