"""Settings of the tests: the app's own, with an environment that no `.env` can change.

TEST_DATABASE names a database server to use instead of SQLite, for example
`python -m tests.servers postgres -- pytest` sets it for a server of its own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="onboarding-tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

# Every variable the app reads: an empty one counts as not set, so that nothing leaks in.
ENVIRONMENT = {
    "SECRET_KEY": "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLM",
    "SECRET_KEY_FALLBACKS": "",
    "CONSENT_KEYS": "",
    "DEBUG": "",
    "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
    "SITE_URL": "http://localhost:8000",
    "VAR_DIR": _folder,
    "DATABASE_URL": os.environ.get("TEST_DATABASE") or f"sqlite:///{_folder}/db.sqlite3",
    "DATABASE_STATEMENT_SECONDS": "",
    "REDIS_URL": "",
    "WORKER_THREADS": "",
    "PASSES_AT_ONCE": "",
    "WEB_THREADS": "",
    "LOG_FORMAT": "line",
    "METRICS_TOKEN": "",
    "SENTRY_DSN": "",
    "PODERO_BASE_URL": "http://127.0.0.1:9",
    "PODERO_ORG_ID": "00000000-0000-4000-8000-000000000001",
    "PODERO_CLIENT_ID": "demo-client",
    "PODERO_CLIENT_SECRET": "demo-secret",
    "PODERO_AUTH_TOKEN": "",
    "PODERO_CONNECT_HOSTS": "127.0.0.1:9",
    "PODERO_PRICE_ZONE": "AT",
    "PODERO_MAX_WAITING": "",
    "PODERO_CALLS_PER_SECOND": "",
    "PODERO_TIMEOUT_SECONDS": "",
    "ONBOARDING_ACTIVATION": "",
    "PORTAL_URL": "",
    "HANDOFF_SECRET": "only-for-tests-a-secret-shared-with-the-portal",
    "HANDOFF_PUBLIC_KEY": "",
    "HANDOFF_ISSUER": "demo-portal",
    "HANDOFF_AUDIENCE": "",
    "RETAIN_ATTEMPTS_DAYS": "",
    "RETAIN_CONSENTS_DAYS": "",
    "EMAIL_URL": "",
    "DEFAULT_FROM_EMAIL": "",
    "THROTTLE": "",
    "THROTTLE_MINUTES": "",
    "THROTTLE_PER_ACCOUNT": "",
    "THROTTLE_PER_ADDRESS": "",
    "THROTTLE_ATTEMPTS_PER_HOUR": "",
    "TRUSTED_PROXIES": "",
    "FRAME_ANCESTORS": "",
    "BRAND_NAME": "Alpenstrom",
    "BRAND_COLOR": "",
    "BRAND_LOGO": "",
    "SUPPORT_EMAIL": "help@alpenstrom.example",
    "SUPPORT_PHONE": "+43 1 234 56 78",
    "SUPPORT_HOURS": "Mon–Fri 8–18",
    "PRIVACY_URL": "https://alpenstrom.example/privacy",
    "TERMS_URL": "https://alpenstrom.example/terms",
}
os.environ.update(ENVIRONMENT)

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES, STORAGES  # noqa: E402

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, not memory: tests of races need several connections to one database.
    DATABASES["default"]["TEST"] = {"NAME": f"{_folder}/tests.sqlite3"}
    DATABASES["default"]["OPTIONS"]["init_command"] += "; PRAGMA synchronous=OFF"
DATABASES["default"]["CONN_MAX_AGE"] = 0

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CELERY_BROKER_URL = "memory://localhost"
CELERY_BROKER_TRANSPORT = "memory"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Otherwise each test client looks through all static files before its first request.
WHITENOISE_AUTOREFRESH = True
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
