"""Small TCP servers on this machine that answer as no well-behaved server would."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable

Handler = Callable[["Connection"], None]


class Connection:
    """One accepted connection, as the server sees it."""

    def __init__(self, sock: socket.socket, server: ScriptedServer) -> None:
        self.sock = sock
        self.server = server
        self._file = sock.makefile("rb")

    def read_request(self) -> bytes:
        """Read one request; empty when the client has closed the connection."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self._file.readline()
            if not line:
                return b""
            head += line
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        request = head + self._file.read(length)
        self.server.requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reply(self, body: object, *, status: str = "200 OK", headers: str = "") -> None:
        data = json.dumps(body).encode()
        self.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n{headers}\r\n".encode())
        self.send(data)

    def drip(self, data: bytes, *, every_seconds: float = 0.02) -> None:
        """Send the same bytes again and again until the client gives up."""
        while not self.server.is_closing.wait(every_seconds):
            self.send(data)

    def wait_for_close(self) -> None:
        self._file.read(1)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self._file.close()
        self.sock.close()


class ScriptedServer:
    """Hands its first connection to the first handler, and so on; the last serves all others."""

    def __init__(self, *handlers: Handler) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.is_closing = threading.Event()
        self._handlers = handlers
        self.accepted: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_for_handlers(self) -> None:
        """Wait until all connections accepted so far are closed on this side."""
        for thread in self._threads[1:]:
            thread.join(5)

    def close(self) -> None:
        self.is_closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self.accepted:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            handler = self._handlers[min(self.connections, len(self._handlers) - 1)]
            self.connections += 1
            self.accepted.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock, handler), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, handler: Handler) -> None:
        sock.settimeout(5)
        connection = Connection(sock, self)
        with contextlib.suppress(OSError):
            handler(connection)
        connection.close()


def keeps_alive(body: object) -> Handler:
    """Answer every request on the connection with this JSON."""

    def handler(connection: Connection) -> None:
        while connection.read_request():
            connection.reply(body)

    return handler
