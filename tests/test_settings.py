"""Settings come from the environment, and nonsense stops the start with its name."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from scripts.check import PRODUCTION
from tests.servers import ROOT, app_environment
from tests.settings import ENVIRONMENT

# Read by gunicorn.conf.py, not by the settings.
WEB_VARIABLES = {"PORT", "WEB_WORKERS", "WEB_THREADS", "WEB_LOG_LEVEL"}
# Read by both.
WEB_TOO = {"VAR_DIR", "LOG_FORMAT"}

Load = Callable[..., dict[str, Any]]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """Load the app's settings afresh, with these variables instead of the usual ones."""

    def load_with(**variables: str) -> dict[str, Any]:
        usual = ENVIRONMENT | {"VAR_DIR": str(tmp_path), "DATABASE_URL": "", "ALLOWED_HOSTS": ""}
        for name, value in (usual | variables).items():
            monkeypatch.setenv(name, value)
        # The settings set it; this process keeps its own.
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
        return runpy.run_path(str(ROOT / "config" / "settings.py"))

    return load_with


PUBLIC_KEY = (
    "-----BEGIN PUBLIC KEY-----\\n"
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\\n"
    "-----END PUBLIC KEY-----"
)
NONSENSE = [
    ("SECRET_KEY", "", "a long random string, but it is not set"),
    ("DEBUG", "maybe", "true or false"),
    ("SITE_URL", "", "the public address of this app, but it is not set"),
    ("SITE_URL", "http://flex.alpenstrom.example", "an https address, or http for localhost"),
    ("SITE_URL", "https://", "an https address, or http for localhost"),
    ("SITE_URL", "https://flex.alpenstrom.example:port", "an https address, or http for localhost"),
    ("SITE_URL", "https://user:word@alpenstrom.example", "an https address, or http for localhost"),
    ("SITE_URL", "https://alpenstrom.example/flex", "an address without a path"),
    ("DATABASE_URL", "mysql://localhost/flex", "a database address"),
    ("DATABASE_URL", "postgres://localhost", "a database address"),
    ("DATABASE_URL", "flex.sqlite3", "a database address"),
    ("REDIS_URL", "localhost:6379", "an address such as redis://localhost:6379/0"),
    ("REDIS_URL", "unix:///run/redis.sock", "an address such as redis://localhost:6379/0"),
    ("DATABASE_STATEMENT_SECONDS", "1m", "a whole number from 0 to 86400"),
    ("WORKER_THREADS", "0", "a whole number from 1 to 200"),
    ("PODERO_BASE_URL", "http://app.podero.com", "an https address, or http for localhost"),
    ("PODERO_ORG_ID", "", "the organisation's UUID"),
    ("PODERO_ORG_ID", "alpenstrom", "the organisation's UUID"),
    ("PODERO_CLIENT_SECRET", "", "expected both, or PODERO_AUTH_TOKEN"),
    ("PODERO_CONNECT_HOSTS", "https://connect.podero.com", "host names such as"),
    ("PODERO_PRICE_ZONE", "Austria", "one of "),
    ("PODERO_MAX_WAITING", "-1", "a whole number from 1 to 1000"),
    ("PODERO_CALLS_PER_SECOND", "0", "a whole number from 1 to 10000"),
    ("WEB_THREADS", "none", "a whole number from 1 to 1000"),
    ("LOG_FORMAT", "xml", "one of json, line"),
    ("METRICS_TOKEN", "two words", "a token without spaces"),
    ("SENTRY_DSN", "https://sentry.example/1", "a Sentry address such as"),
    ("PODERO_TIMEOUT_SECONDS", "8.5", "a whole number from 1 to 10"),
    ("ONBOARDING_ACTIVATION", "later", "one of after_return, immediately"),
    ("PORTAL_URL", "portal.alpenstrom.example", "an https address, or http for localhost"),
    ("HANDOFF_PUBLIC_KEY", "-----BEGIN PUBLIC KEY-----", "a public key in PEM form"),
    ("HANDOFF_PUBLIC_KEY", PUBLIC_KEY, "one of them, not both"),
    ("HANDOFF_ISSUER", "", "the `iss` of the portal's tokens, but it is not set"),
    ("RETAIN_ATTEMPTS_DAYS", "0", "a whole number from 30 to 9999"),
    ("RETAIN_CONSENTS_DAYS", "for ever", "a whole number from 400 to 9999"),
    ("RETAIN_CONSENTS_DAYS", "399", "a whole number from 400 to 9999"),
    ("EMAIL_URL", "mail.alpenstrom.example", "a mail server's address such as"),
    ("EMAIL_URL", "smtp://host:port", "a mail server's address such as"),
    ("DEFAULT_FROM_EMAIL", "Alpenstrom", "a sender such as"),
    ("BRAND_COLOR", "green", "a color such as #0a5c36"),
    ("BRAND_LOGO", "//elsewhere.example/logo.svg", "a path on this site"),
    ("BRAND_LOGO", "https://alpenstrom.example/logo.svg", "a path on this site"),
    ("FRAME_ANCESTORS", "portal.alpenstrom.example", "origins such as"),
    ("FRAME_ANCESTORS", "https://portal.alpenstrom.example/", "origins such as"),
    ("FRAME_ANCESTORS", "https://*.alpenstrom.example", "origins such as"),
    ("FRAME_ANCESTORS", "http://portal.alpenstrom.example", "origins such as"),
    ("FRAME_ANCESTORS", "https://portal.alpenstrom.example; script-src *", "origins such as"),
    ("THROTTLE", "sometimes", "true or false"),
    ("THROTTLE_MINUTES", "0", "a whole number from 1 to 60"),
    ("THROTTLE_PER_ADDRESS", "5", "not less than THROTTLE_PER_ACCOUNT"),
    ("TRUSTED_PROXIES", "one", "a whole number from 0 to 10"),
    ("SUPPORT_EMAIL", "help at alpenstrom", "an e-mail address"),
    ("PRIVACY_URL", "alpenstrom.example/privacy", "an https address, or http for localhost"),
    ("TERMS_URL", "ftp://alpenstrom.example/terms", "an https address, or http for localhost"),
]


