"""Proves that the audit would notice: `python -m drill.planted`.

Takes one guard after another out of a copy of the tree, plays the rehearsal on it, and prints
which breach was seen. Exit code 1 if one of them went unnoticed, or if the app as it is, which
comes first, has a breach.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("config", "drill", "onboarding", "scripts", "simulator", "static", "templates", "tests")
FILES = ("manage.py", "gunicorn.conf.py", "pyproject.toml")
AT_ONCE = 2


@dataclass(frozen=True)
class Change:
    """Words of a source file, and what stands there instead."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Bug:
    """A guard that is taken away, and the rule whose breach must be seen for it."""

    guard: str
    rule: str
    changes: tuple[Change, ...]


class NotPlanted(Exception):
    """The words to be changed are not in the source any more, or stand there twice."""


def bug(guard: str, rule: str, *changes: tuple[str, str, str]) -> Bug:
    return Bug(guard, rule, tuple(Change(f"onboarding/{file}", *rest) for file, *rest in changes))


BUGS: tuple[Bug, ...] = (
    bug(
        "only what the owner confirmed is optimized",
        "optimized",
        (
            "flows/keeping.py",
            "if is_returned and not is_doubtful:",
            "if finding:",
        ),
    ),
    bug(
        "only the browser that left confirms by coming back",
        "optimized",
        (
            "views/leaving.py",
            "return str(sent.reference) in request.session.get(LEFT_WITH, [])",
            "return True",
        ),
    ),
    bug(
        "a user whose creation is in doubt is looked up first",
        "two users",
        (
            "flows/podero_users.py",
            "looks_first=customer.is_creation_in_doubt",
            "looks_first=False",
        ),
    ),
    bug(
        "one process at a time has a row's claim, and who lost it records nothing",
        "doubled",
        ("models/claims.py", "filter(unclaimed(now), pk=self.pk", "filter(pk=self.pk"),
        (
            "flows/linking.py",
            "    except InvalidTransition as error:\n        raise AlreadyOpening from error",
            "    except InvalidTransition:\n        pass",
        ),
    ),
    bug(
        "a second press of a button is the first one",
        "doubled",
        (
            "flows/opt_in.py",
            "device_type=device_type,\n                submission=submission,",
            "device_type=device_type,",
        ),
    ),
    bug(
        "withdrawing ends what is open",
        "left",
        ("flows/withdrawal.py", "state__in=[State.STARTED, State.OPEN]", "state__in=[]"),
    ),
    bug(
        "a withdrawal is written down",
        "left",
        (
            "flows/withdrawal.py",
            "Consent.objects.filter(podero_user=customer).withdraw(at=now)",
            "Consent.objects.none().withdraw(at=now)",
        ),
    ),
    bug(
        "what Podero refuses again and again is left to staff",
        "not settled",
        (
            "flows/removal.py",
            "due_at=None if is_refusal and refusals >= MAX_REFUSALS else when",
            "due_at=when",
        ),
    ),
    bug(
        "nothing is linked under a withdrawn consent",
        "left",
        (
            "flows/keeping.py",
            "        hold_consent(attempt)\n        # Not as of this copy",
            "        # Not as of this copy",
        ),
        (
            "flows/keeping.py",
            "            if device.is_removal_under_way(now=now):\n"
            "                raise BeingRemoved\n            is_doubtful",
            "            is_doubtful",
        ),
    ),
    bug(
        "switching off is tried until it is done",
        "left",
        (
            "flows/devices.py",
            "device.is_optimization_wanted and tries >= MAX_TRIES_TO_SWITCH_ON",
            "not device.is_optimization_wanted",
        ),
        (
            "models/devices.py",
            "if found.is_smart_optimization_active and not self.is_optimization_wanted:",
            "if False:",
        ),
    ),
    bug(
        "one answer that a device is gone is not believed, and not for ever",
        "left",
        ("flows/devices.py", "    if is_believed:\n", "    if True:\n"),
        ("flows/devices.py", "    if is_gone:\n", "    if True:\n"),
        (
            "models/device_queries.py",
            "            is_recently_missed | Q(checked_at__lte=moment - WATCH_OVER),\n",
            "            missing_since=None,\n",
        ),
    ),
    bug(
        "what was confirmed is switched on",
        "forgotten",
        (
            "models/devices.py",
            '"is_optimization_wanted": True,\n            "next_try_at": now,',
            '"is_optimization_wanted": True,\n            "next_try_at": None,',
        ),
    ),
    bug(
        "only the API makes an attempt linked",
        "wrong",
        (
            "flows/returning.py",
            "    if findings:\n        _record_found",
            "    if findings or attempt.returned_device_id:\n        _record_found",
        ),
    ),
    bug(
        "who never came back is looked up",
        "wrong",
        (
            "flows/lookups.py",
            "if not findings or not _record_found(attempt, findings, now=now):",
            "if True:",
        ),
    ),
    bug(
        "the form's id is kept with the attempt",
        "lost",
        (
            "flows/linking.py",
            "            podero_id=hosted.id,",
            "            podero_id=attempt.reference,",
        ),
    ),
    bug(
        "what was never opened expires",
        "not final",
        ("flows/expiry.py", "lambda: oldest.mark_expired(", "lambda: oldest.none().mark_expired("),
    ),
    bug(
        "an end has its time",
        "no reason",
        (
            "models/attempts.py",
            "            event=event,\n            actor=Actor.CUSTOMER,\n            finished_at=at,\n",
            "            event=event,\n            actor=Actor.CUSTOMER,\n",
        ),
    ),
    bug(
        "a device is kept for the customer that it was found for",
        "owner",
        (
            "flows/keeping.py",
            '            "podero_user": attempt.podero_user,\n',
            '            "podero_user": PoderoUser.objects.order_by("pk")[0],\n',
        ),
        ("flows/keeping.py", "if device.podero_user_id != attempt.podero_user_id:", "if False:"),
    ),
    bug(
        "Podero is told no fields that it does not know",
        "rejected",
        (
            "podero/sessions.py",
            '            "success_url": success_url,\n',
            '            "success_url": success_url,\n            "zone": price_zone,\n',
        ),
    ),
    bug(
        "what is brought back in the same browser is switched on",
        "forgotten",
        (
            "flows/keeping.py",
            "            if is_returned and not is_doubtful:\n",
            "            if False:\n",
        ),
    ),
    bug(
        "who cancels has cancelled",
        "wrong",
        (
            "flows/returning.py",
            "        attempt.mark_cancelled(at=now)\n",
            "        pass\n",
        ),
    ),
    bug(
        "who comes back has come back",
        "timeline",
        ("flows/returning.py", "in range(MOVES_AT_ONCE)", "in range(0)"),
    ),
    bug(
        "what is paused is switched off",
        "paused",
        (
            "models/devices.py",
            "(Q(is_optimization_wanted=True), is_wanted=False, now=now)",
            "(Q(is_optimization_wanted=True), is_wanted=True, now=now)",
        ),
    ),
    bug(
        "a removal that was pressed is written down",
        "removed",
        ("flows/removal.py", "        device.want_removal(now=now)\n", ""),
    ),
    bug(
        "one answer that a device is not there does not remove it",
        "removed",
        (
            "flows/removal.py",
            "        if _is_device_there(client, user_id, kind, device.podero_id):\n            raise\n",
            "",
        ),
    ),
    bug(
        "every move is in the timeline",
        "timeline",
        (
            "models/attempts.py",
            "            SessionEvent.objects.create(\n                attempt=self,\n"
            "                at=at,\n                event=event,\n                actor=actor,\n"
            "                state_before=before,",
            "            to == State.RETURNED or SessionEvent.objects.create(\n"
            "                attempt=self,\n"
            "                at=at,\n                event=event,\n                actor=actor,\n"
            "                state_before=before,",
        ),
    ),
    bug(
        "only moves of the table are made",
        "timeline",
        (
            "models/attempts.py",
            "if before not in sources_of(to) or (claimed_by_us and self.claimed_at is None):",
            "if claimed_by_us and self.claimed_at is None:",
        ),
        (
            "flows/returning.py",
            "if attempt.state not in sources_of(State.CANCELLED):\n        return",
            "if attempt.state == State.CANCELLED:\n        return",
        ),
    ),
    bug(
        "the hosted address is in no log",
        "log",
        (
            "flows/linking.py",
            "    # The client refuses an answer without it.\n",
            '    logger.info("Form opened: %s", hosted.id)\n',
        ),
    ),
    bug(
        "nobody's e-mail address is in a log",
        "log",
        (
            "flows/linking.py",
            "    # The client refuses an answer without it.\n",
            "    print(attempt.podero_user.email, flush=True)\n",
        ),
    ),
    bug(
        "the form's address is on a listed host",
        "sent elsewhere",
        (
            "podero/sessions.py",
            "if address is None or not self._calls.connect_hosts.is_allowed(address):\n"
            '            raise reply.unexpected("authentication_url")',
            'if address is None:\n            raise reply.unexpected("authentication_url")',
        ),
    ),
    bug(
        "nobody asks for a page in vain",
        "gave up",
        (
            "views/leave.py",
            "devices = list(Device.objects.for_customer(customer).present()",
            "devices = list(Device.objects.for_customer(customer).presnt()",
        ),
    ),
    bug(
        "no page takes its process with it",
        "ended by itself",
        (
            "views/leave.py",
            "devices = list(Device.objects.for_customer(customer).present()",
            'devices = list(__import__("os").abort() or Device.objects.all()',
        ),
    ),
    bug(
        "background work ends without an error",
        "traceback",
        ("flows/expiry.py", "lambda: oldest.mark_expired(", "lambda: oldest.mark_expird("),
    ),
    bug(
        "no page fails while the database is up",
        "error page",
        ("views/devices.py", "device_flow.is_stale(", "device_flow.is_stail("),
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What the rehearsal said of a tree: the rules it saw breached, and all it printed."""

    rules: frozenset[str]
    is_red: bool
    printed: str


def try_out(changes: Sequence[Change]) -> Outcome:
    """Play the rehearsal on a copy of the tree with these changes. Raises NotPlanted."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        copy = Path(folder)
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        for name in FILES:
            shutil.copy(ROOT / name, copy / name)
        for change in changes:
            file = copy / change.file
            words = file.read_text()
            if words.count(change.old) != 1:
                raise NotPlanted(f"{change.file}: {change.old!r}")
            file.write_text(words.replace(change.old, change.new))
        done = subprocess.run(
            [sys.executable, "-m", "drill.rehearsal"],
            cwd=copy,
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
    printed = done.stdout + done.stderr
    return Outcome(frozenset(_rules(printed)), done.returncode != 0, printed)


def _rules(printed: str) -> Iterator[str]:
    _, _, found = printed.partition(" breaches: ")
    yield from re.findall(r"'([a-z ]+)': \d", found.partition("\n")[0])


def main() -> int:
    chosen = [each for each in BUGS if not sys.argv[1:] or sys.argv[1] in each.guard]
    clean = try_out([])
    if clean.is_red:
        print("The app as it is:", clean.printed[-3000:], sep="\n")
        return 1
    print("| guard taken away | expected | breaches seen |\n|---|---|---|")
    unnoticed = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [(each, pool.submit(try_out, each.changes)) for each in chosen]
        for each, future in running:
            outcome = future.result()
            seen = ", ".join(sorted(outcome.rules)) or "none"
            print(f"| {each.guard} | {each.rule} | {seen} |", flush=True)
            if each.rule not in outcome.rules:
                unnoticed.append((each, outcome))
    for each, outcome in unnoticed:
        print(f"\nUnnoticed: {each.guard}\n{outcome.printed[-2000:]}")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
