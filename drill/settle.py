"""Lets things come to rest: nothing is broken any more, and time goes by until all is over."""

from __future__ import annotations

import json
import time

from drill.installation import Installation
from drill.plan import DAY, HOUR, MINUTE

# First what is due now; then what tries again later; then past the end of every form, and on until
# Podero has said often enough that there is nothing. What is still unfinished then is stuck.
STEPS = (0.0, 20 * MINUTE, 7 * HOUR, 4 * DAY, *[DAY] * 8)


def settle(installation: Installation, *, seconds: float) -> dict[str, int]:
    """Sweep and move the clock until nothing is left to do; what is, after so many seconds."""
    ends_at = time.monotonic() + seconds
    left: dict[str, int] = {}
    with installation.sweeper() as sweeper:
        assert sweeper.stdin is not None  # noqa: S101
        assert sweeper.stdout is not None  # noqa: S101
        for number, step in enumerate(STEPS):
            installation.clock.move(step)
            print(max(0.0, ends_at - time.monotonic()), file=sweeper.stdin, flush=True)
            answer = sweeper.stdout.readline()
            if not answer:
                return {"the sweep ended by itself": 1}
            left = json.loads(answer)
            print(f"  after {step / HOUR:4.1f} h more: {left or 'nothing left to do'}", flush=True)
            if not left and number > _FORMS_ARE_OVER:
                break
    return left


_FORMS_ARE_OVER = STEPS.index(4 * DAY)
