"""A server for tests that want to know what a browser says: it keeps every request, and answers with what it was given.

In: files by path. Out: the fields and bodies of requests, in the order and the spelling in which they came.
"""

from __future__ import annotations

import socket
import threading

__all__ = ["Listener"]

TYPES = {"css": "text/css", "js": "text/javascript", "html": "text/html", "json": "application/manifest+json"}


class Listener:
    """Answers everything with a file of `files` or with nothing, and keeps the head and the body of each first request."""

    def __init__(self) -> None:
        self.files: dict[str, str | bytes] = {}
        self.types: dict[str, str | None] = {}
        """Where the type does not follow from the ending; None: Content-Type is left out."""
        self.fields: dict[str, bytes] = {}
        """Further fields of an answer, as bytes with the line ends."""
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        """Path and fields of every request."""
        self.bodies: dict[str, bytes] = {}
        self.heads: dict[str, list[tuple[str, str]]] = {}
        self._heard = threading.Condition()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self.port < 0:
                connection.close()
                return
            self._threads.append(threading.Thread(target=self._answer, args=(connection,)))
            self._threads[-1].start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(20)
            try:
                with connection.makefile("rb") as reading:
                    first = reading.readline().decode()
                    if not first:  # one of those that a browser opens in advance
                        return
                    lines = list(iter(lambda: reading.readline().decode().rstrip("\r\n"), ""))
                    fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
                    size = next((int(value) for name, value in fields if name.lower() == "content-length"), 0)
                    content = reading.read(size)
                path = first.split()[1]
                with self._heard:
                    self.asked.append((path, fields))
                    self.heads.setdefault(path, fields)
                    self.bodies.setdefault(path, content)
                    self._heard.notify_all()
                held = self.files.get(path, "")
                body = held.encode() if isinstance(held, str) else held
                usual = TYPES.get(path.rpartition(".")[2], "text/html" if path == "/" else "application/octet-stream")
                kind = self.types.get(path, usual)
                typed = "" if kind is None else f"Content-Type: {kind}\r\n"
                head = f"HTTP/1.1 200 OK\r\n{typed}Access-Control-Allow-Origin: *\r\nConnection: close\r\n"
                head += f"Content-Length: {len(body)}\r\n"
                connection.sendall(head.encode() + self.fields.get(path, b"") + b"\r\n" + body)
            except OSError:
                return

    def head(self, path: str) -> list[tuple[str, str]]:
        """The head of the request for a path, waited for."""
        with self._heard:
            assert self._heard.wait_for(lambda: path in self.heads, 20), f"Chromium did not ask for {path}"
        return self.heads[path]

    def close(self) -> None:
        port, self.port = self.port, -1
        socket.create_connection(("127.0.0.1", port)).close()
        self._accepting.join()
        self._socket.close()
        for thread in self._threads:
            thread.join()
