"""Does an installation's background work as an operator would: `python -m drill.sweeper`.

For each line on standard input (so many seconds at most) it runs `manage.py sweep` until nothing
is due, and answers with what is left, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time

import django
from django.core.management import call_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    for line in sys.stdin:
        print(json.dumps(swept(float(line))), flush=True)


def swept(seconds: float) -> dict[str, int]:
    """Sweep until nothing is due, for so many seconds at most; what is left then."""
    ends_at = time.monotonic() + seconds
    while True:
        call_command("sweep", stdout=sys.stderr)
        left = unsettled()
        if left.keys() <= WAITING or time.monotonic() > ends_at:
            return left
        time.sleep(0.5)


# These may have to wait: for the end of a form, or for their next try.
UNFINISHED, REMOVALS = "attempts unfinished", "removals"
TO_SWITCH, IN_DOUBT = "devices to switch", "devices in doubt"
WAITING = {UNFINISHED, REMOVALS, TO_SWITCH, IN_DOUBT}


def unsettled() -> dict[str, int]:
    """What is due, or may not stay as it is, by kind."""
    from django.db.models import F  # noqa: PLC0415  (only importable once set up)
    from django.utils import timezone  # noqa: PLC0415

    from onboarding import models, states  # noqa: PLC0415

    now = timezone.now()
    attempts, devices = models.OnboardingSession.objects, models.Device.objects
    claimed = [
        rows.exclude(claimed_at=None).count()
        for rows in (attempts, devices, models.PoderoUser.objects)
    ]
    # What Podero refused to remove is left to staff, and its user with it.
    given_up = devices.filter(removal_wanted_at__isnull=False, removed_at=None, removal_due_at=None)
    told = {
        UNFINISHED: attempts.filter(state__in=states.UNFINISHED).count(),
        "attempts due": attempts.due(*states.AWAITING_DEVICE, states.State.RETURNED, now=now)
        .filter(podero_id__isnull=False)
        .count(),
        "devices due": devices.due(now=now).count(),
        # What Podero has lost cannot be switched on, and is tried for a month.
        TO_SWITCH: devices.filter(missing_since=None)
        .exclude(is_optimization_wanted=F("is_optimization_active"))
        .exclude(next_try_at=None)
        .count(),
        IN_DOUBT: devices.filter(
            is_optimization_in_doubt=True, is_optimization_wanted=False
        ).count(),
        REMOVALS: devices.filter(removal_due_at__lte=now).count()
        + models.PoderoUser.objects.filter(removal_due_at__lte=now)
        .exclude(pk__in=given_up.values("podero_user"))
        .count(),
        "claims": sum(claimed),
    }
    return {name: number for name, number in told.items() if number}


if __name__ == "__main__":
    main()
