"""Tells what an installation's database holds: `python -m drill.facts`, in its environment.

Rows go out as they are, column by column, so that a column more or less is no matter.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import django
from django.core.serializers.json import DjangoJSONEncoder


class Encoder(DjangoJSONEncoder):
    """Django's, but without cutting moments to milliseconds."""

    def default(self, o: Any) -> Any:
        return o.isoformat() if hasattr(o, "isoformat") else super().default(o)


def held() -> dict[str, Any]:
    from onboarding import models  # noqa: PLC0415  (only importable once set up)

    return {
        "customers": list(models.PoderoUser.objects.order_by("pk").values()),
        "consents": list(
            models.Consent.objects.order_by("pk").values(
                "id", "podero_user_id", "given_at", "withdrawn_at"
            )
        ),
        "attempts": list(models.OnboardingSession.objects.order_by("pk").values()),
        "events": list(models.SessionEvent.objects.order_by("pk").values()),
        "devices": list(models.Device.objects.order_by("pk").values()),
    }


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    json.dump(held(), sys.stdout, cls=Encoder)


if __name__ == "__main__":
    main()
