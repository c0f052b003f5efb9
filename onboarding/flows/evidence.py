"""Consents as evidence: hold every row against its seal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from onboarding.flows.passes import in_batches
from onboarding.models import Consent
from onboarding.models.seals import Mark

_CHUNK = 500


@dataclass(frozen=True)
class Verification:
    """How many consents bear which mark, and which ones are not as they were written."""

    counts: Counter[Mark]
    doubtful: tuple[tuple[UUID, Mark], ...]


def verify_consents() -> Verification:
    """Examine all consents. Changes nothing."""
    counts: Counter[Mark] = Counter()
    doubtful = []
    for consent in in_batches(Consent.objects.with_evidence(), size=_CHUNK):
        mark = consent.examine()
        counts[mark] += 1
        if mark is not Mark.INTACT:
            doubtful.append((consent.reference, mark))
    return Verification(counts, tuple(doubtful))
