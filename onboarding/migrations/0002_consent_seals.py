from datetime import UTC, datetime
from typing import Any

from django.db import migrations, models

from onboarding.models import seals
from onboarding.models.consents import digest_of


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def seal_consents(apps: Any, schema_editor: Any) -> None:
    """Seal what was agreed before there were seals, as it stands now."""
    consents = apps.get_model("onboarding", "Consent").objects.using(schema_editor.connection.alias)
    for consent in consents.select_related("podero_user", "text").order_by("pk").iterator(500):
        text, customer = consent.text, consent.podero_user
        seal = seals.seal(
            {
                "consent": str(consent.reference),
                "customer": str(customer.reference),
                "customer_number": customer.external_user_id,
                "words": digest_of(text.body),
                "version": text.version,
                "language": text.language,
                "choices": ["allows_control", "allows_data_exchange"],
                "given_at": _instant(consent.given_at),
                "channel": consent.channel,
            }
        )
        withdrawal_seal = (
            seals.seal({"withdrawn_at": _instant(consent.withdrawn_at), "seal": seal})
            if consent.withdrawn_at
            else ""
        )
        consents.filter(pk=consent.pk).update(seal=seal, withdrawal_seal=withdrawal_seal)


class Migration(migrations.Migration):
    dependencies = [
        ("onboarding", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="consenttext",
            name="digest",
            field=models.CharField(editable=False, max_length=64),
        ),
        migrations.AddConstraint(
            model_name="consenttext",
            constraint=models.UniqueConstraint(
                fields=("version", "language", "digest"), name="consent_text_is_kept_once"
            ),
        ),
        migrations.AddField(
            model_name="consent",
            name="seal",
            field=models.CharField(default="", editable=False, max_length=80),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="consent",
            name="withdrawal_seal",
            field=models.CharField(blank=True, editable=False, max_length=80, default=""),
            preserve_default=False,
        ),
        migrations.RunPython(seal_consents, migrations.RunPython.noop),
    ]
