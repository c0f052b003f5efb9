"""The app's own settings, and each answer tells what its time was made of."""

from __future__ import annotations

from config.settings import *  # noqa: F403
from config.settings import MIDDLEWARE as _MIDDLEWARE

MIDDLEWARE = ["scripts.bench.timing.server_timing", *_MIDDLEWARE]
