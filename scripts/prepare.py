"""Brings database, static files and demo data up to date: `python -m scripts.prepare`."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

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
    collect_static(Path(settings.STATIC_ROOT), settings.VAR_DIR / "static-sources")
    if not settings.IS_HTTPS:
        call_command("demo_data", verbosity=0)


def collect_static(root: Path, stamp: Path) -> None:
    """Hash and compress the static files, which takes seconds, unless none has changed."""
    from django.contrib.staticfiles.finders import get_finders  # noqa: PLC0415  (needs settings)

    sources = hashlib.sha256(django.get_version().encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            changed = storage.get_modified_time(name).timestamp()
            sources.update(f"{name} {storage.size(name)} {changed}\n".encode())
    if stamp.is_file() and stamp.read_text() == sources.hexdigest() and any(root.iterdir()):
        return
    call_command("collectstatic", verbosity=0, interactive=False)
    stamp.write_text(sources.hexdigest())


if __name__ == "__main__":
    main()
