"""The embedded broker: kombu's filesystem transport without its half-written files.

kombu opens a file, then locks it, then writes; whoever looks in between reads nothing, and a
worker that does so ends. Here a file appears complete or not at all. What cannot be read all the
same (a full disk, an older version) is dropped: the row in the database is the truth.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any

from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads

# No message means anything for as long; the next one of its kind has come long before.
KEPT_SECONDS = 3600


class Channel(filesystem.Channel):
    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._forget_old_messages()

    def _forget_old_messages(self) -> None:
        """Whoever takes a message lists the whole folder: many would hold up all that is new."""
        oldest = time_ns() - KEPT_SECONDS * 1_000_000_000
        for file in Path(self.data_folder_in).glob("*.msg"):
            sent_at = file.name.partition("_")[0]
            if not sent_at.isdecimal() or int(sent_at) < oldest:
                with suppress(OSError):
                    file.unlink()

    def _put(  # type: ignore[override]  # kombu disagrees with itself about the names
        self, queue: str, payload: Any, **_kwargs: Any
    ) -> None:
        name = f"{time_ns()}_{uuid.uuid4()}.{queue}.msg"
        _write(Path(self.data_folder_out) / name, payload)

    def _get(self, queue: Any, timeout: float | None = None) -> Any:
        try:
            return super()._get(queue)
        except ValueError as error:
            raise Empty from error

    def _queue_bind(
        self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None
    ) -> None:
        binding = (routing_key or "", pattern or "", queue or "")
        known = [tuple(entry) for entry in self.get_table(exchange)]
        if binding not in known:
            self.control_folder.mkdir(exist_ok=True)
            _write(self._bindings_of(exchange), [binding, *known])

    def get_table(self, exchange: str) -> list[Any]:
        try:
            entries = loads(self._bindings_of(exchange).read_text())
            return [filesystem.exchange_queue_t(*entry) for entry in entries]
        except (FileNotFoundError, ValueError):
            return []

    def _bindings_of(self, exchange: str) -> Path:
        return Path(self.control_folder) / f"{exchange}.exchange"


class Transport(filesystem.Transport):
    Channel = Channel

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        # What one connection has bound says nothing about the files that another one finds.
        self.state = virtual.BrokerState()


def _write(file: Path, content: Any) -> None:
    unfinished = file.with_name(f".{uuid.uuid4()}.unfinished")
    try:
        unfinished.write_text(dumps(content))
        unfinished.replace(file)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
