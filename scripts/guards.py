"""Take each guard away once and see that a test notices: `make guards`.

    .venv/bin/python -m scripts.guards            all of them
    .venv/bin/python -m scripts.guards hand-off   those whose name contains this

Works in a copy of the tree. For each guard it takes one piece of source out, runs the tests that
are to go red, puts the piece back, and prints a row: guard, and the tests that went red. Ends with
1 when the removal of a guard goes unnoticed. A new guard is a new entry in `GUARDS`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.environment import ROOT

SECONDS = 300


@dataclass(frozen=True)
class Guard:
    """`old` in `file` becomes `new`, and then at least one of `tests` has to fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


HANDOFF = "onboarding/flows/handoff.py"
TOKENS = ("tests/hostile/test_tokens.py", "tests/views/test_enter.py")
THROTTLES = ("tests/hostile/test_throttles.py",)
SESSIONS = ("tests/hostile/test_sessions.py",)
HEADERS = ("tests/hostile/test_headers.py::test_every_answer_carries_the_headers",)
WORDS = ("tests/hostile/test_words.py",)
PAGES = ("tests/views/test_pages.py",)
PROOF = ("tests/journeys/test_proof_of_return.py",)
COMING_BACK = ("tests/journeys/test_coming_back.py",)
EVIDENCE = ("tests/flows/test_evidence.py",)
MOVER = ("tests/models/test_mover.py",)
HOSTS = ("tests/podero/test_hosted_address.py",)

