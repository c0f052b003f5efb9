"""What processes leave behind for each other. Imported before the settings are."""

from __future__ import annotations

from pathlib import Path


def forget_ended_processes(folder: Path) -> None:
    """Remove what ended processes have counted; for whoever starts the next ones.

    Not while their siblings run: a sum that falls looks like a restart to Prometheus.
    """
    for file in folder.glob("*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            file.unlink(missing_ok=True)
