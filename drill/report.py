"""The table at the end: what was survived, what became of everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from drill.audit import Breach, by_rule

SHOWN = 40


def table(title: str, rows: Mapping[str, object]) -> None:
    print(f"\n{title}")
    width = max((len(name) for name in rows), default=0)
    for name, value in rows.items():
        print(f"  {name:<{width}}  {value}")


def sorted_counts(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def faults_at_podero(struck: Mapping[str, int], requests: int) -> dict[str, object]:
    """Faults by kind, over all endpoints, and their share in all calls of the API."""
    kinds: Counter[str] = Counter()
    calls = 0
    for name, number in struck.items():
        endpoint, _, fault = name.partition(" ")
        kinds[fault] += number
        calls += number if endpoint != "hosted_form" else 0
    share = 100 * calls / requests if requests else 0.0
    return {"API calls": requests, "of them faulty": f"{calls} ({share:.0f} %)"} | sorted_counts(
        kinds
    )


def outcomes(attempts: Iterable[Mapping[str, str]]) -> dict[str, int]:
    return sorted_counts(
        Counter(f"{row['state']} {row['failure_code']}".strip() for row in attempts)
    )


def memory(sizes: Mapping[str, list[tuple[float, int]]]) -> dict[str, object]:
    """Of each part the median of its first and of its last samples, in MB."""
    shown: dict[str, object] = {}
    for name, samples in sorted(sizes.items()):
        if len(samples) < 4:
            continue
        kilobytes = [size for _at, size in samples]
        quarter = max(2, len(kilobytes) // 4)
        first, last = sorted(kilobytes[:quarter]), sorted(kilobytes[-quarter:])
        begin, end = first[len(first) // 2], last[len(last) // 2]
        shown[name] = (
            f"{begin / 1024:.0f} → {end / 1024:.0f} MB, at most {max(kilobytes) / 1024:.0f}"
        )
    return shown


def breaches(found: list[Breach]) -> None:
    if not found:
        print("\nNo breach.")
        return
    print(f"\n{len(found)} breaches: {dict(by_rule(found))}")
    for breach in found[:SHOWN]:
        print(f"  {breach}")
    if len(found) > SHOWN:
        print(f"  … and {len(found) - SHOWN} more")