GUARDS = (
    # --- The portal's link ---
    Guard("hand-off: one algorithm", HANDOFF, "algorithms=[algorithm],",
          'algorithms=[algorithm, "HS256", "HS384", "HS512", "none"],', TOKENS),
    Guard("hand-off: signature", HANDOFF, '                "verify_exp": False,',
          '                "verify_exp": False, "verify_signature": False,', TOKENS),
    Guard("hand-off: issuer", HANDOFF, "            issuer=settings.HANDOFF_ISSUER,\n", "", TOKENS),
    Guard("hand-off: audience", HANDOFF, '                "verify_exp": False,',
          '                "verify_exp": False, "verify_aud": False,', TOKENS),
    Guard("hand-off: claims required", HANDOFF, '"require": list(REQUIRED_CLAIMS),',
          '"require": [],', TOKENS),
    Guard("hand-off: size", HANDOFF, "or len(token) > MAX_TOKEN_LENGTH", "", TOKENS),
    Guard("hand-off: has run out", HANDOFF,
          "if ends_at + CLOCK_TOLERANCE.seconds <= now.timestamp():", "if False:", TOKENS),
    Guard("hand-off: from the future", HANDOFF,
          "if issued_at > now.timestamp() + CLOCK_TOLERANCE.seconds:", "if False:", TOKENS),
    Guard("hand-off: not yet valid", HANDOFF, 'if "nbf" in claims and', "if False and", TOKENS),
    Guard("hand-off: lives five minutes", HANDOFF,
          "if not 0 < ends_at - issued_at <= MAX_LIFETIME.seconds:", "if False:", TOKENS),
    Guard("hand-off: times are times", HANDOFF, " or not 0 < value < 1e11", "", TOKENS),
    Guard("hand-off: printable text", HANDOFF, " or not value.isprintable()", "", TOKENS),
    Guard("hand-off: used once", HANDOFF, 'raise UnableToEnter("used", "jti") from error',
          "return", ("tests/views/test_enter.py", "tests/races/test_races.py", "tests/hostile/test_replay.py")),
    Guard("hand-off: no staff", HANDOFF, "if account.is_staff or account.is_superuser:", "if False:",
          TOKENS),
    Guard("hand-off: no locked account", HANDOFF, "if not account.is_active:", "if False:", TOKENS),
    Guard("hand-off: next stays here", HANDOFF, "if path and not _is_ours(path):", "if False:", TOKENS),
    Guard("hand-off: next does not climb", HANDOFF,
          ' and not {".", ".."} & {*steps.split("/")}', "", TOKENS),
    Guard("hand-off: encoded dots are dots", HANDOFF,
          'unquote(path.partition("?")[0].partition("#")[0])', "path", TOKENS),
    Guard("hand-off: one token only", "onboarding/views/enter.py",
          "tokens[0] if len(tokens) == 1 else", "tokens[-1] if tokens else", TOKENS),
    Guard("hand-off: no referrer", "onboarding/views/enter.py",
          'response.headers["Referrer-Policy"] = "strict-origin"', "pass", TOKENS),
    Guard("hand-off: fresh session", "onboarding/views/enter.py", "    request.session.flush()\n", "",
          SESSIONS),
    # --- Headers and cookies ---
    Guard("headers: policy", "config/settings.py", '    "csp.middleware.CSPMiddleware",\n', "", HEADERS),
    Guard("headers: nothing inline", "config/settings.py", '"script-src": [SELF],',
          """"script-src": [SELF, "'unsafe-inline'"],""", HEADERS),
    Guard("headers: no pictures of others", "config/settings.py", '"img-src": [SELF],',
          '"img-src": [SELF, "https:"],', HEADERS),
    Guard("headers: no frames", "config/settings.py", 'X_FRAME_OPTIONS = "DENY"',
          'X_FRAME_OPTIONS = "SAMEORIGIN"', HEADERS),
    Guard("headers: admin never framed", "config/middleware.py",
          'if request.path.startswith("/admin/"):', "if False:", ("tests/hostile/test_headers.py::test_admin_is_never_framed",)),
    Guard("headers: no sniffing", "config/middleware.py",
          'response.headers.setdefault("X-Content-Type-Options", "nosniff")', "pass", HEADERS),
    Guard("headers: permissions", "config/middleware.py",
          'response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)', "pass", HEADERS),
    Guard("headers: nothing kept of private pages", "config/middleware.py",
          'response.headers.setdefault("Cache-Control", "no-store")', "pass", HEADERS),
    Guard("headers: way back tells nobody", "onboarding/views/coming_back.py",
          'response.headers["Referrer-Policy"] = "no-referrer"', "pass",
          HEADERS),
    Guard("headers: https", "config/settings.py", "SECURE_SSL_REDIRECT = IS_HTTPS",
          "SECURE_SSL_REDIRECT = False", ("tests/test_settings.py",)),
    Guard("headers: https for a year", "config/settings.py",
          "SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_HTTPS else 0", "SECURE_HSTS_SECONDS = 0",
          ("tests/test_settings.py",)),
    Guard("cookies: secure", "config/settings.py",
          "SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS",
          "SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False", ("tests/test_settings.py",)),
    Guard("cookies: of this host only", "config/settings.py", '"__Host-{}" if IS_HTTPS else "{}"',
          '"{}"', ("tests/test_settings.py",)),
    Guard("cookies: out of scripts' reach", "config/settings.py", "CSRF_COOKIE_HTTPONLY = True",
          "CSRF_COOKIE_HTTPONLY = False", ("tests/hostile/test_headers.py::test_cookies_are_kept_from_scripts_and_other_sites",)),
    Guard("logo of this site only", "config/env.py", "if value and not re.fullmatch(r\"/[^/",
          "if False and not re.fullmatch(r\"/[^/", ("tests/test_settings.py",)),
    # --- Forms ---
    Guard("forms: of our own pages only", "config/settings.py",
          '    "django.middleware.csrf.CsrfViewMiddleware",\n', "", SESSIONS),
    Guard("forms: one way in without it", "onboarding/views/enter.py", "@csrf_exempt", "",
          ("tests/views/test_enter.py::test_portal_may_post_the_token",)),
    Guard("forms: withdrawing is a POST", "onboarding/views/leave.py", 'if request.method == "POST":',
          "if True:", (*SESSIONS, "tests/journeys/test_leaving.py")),
    Guard("forms: confirming is a POST", "onboarding/views/devices.py",
          'if request.method == "POST":\n        try:\n            device_flow.confirm_device(',
          "if True:\n        try:\n            device_flow.confirm_device(", SESSIONS),
    # --- Too often ---
    Guard("throttle: passwords", "config/settings.py", '    "axes.backends.AxesStandaloneBackend",\n',
          "", THROTTLES),
    Guard("throttle: the page", "config/settings.py", '    "axes.middleware.AxesMiddleware",\n', "",
          THROTTLES),
    Guard("throttle: addresses", "onboarding/lockout.py",
          "counted.append((of_address, settings.THROTTLE_PER_ADDRESS))", "pass", THROTTLES),
    Guard("throttle: spelling of names", "onboarding/flows/sign_in_failures.py",
          "username.strip().casefold()", "username", THROTTLES),
    Guard("throttle: knocking does not prolong", "config/settings.py",
          "AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False",
          "AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = True", THROTTLES),
    Guard("throttle: the owner's browser", "onboarding/lockout.py",
          "if browser and known_account == account else account", "if False else account", THROTTLES),
    Guard("throttle: known to this account only", "onboarding/lockout.py",
          "if browser and known_account == account else account", "if browser else account",
          THROTTLES),
    Guard("throttle: no other data kept", "onboarding/lockout.py",
          "bare.GET = bare.POST = QueryDict()", "pass", THROTTLES),
    Guard("throttle: proxies we trust only", "onboarding/lockout.py",
          "said = hops[-settings.TRUSTED_PROXIES] or said", "said = hops[0] or said", THROTTLES),
    Guard("throttle: refused links", "onboarding/flows/throttling.py",
          "raise TooOften(retry_at=max(full))", "return", THROTTLES),
    Guard("throttle: attempts", "onboarding/flows/throttling.py",
          "raise TooOften(retry_at=oldest + stretch)", "return", THROTTLES),
    Guard("throttle: complains when off", "onboarding/checks.py", "if not settings.IS_THROTTLED:",
          "if False:", THROTTLES),
    # --- Whose is it ---
    Guard("ownership: attempts", "onboarding/views/attempts.py",
          "OnboardingSession.objects.for_customer(customer)", "OnboardingSession.objects.all()",
          COMING_BACK),
    Guard("ownership: devices", "onboarding/views/devices.py",
          "own = Device.objects.for_customer(customer).select_related(\"attempt\")",
          "own = Device.objects.select_related(\"attempt\")", PAGES),
    Guard("ownership: receipts", "onboarding/views/receipts.py",
          "Consent.objects.filter(podero_user=customer)", "Consent.objects.all()",
          ("tests/views/test_receipts.py::test_receipt_of_another_customer_is_not_found",)),
    Guard("ownership: the return's customer", "onboarding/views/returning.py",
          "if signed_in_customer(request) != attempt.podero_user:\n"
          "        return _note_foreign(request, attempt, is_success=True)", "", COMING_BACK),
    Guard("return: same browser", "onboarding/views/returning.py",
          "is_matched=has_left_with(request, attempt),", "is_matched=True,", COMING_BACK),
    Guard("return: another browser's return bars a mere word", "onboarding/flows/devices.py",
          "if device.is_holder_in_doubt:", "if False:", PROOF),
    Guard("return: prefetching acts not", "onboarding/views/coming_back.py",
          'return any("prefetch" in request.headers.get(name, "") for name in _PREFETCH_HEADERS)',
          "return False", PROOF),
    Guard("return: token is kept hashed", "onboarding/models/return_tokens.py",
          "return hashlib.sha256(token.encode()).hexdigest()", "return token",
          ("tests/hostile/test_guards.py::test_return_token_is_kept_as_a_hash_only",)),
    Guard("return: device of another customer", "onboarding/flows/keeping.py",
          "if device.podero_user_id != attempt.podero_user_id:", "if False:",
          ("tests/hostile/test_guards.py::test_device_on_record_for_another_customer_is_not_taken_over",)),
    Guard("consent held while linking", "onboarding/flows/keeping.py",
          "if not Consent.objects.filter(pk=attempt.consent_id, withdrawn_at=None).exists():",
          "if False:", ("tests/journeys/test_leaving.py", "tests/races/test_races.py")),
    # --- Evidence, claims, moves ---
    Guard("seal: over the facts", "onboarding/models/seals.py",
          "return Mark.INTACT if is_intact else Mark.CHANGED", "return Mark.INTACT", EVIDENCE),
    Guard("seal: over the words", "onboarding/models/consents.py",
          "if self.text.digest != digest_of(self.text.body):", "if False:", EVIDENCE),
    Guard("seal: rows are not edited", "onboarding/models/append_only.py",
          'raise TypeError(f"{type(self).__name__} is never changed.")', "pass", EVIDENCE),
    Guard("claim: one process at a time", "onboarding/models/claims.py",
          "filter(unclaimed(now), pk=self.pk,", "filter(pk=self.pk,", MOVER),
    Guard("claim: who lost it records nothing", "onboarding/models/attempts.py",
          'guard["claimed_at"] = self.claimed_at', "pass", MOVER),
    Guard("mover: a stale copy loses", "onboarding/models/attempts.py",
          'guard: dict[str, Any] = {"pk": self.pk, "state": before}',
          'guard: dict[str, Any] = {"pk": self.pk}', MOVER),
    Guard("mover: allowed moves only", "onboarding/models/attempts.py",
          "if before not in sources_of(to) or", "if", MOVER),
    Guard("timeline: only added to", "onboarding/models/append_only.py",
          'raise TypeError(f"{self.model.__name__} is never changed.")',
          "return models.QuerySet.update(self, **_fields)", EVIDENCE),
    # --- Addresses that lead away ---
    Guard("hosted form: listed hosts", "onboarding/podero/sessions.py",
          "if address is None or not self._calls.connect_hosts.is_allowed(address):",
          "if address is None:", ("tests/podero/test_sessions.py",)),
    Guard("hosted form: https", "onboarding/podero/hosted_address.py",
          'return parts.scheme == "https" or', 'return parts.scheme in {"https", "http"} or', HOSTS),
    Guard("hosted form: nobody before the host", "onboarding/podero/hosted_address.py",
          ' or "@" in parts.netloc', "", HOSTS),
    Guard("hosted form: plain characters", "onboarding/podero/hosted_address.py",
          "if not is_plain or len(address) > MAX_URL:", "if len(address) > MAX_URL:", HOSTS),
    Guard("way back from SITE_URL", "onboarding/flows/linking.py",
          'success_url=settings.SITE_URL + reverse("return_success", args=[token]),',
          'success_url="http://127.0.0.1" + reverse("return_success", args=[token]),', WORDS),
    # --- Logs ---
    Guard("log: one line", "config/logs.py", 'return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)',
          "return text", WORDS),
    Guard("log: no keys", "config/logs.py", "text = pattern.sub(replacement, text)",
          "pass", WORDS),
)  # fmt: skip


