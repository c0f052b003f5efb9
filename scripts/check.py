"""Everything that can be said about the code without running it: `make check`.

One line per check; what a failed one printed follows at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.environment import ROOT

BIN = Path(sys.executable).parent
ADVISORY_SECONDS = 20
SOURCES = ("manage.py", "config", "onboarding", "templates", "static")

# As a retailer would set it, so that `check --deploy` judges what will run.
PRODUCTION = {
    "SECRET_KEY": "never-used-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNO",
    "SITE_URL": "https://flex.alpenstrom.example",
    "DATABASE_URL": "",
    "REDIS_URL": "",
    "PODERO_ORG_ID": "00000000-0000-4000-8000-000000000001",
    "PODERO_CLIENT_ID": "never-used",
    "PODERO_CLIENT_SECRET": "never-used",
    "PODERO_PRICE_ZONE": "AT",
    "HANDOFF_SECRET": "never-used-0123456789-abcdefghijklmnopqrstuvwxyz",
    "HANDOFF_ISSUER": "portal",
    "TRUSTED_PROXIES": "1",
    "BRAND_NAME": "Alpenstrom",
    "SUPPORT_EMAIL": "help@alpenstrom.example",
    "PRIVACY_URL": "https://alpenstrom.example/privacy",
    "TERMS_URL": "https://alpenstrom.example/terms",
}


@dataclass(frozen=True)
class Verdict:
    """How one check ended."""

    is_good: bool
    remark: str = ""
    details: str = ""


Check = Callable[[], Verdict]


def command(*words: str, env: Mapping[str, str] | None = None) -> Check:
    """Return a check that is good when this command exits with 0."""

    def run() -> Verdict:
        done = _run(words, env)
        return Verdict(done.returncode == 0, details=done.stdout + done.stderr)

    return run


def translations() -> Verdict:
    """Every text of every language but English is there, and none is marked as doubtful."""
    with tempfile.TemporaryDirectory() as folder:
        env = _production(folder)
        code = (
            "import django; django.setup();"
            "from django.conf import settings; print(*dict(settings.LANGUAGES))"
        )
        asked = _run(
            [sys.executable, "-c", code], {**env, "DJANGO_SETTINGS_MODULE": "config.settings"}
        )
        if asked.returncode:
            return Verdict(is_good=False, details=asked.stderr)
        languages = [code for code in asked.stdout.split() if code != "en"]
        if not languages:
            return Verdict(is_good=True, remark="only English is offered: nothing to translate")
        if shutil.which("xgettext") is None:
            return Verdict(is_good=False, details="xgettext is missing: apt-get install gettext")
        return _missing_texts(Path(folder) / "copy", languages, env)


def _missing_texts(copy: Path, languages: Sequence[str], env: Mapping[str, str]) -> Verdict:
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name)
        else:
            copy.mkdir(exist_ok=True)
            shutil.copy(source, copy / name)
    locales = [word for language in languages for word in ("-l", language.replace("-", "_"))]
    made = _run([sys.executable, "manage.py", "makemessages", *locales], env, cwd=copy)
    if made.returncode:
        return Verdict(is_good=False, details=made.stderr)
    problems = []
    for file in sorted(copy.rglob("*.po")):
        for option in ("--untranslated", "--only-fuzzy"):
            found = _run(["msgattrib", option, "--no-obsolete", str(file)], env).stdout
            problems += [
                f"{file.relative_to(copy)} {option[2:]}: {line}"
                for line in found.splitlines()
                if line.startswith("msgid ") and line != 'msgid ""'
            ]
    return Verdict(not problems, ", ".join(languages), "\n".join(problems))


def vulnerabilities() -> Verdict:
    """No requirement has a published vulnerability, as far as the advisory service says."""
    try:
        done = _run(
            [str(BIN / "pip-audit"), "--requirement", "requirements.txt", "--require-hashes",
             "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "10"],
            timeout=ADVISORY_SECONDS,
        )  # fmt: skip
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return Verdict(is_good=True, remark="NOT ASKED: advisory service unreachable")
    found = [
        f"{package['name']} {package['version']}: {problem['id']}, "
        f"fixed in {', '.join(problem['fix_versions']) or 'no version yet'}"
        for package in answer["dependencies"]
        for problem in package.get("vulns", [])
    ]
    return Verdict(
        not found, f"{len(answer['dependencies'])} packages asked about", "\n".join(found)
    )


def checks(folder: str) -> dict[str, Check]:
    python, env = sys.executable, _production(folder)
    return {
        "types": command(str(BIN / "mypy")),
        "format": command(str(BIN / "ruff"), "format", "--check", "--quiet", "--diff"),
        "lint": command(str(BIN / "ruff"), "check", "--quiet"),
        "templates": command(str(BIN / "djlint"), "--lint", "--quiet", "templates"),
        "layers": command(str(BIN / "lint-imports"), "--no-logo"),
        "migrations": command(
            python, "manage.py", "makemigrations", "--check", "--dry-run", env=env
        ),
        "deployment": command(
            python, "manage.py", "check", "--deploy", "--fail-level", "WARNING", env=env
        ),
        "translations": translations,
        "vulnerabilities": vulnerabilities,
    }


def _production(folder: str) -> dict[str, str]:
    return PRODUCTION | {"VAR_DIR": folder}


def _run(
    words: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    cwd: Path = ROOT,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=cwd,
        env=os.environ | dict(env or {}),
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def main() -> None:
    failed: dict[str, Verdict] = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {name: pool.submit(_timed, check) for name, check in checks(folder).items()}
        for name, future in running.items():
            verdict, seconds = future.result()
            mark = "ok  " if verdict.is_good else "FAIL"
            print(f"{mark}  {name:<16}{seconds:5.1f} s  {verdict.remark}".rstrip(), flush=True)
            if not verdict.is_good:
                failed[name] = verdict
    for name, verdict in failed.items():
        print(f"\n--- {name} ---\n{verdict.details.strip()}")
    sys.exit(1 if failed else 0)


def _timed(check: Check) -> tuple[Verdict, float]:
    started = time.monotonic()
    verdict = check()
    return verdict, time.monotonic() - started


if __name__ == "__main__":
    main()