@pytest.mark.parametrize(("name", "value", "expected"), NONSENSE)
def test_nonsense_is_refused_with_its_name_and_what_was_expected(
    load: Load, name: str, value: str, expected: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        load(**{name: value})

    message = str(refusal.value)
    assert name in message.partition(": ")[0]
    assert expected in message


def test_mail_server_needs_a_sender(load: Load) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        load(EMAIL_URL="smtp://localhost")
    settings = load(
        EMAIL_URL="smtp+tls://flex:p%40ss@mail.example:587",
        DEFAULT_FROM_EMAIL="Alpenstrom <flex@alpenstrom.example>",
    )

    assert str(refusal.value).startswith("DEFAULT_FROM_EMAIL: expected the sender of mails")
    assert load()["IS_MAIL_ON"] is False
    assert settings["IS_MAIL_ON"] is True
    assert (settings["EMAIL_HOST"], settings["EMAIL_PORT"]) == ("mail.example", 587)
    assert (settings["EMAIL_HOST_USER"], settings["EMAIL_HOST_PASSWORD"]) == ("flex", "p@ss")
    assert (settings["EMAIL_USE_TLS"], settings["EMAIL_USE_SSL"]) == (True, False)


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "HANDOFF_SECRET", "PODERO_CLIENT_SECRET", "CONSENT_KEYS"]
)
def test_refusal_never_repeats_a_secret(load: Load, name: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        load(**{name: "keep-this-to-yourself", "SITE_URL": "nonsense"})

    assert "keep-this-to-yourself" not in str(refusal.value)


def test_nonsense_stops_the_real_start(tmp_path: Path) -> None:
    env = app_environment(tmp_path, 8000, {"SITE_URL": "http://flex.alpenstrom.example"})

    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=env,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode != 0
    closing = done.stderr.strip().splitlines()[-1]
    assert closing.endswith("SITE_URL: expected an https address, or http for localhost")


def test_https_turns_on_everything_that_needs_it(load: Load) -> None:
    settings = load(SITE_URL="https://flex.alpenstrom.example")

    assert settings["SESSION_COOKIE_NAME"] == "__Host-sessionid"
    assert settings["CSRF_COOKIE_NAME"] == "__Host-csrftoken"
    assert settings["KNOWN_BROWSER_COOKIE_NAME"] == "__Host-known"
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["CSRF_COOKIE_SECURE"] is True
    assert settings["SECURE_SSL_REDIRECT"] is True
    assert settings["SECURE_HSTS_SECONDS"] == 365 * 24 * 3600
    assert settings["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
    assert settings["ALLOWED_HOSTS"] == ["flex.alpenstrom.example"]


@pytest.mark.parametrize(
    "address", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"]
)
def test_http_on_this_machine_works_without_it(load: Load, address: str) -> None:
    settings = load(SITE_URL=address)

    assert settings["SITE_URL"] == address
    assert settings["SESSION_COOKIE_SECURE"] is False
    assert settings["CSRF_COOKIE_SECURE"] is False
    assert settings["SECURE_SSL_REDIRECT"] is False
    assert settings["SECURE_HSTS_SECONDS"] == 0
    assert settings["SECURE_PROXY_SSL_HEADER"] is None


def test_empty_variables_count_as_not_set(load: Load, tmp_path: Path) -> None:
    settings = load(BRAND_COLOR=" ", HANDOFF_AUDIENCE="", ONBOARDING_ACTIVATION="")

    assert settings["BRAND_COLOR"] == "#14532d"
    assert settings["HANDOFF_AUDIENCE"] == "podero-onboarding"
    assert settings["ONBOARDING_ACTIVATION"] == "after_return"
    assert settings["DATABASES"]["default"]["NAME"] == str(tmp_path / "db.sqlite3")


def test_value_that_begins_with_a_dollar_sign_is_taken_as_it_is(load: Load) -> None:
    assert load(HANDOFF_SECRET="$ecret")["HANDOFF_SECRET"] == "$ecret"


def test_servers_replace_what_is_embedded(load: Load) -> None:
    settings = load(DATABASE_URL="postgres://u:p@db/flex", REDIS_URL="redis://cache:6379/0")

    assert settings["DATABASES"]["default"]["ENGINE"] == "django.db.backends.postgresql"
    assert settings["CELERY_BROKER_URL"] == "redis://cache:6379/0"
    assert settings["CACHES"]["default"]["LOCATION"] == "redis://cache:6379/0"


def test_half_of_the_threads_may_wait_on_podero(load: Load) -> None:
    assert load(WEB_THREADS="20")["PODERO_MAX_WAITING"] == 10
    assert load(WEB_THREADS="1")["PODERO_MAX_WAITING"] == 1
    assert load(WEB_THREADS="20", PODERO_MAX_WAITING="3")["PODERO_MAX_WAITING"] == 3


def test_what_waits_on_podero_is_shared_out_and_each_job_keeps_its_name(load: Load) -> None:
    alone = load()
    assert set(alone["CELERY_BEAT_SCHEDULE"]) == set(alone["SCHEDULED_JOBS"])
    assert load(REDIS_URL="redis://localhost:6379/0")["PASSES_AT_ONCE"] == 2

    schedule = load(PASSES_AT_ONCE="3")["CELERY_BEAT_SCHEDULE"]

    assert set(alone["SCHEDULED_JOBS"]) <= set(schedule)
    passes = [
        each for each in schedule.values() if each["task"] == "onboarding.look_up_due_attempts"
    ]
    assert [each["kwargs"] for each in passes] == [{"number": n, "of": 3} for n in range(3)]
    mails = [each for each in schedule.values() if each["task"] == "onboarding.send_due_mails"]
    assert [each["kwargs"] for each in mails] == [{}]
    # With Redis the lower number is the sooner: what takes long keeps nothing from being done.
    assert {each["options"]["priority"] for each in passes} == {9}
    assert {each["options"]["priority"] for each in mails} == {6}
    assert load(REDIS_URL="redis://localhost:6379/0")["CELERY_WORKER_CONCURRENCY"] > 5 * 2


def test_database_that_vanishes_is_given_up_within_seconds(load: Load) -> None:
    options = load(DATABASE_URL="postgres://app:secret@db/app")["DATABASES"]["default"]["OPTIONS"]

    assert options["tcp_user_timeout"] == 10_000
    idle_seconds = (
        options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"]
    )
    assert idle_seconds <= 30
    for name in ("lock_timeout=", "idle_in_transaction_session_timeout=", "tcp_keepalives_idle="):
        assert f"-c {name}" in options["options"]
    assert "-c statement_timeout=60s" in options["options"]


def test_migration_may_take_as_long_as_it_needs(load: Load) -> None:
    env = {"DATABASE_URL": "postgres://app:secret@db/app", "DATABASE_STATEMENT_SECONDS": "0"}

    options = load(**env)["DATABASES"]["default"]["OPTIONS"]

    assert "-c statement_timeout=0s" in options["options"]


def test_what_stands_in_the_address_of_the_database_wins(load: Load) -> None:
    url = "postgres://app:secret@db/app?options=-c%20lock_timeout%3D1s&connect_timeout=9"

    options = load(DATABASE_URL=url)["DATABASES"]["default"]["OPTIONS"]

    assert (options["options"], options["connect_timeout"]) == ("-c lock_timeout=1s", 9)


def test_country_stands_for_its_price_zone(load: Load) -> None:
    assert load(PODERO_PRICE_ZONE="de")["PODERO_PRICE_ZONE"] == "DE_LU"


def test_forms_may_lead_on_over_https_and_to_this_machine(load: Load) -> None:
    policy = load(
        PODERO_CONNECT_HOSTS="connect.podero.com,localhost:8001",
        PORTAL_URL="https://portal.alpenstrom.example/energy?tab=flex",
    )["CONTENT_SECURITY_POLICY"]

    assert policy["DIRECTIVES"]["form-action"] == [
        "'self'",
        "https:",
        "http://localhost:8001",
    ]


def test_example_file_lists_what_is_really_read() -> None:
    settings = (ROOT / "config" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings))
    example = (ROOT / ".env.example").read_text()
    listed = re.findall(r"^#?([A-Z_]+)=", example, flags=re.MULTILINE)
    web = (ROOT / "gunicorn.conf.py").read_text()

    assert len(listed) == len(set(listed))
    assert set(listed) == read | WEB_VARIABLES
    assert set(re.findall(r"os\.environ\.get\(.([A-Z_]+).\)", web)) == WEB_VARIABLES | WEB_TOO
    # What the tests leave out, a developer's .env would decide.
    assert set(ENVIRONMENT) == read
    assert set(PRODUCTION) <= read


def test_defaults_in_the_example_file_are_the_real_ones(load: Load, tmp_path: Path) -> None:
    example = (ROOT / ".env.example").read_text()
    defaults = dict(re.findall(r"^#([A-Z_]+)=(.+)$", example, flags=re.MULTILINE))
    not_comparable = WEB_VARIABLES | {"VAR_DIR", "DATABASE_URL"}

    settings = load(**(dict.fromkeys(ENVIRONMENT, "") | PRODUCTION | {"VAR_DIR": str(tmp_path)}))

    settings["WORKER_THREADS"] = settings["CELERY_WORKER_CONCURRENCY"]
    settings["THROTTLE"] = "on" if settings["IS_THROTTLED"] else "off"
    for name in sorted(defaults.keys() - not_comparable):
        setting = settings[name]
        shown = ",".join(setting) if isinstance(setting, frozenset) else str(setting)
        assert shown.lower() == defaults[name].lower(), name
