"""What processes leave behind for each other. Imported before the settings are."""

from __future__ import annotations

from pathlib import Path

# Files of counts, of some fifty restarts: 64 MB.
MANY = 500


def forget_ended_processes(folder: Path) -> None:
    """Remove what ended processes have counted; for whoever starts the next ones.

    Not while others that count are running, unless there is very much of it: a sum that falls
    looks to Prometheus as if all had been counted anew.
    """
    counts = {file: _is_running(file) for file in (*folder.glob("*.db"), *folder.glob("*.new"))}
    if any(counts.values()) and len(counts) <= MANY:
        return
    for file, is_running in counts.items():
        if not is_running:
            file.unlink(missing_ok=True)


def _is_running(file: Path) -> bool:
    pid = file.stem.rpartition("_")[2]
    return not pid.isdecimal() or Path(f"/proc/{pid}").exists()
