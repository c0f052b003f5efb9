from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from drill.audit import Breach


def drill(_seed: int, _folder: Path, _stack: ExitStack) -> list[Breach]:
    return []
