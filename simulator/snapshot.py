"""Keeps the store in a file, so that users and devices outlive a restart."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.store import Store

PAUSE_SECONDS = 0.2


class Snapshot:
    """Writes the store soon after each change, from a thread of its own.

    A request never waits for the disk; a hard kill loses at most the last fraction of a second.
    """

    def __init__(self, store: Store, path: Path) -> None:
        self._store = store
        self._path = path
        self._dirty = Event()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="snapshot", daemon=True)

    def load(self) -> None:
        """Fill the store from the file, if it exists. A damaged file is set aside."""
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
            with self._store.lock:
                self._store.restore(data)
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as error:
            aside = self._path.with_suffix(".damaged")
            self._path.replace(aside)
            with self._store.lock:
                self._store.clear()
            print(f"simulator: snapshot unreadable ({error}), kept as {aside}", file=sys.stderr)

    def start(self) -> None:
        """Begin writing after changes."""
        self._store.changed = self._dirty.set
        self._thread.start()

    def close(self) -> None:
        """Write what is pending and stop."""
        self._stopping.set()
        self._dirty.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._dirty.wait()
            self._dirty.clear()
            self._write()
            self._stopping.wait(PAUSE_SECONDS)
        if self._dirty.is_set():
            self._write()

    def _write(self) -> None:
        with self._store.lock:
            text = json.dumps(self._store.as_dict())
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(self._path)
