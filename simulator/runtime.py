"""The running simulator: its parts, and how a request reaches them."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import current_app, request

from simulator.config import Config
from simulator.faults.book import FaultBook
from simulator.journal import Journal
from simulator.settings import Settings
from simulator.snapshot import Snapshot
from simulator.store import Store

EXTENSION = "simulator"


@dataclass
class Simulator:
    """Everything that belongs to one running simulator."""

    config: Config
    store: Store = field(default_factory=Store)
    journal: Journal = field(default_factory=Journal)
    faults: FaultBook = field(default_factory=FaultBook)
    settings: Settings = field(default_factory=Settings)
    snapshot: Snapshot | None = None

    def reset(self) -> None:
        """Return to the state of a fresh start."""
        self.faults.clear()
        self.faults = FaultBook()
        with self.store.lock:
            self.store.clear()
            self.settings = Settings()
            self.store.changed()
        self.journal.clear()

    def close(self) -> None:
        """Write what is pending; called when the process ends."""
        if self.snapshot is not None:
            self.snapshot.close()


def simulator() -> Simulator:
    """Return the simulator that serves the current request."""
    running: Simulator = current_app.extensions[EXTENSION]
    return running


def base_url() -> str:
    """Return the address under which the caller sees this simulator, without a slash at its end."""
    return simulator().config.public_url or request.host_url.rstrip("/")
