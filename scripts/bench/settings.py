"""The app's own settings with one address more: a view that does nothing."""

from __future__ import annotations

from config.settings import *  # noqa: F403

ROOT_URLCONF = "scripts.bench.urls"
