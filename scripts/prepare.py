"""Brings database, static files and demo data up to date: `python -m scripts.prepare`."""

from __future__ import annotations

import os
import sys

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        django.setup()
    except ImproperlyConfigured as error:
        sys.exit(f"Cannot start: {error}")
    from django.conf import settings  # noqa: PLC0415  (only readable once set up)

    call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)
    if not settings.IS_HTTPS:
        call_command("demo_data", verbosity=0)


if __name__ == "__main__":
    main()