def main() -> int:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    unnoticed = []
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        copy = Path(folder) / "tree"
        copy_tree(copy)
        for guard in (guard for guard in GUARDS if wanted in guard.name):
            started = time.monotonic()
            red = tests_without(guard, copy)
            shown = "; ".join(red[:3]) + (f"; and {len(red) - 3} more" if len(red) > 3 else "")
            seconds = time.monotonic() - started
            print(f"| {guard.name} | {shown or 'NOTHING WENT RED'} | {seconds:.0f} s |", flush=True)
            if not red:
                unnoticed.append(guard.name)
    if unnoticed:
        print(f"\nunnoticed: {', '.join(unnoticed)}")
    return 1 if unnoticed else 0


def copy_tree(copy: Path) -> None:
    """What git knows or would take up, without what running leaves behind."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / name, copy / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def tests_without(guard: Guard, copy: Path) -> list[str]:
    """The names of the tests that fail while the guard is away."""
    file = copy / guard.file
    before = file.read_text()
    file.write_text(before.replace(guard.old, guard.new))
    running = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly",
         "--maxfail=5", "--tb=no", *guard.tests],
        cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}, start_new_session=True,
    )  # fmt: skip
    try:
        printed, _errors = running.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        # With the servers that the tests have started.
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        return []
    finally:
        file.write_text(before)
    red = re.findall(r"^(?:FAILED|ERROR) \S+?::(.+?)(?: - .*)?$", printed, flags=re.MULTILINE)
    # 1 means that tests ran and failed; anything else that they did not run.
    return red if running.returncode == 1 else []


if __name__ == "__main__":
    sys.exit(main())
