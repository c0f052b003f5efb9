from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("onboarding", "0003_mails"),
    ]

    operations = [
        migrations.CreateModel(
            name="ErasedCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField(verbose_name="day")),
                ("kind", models.CharField(max_length=60, verbose_name="kind")),
                ("count", models.PositiveIntegerField(default=0, verbose_name="number")),
            ],
            options={
                "verbose_name": "erased count",
                "verbose_name_plural": "erased counts",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("day", "kind"), name="one_count_per_day_and_kind"
                    )
                ],
            },
        ),
    ]
