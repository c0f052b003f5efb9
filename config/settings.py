"""All settings, each from the environment; `.env.example` lists them. Nonsense stops the start.

Django: https://docs.djangoproject.com/en/5.2/ref/settings/
Celery: https://docs.celeryq.dev/en/stable/userguide/configuration.html
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from ssl import CERT_REQUIRED
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django_guid.integrations.celery import CeleryIntegration

from config import env, logs, sentry

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_file(BASE_DIR / ".env")

# --- The installation -----------------------------------------------------------------------

SECRET_KEY = env.required("SECRET_KEY", "a long random string")
# Keys of before, still good for what was signed with them.
SECRET_KEY_FALLBACKS = env.names("SECRET_KEY_FALLBACKS")
CONSENT_KEYS = env.names("CONSENT_KEYS")
DEBUG = env.switch("DEBUG", default=False)
SITE_URL = env.address("SITE_URL")
if not SITE_URL:
    raise ImproperlyConfigured(
        "SITE_URL: expected the public address of this app, but it is not set"
    )
_site = urlsplit(SITE_URL)
if _site.path:
    raise ImproperlyConfigured("SITE_URL: expected an address without a path")
IS_HTTPS = _site.scheme == "https"
ALLOWED_HOSTS = env.allowed_hosts(
    "ALLOWED_HOSTS",
    default=[str(_site.hostname)] if IS_HTTPS else ["localhost", "127.0.0.1", "[::1]"],
    site_host=str(_site.hostname),
)
VAR_DIR = env.folder("VAR_DIR", default=BASE_DIR / "var")

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "onboarding",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_guid",
]
MIDDLEWARE = [
    "config.middleware.plausible_request_ids",
    "django_guid.middleware.guid_middleware",
    "config.compression.compressed_pages",
    "csp.middleware.CSPMiddleware",
    "config.middleware.private_pages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.middleware.frames",
    "config.middleware.probes",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "onboarding.lockout.remember_browser",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "onboarding.branding.brand",
            ],
        },
    },
]

# --- Database, cache and broker: embedded for one machine, servers for more ------------------

REDIS_URL = env.text("REDIS_URL")
if REDIS_URL and urlsplit(REDIS_URL).scheme not in {"redis", "rediss"}:
    raise ImproperlyConfigured("REDIS_URL: expected an address such as redis://localhost:6379/0")

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}"),
}
# No page and no batch takes so long; a migration of a large table may, with 0 for no limit.
DATABASE_STATEMENT_SECONDS = env.whole_number(
    "DATABASE_STATEMENT_SECONDS", default=60, at_least=0, at_most=86400
)
_database = DATABASES["default"]
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # Writers queue up for the busy timeout instead of failing when a read becomes a write.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON",
    }
    _database["CONN_MAX_AGE"] = None
else:
    # Nobody waits for ever: not we for a server that vanishes without a word, nor others for the
    # locks that we hold when it is us who vanish. What is given in DATABASE_URL wins.
    _database["OPTIONS"] = {
        "options": " ".join(
            f"-c {name}={value}"
            for name, value in {
                "lock_timeout": "15s",
                "idle_in_transaction_session_timeout": "60s",
                "statement_timeout": f"{DATABASE_STATEMENT_SECONDS}s",
                "tcp_keepalives_idle": 10,
                "tcp_keepalives_interval": 5,
                "tcp_keepalives_count": 3,
            }.items()
        ),
        "connect_timeout": 5,
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    } | _database.get("OPTIONS", {})
    _database["CONN_MAX_AGE"] = 60
    _database["CONN_HEALTH_CHECKS"] = True

CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "config.caching.RedisWhileItAnswers",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 0.2, "socket_timeout": 0.2},
    }
    if REDIS_URL
    else {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": VAR_DIR / "cache",
    },
}

# A row in the database is the truth and a message only a nudge: losing one costs a minute.
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    if urlsplit(REDIS_URL).scheme == "rediss":
        # As the cache does; left to itself, kombu would take any certificate.
        CELERY_BROKER_USE_SSL = {"ssl_cert_reqs": CERT_REQUIRED}
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "visibility_timeout": 120,
        "socket_connect_timeout": 1,
        "socket_timeout": 5,
    }
else:
    _broker_dir = VAR_DIR / "broker"
    for _folder in ("messages", "control"):
        (_broker_dir / _folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    CELERY_BROKER_URL = "filesystem://localhost"  # the name means nothing, but kombu misses it
    CELERY_BROKER_TRANSPORT = "config.broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_broker_dir / "messages"),
        "data_folder_out": str(_broker_dir / "messages"),
        "control_folder": str(_broker_dir / "control"),
        "store_processed": False,
        "polling_interval": 0.05,
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker waits for its broker for as long as it takes.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = env.whole_number("WORKER_THREADS", default=12, at_least=1, at_most=200)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
# Every so many seconds; what a sweep misses, the next one finds.
SCHEDULED_JOBS = {
    "have_a_token": 60,
    "free_stuck_claims": 60,
    "verify_due_returns": 30,
    "switch_due_devices": 30,
    "remove_due_devices": 30,
    "remove_due_customers": 60,
    "charge_due_devices": 15,
    "take_up_due_reconnections": 30,
    "look_up_due_attempts": 60,
    "refresh_due_devices": 60,
    "fetch_due_savings": 600,
    "send_due_mails": 30,
    "expire_due_attempts": 300,
    "forget_what_ran_out": 3600,
    "erase_what_is_over": 3600,
}
# What there may be much of, and waits on Podero, is shared out among so many passes, which as many
# threads of the workers do at one time.
_SHARED_JOBS = {
    "verify_due_returns",
    "look_up_due_attempts",
    "refresh_due_devices",
    "fetch_due_savings",
}
# By so much a worker's clock may be ahead of the beat's before it takes all messages for old ones.
_CLOCKS_APART_SECONDS = 60
PASSES_AT_ONCE = env.whole_number(
    "PASSES_AT_ONCE", default=2 if REDIS_URL else 1, at_least=1, at_most=200
)
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    name if number == 0 else f"{name}-{number}": {
        "task": f"onboarding.{name}",
        "schedule": seconds,
        "kwargs": {"number": number, "of": PASSES_AT_ONCE} if name in _SHARED_JOBS else {},
        # A message that nobody took in time is of no use beside the next one. What a customer sets
        # off goes first, and what takes long goes last (with Redis the lower number is the sooner).
        "options": {
            "expires": seconds + _CLOCKS_APART_SECONDS,
            "priority": 9 if name in _SHARED_JOBS else 6,
        },
    }
    for name, seconds in SCHEDULED_JOBS.items()
    for number in range(PASSES_AT_ONCE if name in _SHARED_JOBS else 1)
}

# --- How long what is held is kept ----------------------------------------------------------

RETAIN_ATTEMPTS_DAYS = env.whole_number(
    "RETAIN_ATTEMPTS_DAYS", default=400, at_least=30, at_most=9999
)
# An attempt rests on its consent, so that this is no shorter.
RETAIN_CONSENTS_DAYS = env.whole_number(
    "RETAIN_CONSENTS_DAYS",
    default=max(1096, RETAIN_ATTEMPTS_DAYS),
    at_least=RETAIN_ATTEMPTS_DAYS,
    at_most=9999,
)

# --- Podero ---------------------------------------------------------------------------------

PODERO_BASE_URL = env.address("PODERO_BASE_URL", default="https://app.podero.com")
PODERO_ORG_ID = env.uuid("PODERO_ORG_ID", "the organisation's UUID")
PODERO_AUTH_TOKEN = env.bearer_token("PODERO_AUTH_TOKEN")
PODERO_CLIENT_ID = env.text("PODERO_CLIENT_ID")
PODERO_CLIENT_SECRET = env.text("PODERO_CLIENT_SECRET")
if not PODERO_AUTH_TOKEN and not (PODERO_CLIENT_ID and PODERO_CLIENT_SECRET):
    raise ImproperlyConfigured(
        "PODERO_CLIENT_ID and PODERO_CLIENT_SECRET: expected both, or PODERO_AUTH_TOKEN instead"
    )
PODERO_CONNECT_HOSTS = env.hosts("PODERO_CONNECT_HOSTS", default=["connect.podero.com"])
PODERO_PRICE_ZONE = env.price_zone("PODERO_PRICE_ZONE")
# Threads of one web process; gunicorn.conf.py makes as many. Slow calls must leave some of them
# for pages that ask nobody.
WEB_THREADS = env.whole_number("WEB_THREADS", default=40, at_least=1, at_most=1000)
PODERO_MAX_WAITING = env.whole_number(
    "PODERO_MAX_WAITING", default=max(WEB_THREADS // 2, 1), at_least=1, at_most=1000
)
PODERO_CALLS_PER_SECOND = env.whole_number(
    "PODERO_CALLS_PER_SECOND", default=0, at_least=1, at_most=10_000
)
# Twice this is the longest press, and no longer than a web process is given to end.
PODERO_TIMEOUT_SECONDS = env.whole_number(
    "PODERO_TIMEOUT_SECONDS", default=8, at_least=1, at_most=10
)
ONBOARDING_ACTIVATION = env.choice(
    "ONBOARDING_ACTIVATION", choices=["after_return", "immediately"], default="after_return"
)

# --- The portal that sends customers --------------------------------------------------------

PORTAL_URL = env.address("PORTAL_URL", with_query=True)
HANDOFF_SECRET = env.text("HANDOFF_SECRET")
HANDOFF_PUBLIC_KEY = env.public_key("HANDOFF_PUBLIC_KEY")
HANDOFF_ISSUER = env.text("HANDOFF_ISSUER")
HANDOFF_AUDIENCE = env.text("HANDOFF_AUDIENCE", "podero-onboarding")
if HANDOFF_SECRET and HANDOFF_PUBLIC_KEY:
    raise ImproperlyConfigured("HANDOFF_SECRET, HANDOFF_PUBLIC_KEY: expected one of them, not both")
if (HANDOFF_SECRET or HANDOFF_PUBLIC_KEY) and not HANDOFF_ISSUER:
    raise ImproperlyConfigured(
        "HANDOFF_ISSUER: expected the `iss` of the portal's tokens, but it is not set"
    )

# --- Mail -----------------------------------------------------------------------------------

_mail = env.mail_server("EMAIL_URL")
IS_MAIL_ON = bool(_mail)
EMAIL_BACKEND = _mail.get("EMAIL_BACKEND", "django.core.mail.backends.dummy.EmailBackend")
EMAIL_HOST = _mail.get("EMAIL_HOST") or "localhost"
EMAIL_PORT = _mail.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = _mail.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _mail.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = bool(_mail.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(_mail.get("EMAIL_USE_SSL"))
EMAIL_FILE_PATH = _mail.get("EMAIL_FILE_PATH") or None
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.sender("DEFAULT_FROM_EMAIL")
if IS_MAIL_ON and not DEFAULT_FROM_EMAIL:
    raise ImproperlyConfigured(
        "DEFAULT_FROM_EMAIL: expected the sender of mails, because EMAIL_URL is set"
    )

# --- The retailer's face --------------------------------------------------------------------

BRAND_NAME = env.text("BRAND_NAME")
BRAND_COLOR = env.color("BRAND_COLOR", "#14532d")
BRAND_LOGO = env.logo("BRAND_LOGO")
SUPPORT_EMAIL = env.email("SUPPORT_EMAIL")
SUPPORT_PHONE = env.text("SUPPORT_PHONE")
SUPPORT_HOURS = env.text("SUPPORT_HOURS")
PRIVACY_URL = env.address("PRIVACY_URL", with_query=True)
TERMS_URL = env.address("TERMS_URL", with_query=True)

# --- Language and time ----------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "onboarding" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
# How the admin writes times; customers' pages name their own form and the customer's time zone.
FORMAT_MODULE_PATH = ["config.formats"]

# --- Static files ---------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(mode=0o755, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "config.storage.HashedFiles"},
}
# Without `collectstatic` the files are served as they lie in the checkout, not compressed.
WHITENOISE_USE_FINDERS = True
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# --- Signing in and cookies -----------------------------------------------------------------

LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "start"
LOGOUT_REDIRECT_URL = "start"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
SESSION_ENGINE = "onboarding.sessions"
# Longer than a hosted form lives, so that whoever comes back late is still signed in.
SESSION_COOKIE_AGE = 4 * 24 * 3600
# `Strict` would lose the session on the way back from the hosted form.
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "onboarding.views.problems.csrf_failure"
CSRF_TRUSTED_ORIGINS = [SITE_URL]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
# Browsers take a cookie of such a name from this very host only, over https and for every path.
_cookie = "__Host-{}" if IS_HTTPS else "{}"
SESSION_COOKIE_NAME = _cookie.format("sessionid")
CSRF_COOKIE_NAME = _cookie.format("csrftoken")
KNOWN_BROWSER_COOKIE_NAME = _cookie.format("known")
# The other storage would put what staff are told into a cookie of its own.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- How often is too often; see flows/throttling.py and lockout.py --------------------------

IS_THROTTLED = env.switch("THROTTLE", default=True)
THROTTLE_MINUTES = env.whole_number("THROTTLE_MINUTES", default=15, at_least=1, at_most=60)
THROTTLE_PER_ACCOUNT = env.whole_number(
    "THROTTLE_PER_ACCOUNT", default=10, at_least=3, at_most=1000
)
THROTTLE_PER_ADDRESS = env.whole_number(
    "THROTTLE_PER_ADDRESS", default=50, at_least=3, at_most=100_000
)
THROTTLE_ATTEMPTS_PER_HOUR = env.whole_number(
    "THROTTLE_ATTEMPTS_PER_HOUR", default=10, at_least=3, at_most=1000
)
if THROTTLE_PER_ADDRESS < THROTTLE_PER_ACCOUNT:
    raise ImproperlyConfigured(
        "THROTTLE_PER_ADDRESS: expected not less than THROTTLE_PER_ACCOUNT: many share an address"
    )
TRUSTED_PROXIES = env.whole_number("TRUSTED_PROXIES", default=0, at_least=0, at_most=10)

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "onboarding.accounts.CustomerBackend",
]
AXES_ENABLED = IS_THROTTLED
AXES_HANDLER = "onboarding.lockout.Handler"
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]
AXES_FAILURE_LIMIT = THROTTLE_PER_ACCOUNT
AXES_COOLOFF_TIME = timedelta(minutes=THROTTLE_MINUTES)
# Knocking on a closed door must not keep it closed.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_USERNAME_CALLABLE = "onboarding.lockout.counted_name"
AXES_CLIENT_IP_CALLABLE = "onboarding.lockout.client_address"
AXES_LOCKOUT_CALLABLE = "onboarding.views.problems.locked_out"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# --- Browsers -------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = IS_HTTPS
# The proxy in front must set this header itself; see docs/deploy.md.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_HTTPS else 0
# The retailer's other names below this one are not ours to decide about.
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# `no-referrer` would make browsers send "Origin: null" with our own forms, and fail them.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# The portal's origins, where it shows our pages inside its own; the admin is never framed.
FRAME_ANCESTORS = env.origins("FRAME_ANCESTORS")


def _origin(host: str) -> str:
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return f"{'http' if name.strip('[]') in env.LOCAL_HOSTS else 'https'}://{host}"


def _is_local(origin: str) -> bool:
    return origin.startswith("http://")


_form_hosts = {*PODERO_CONNECT_HOSTS, urlsplit(PORTAL_URL).netloc} - {""}
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": FRAME_ANCESTORS or [NONE],
        # Browsers apply this to every redirect after a form: to the hosted form, to the portal, and
        # to wherever those lead on. Which addresses we redirect to is checked before we do.
        "form-action": [SELF, "https:", *sorted(filter(_is_local, map(_origin, _form_hosts)))],
    }
}

# --- Logging and watching -------------------------------------------------------------------

LOG_FORMAT = env.choice("LOG_FORMAT", choices=["json", "line"], default="line" if DEBUG else "json")
# Names each request in all lines, tasks and calls that come of it.
DJANGO_GUID = {
    "GUID_HEADER_NAME": "X-Request-ID",
    "EXPOSE_HEADER": False,
    "INTEGRATIONS": [CeleryIntegration()],
}
METRICS_TOKEN = env.bearer_token("METRICS_TOKEN")
# Read by prometheus_client when it is imported: each process counts in a file of its own there.
METRICS_DIR = VAR_DIR / "metrics"
METRICS_DIR.mkdir(mode=0o700, exist_ok=True)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(METRICS_DIR)
SENTRY_DSN = env.sentry_dsn("SENTRY_DSN")
if SENTRY_DSN:
    sentry.start(SENTRY_DSN, site=SITE_URL)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"keys_out": {"()": "config.logs.KeysOut"}},
    "formatters": {
        "chosen": logs.formatter(LOG_FORMAT),
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "chosen",
            "filters": ["keys_out"],
        },
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Django's own handler would print addresses before our filter has seen them.
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        "axes": {"level": "WARNING"},
        # It tells of each id that it makes, hands on or forgets.
        "django_guid": {"level": "ERROR"},
        "kombu": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
