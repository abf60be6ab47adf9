"""A backend behind a real socket: raw requests in, answers as a client reads them out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from pellucid.app import App
from pellucid.server import worker
from pellucid.settings import Settings
from pellucid.sql import migrate


class Reply:
    """One answer: its status, its fields in order, its body."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.fields = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]

    def get(self, name: str) -> str | None:
        """A field's value; several of one name are joined, as RFC 9110, section 5.3, lets a client do."""
        found = [value for key, value in self.fields if key == name]
        return ", ".join(found) if found else None

    def list(self, name: str) -> set[str]:
        """The members of a field that is a list, in lower case."""
        return {part.strip().lower() for part in (self.get(name) or "").split(",") if part.strip()}

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def __repr__(self) -> str:
        return f"<Reply {self.raw[:600]!r}>"


class Client:
    """Sends one request a connection: `await client.ask("GET", "/api/things?limit=1", accept="text/csv")`."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition("//")[2].rpartition(":")
        self._host, self._port = host, int(port)

    async def ask(self, method: str, target: str, body: object = None, **fields: str) -> Reply:
        content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        if body is not None and not isinstance(body, bytes):
            fields.setdefault("content_type", "application/json")
        lines = [f"{method} {target} HTTP/1.1", "host: localhost", "connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        if body is not None:
            lines.append(f"content-length: {len(content)}")
        return Reply(await self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content))

    async def send(self, data: bytes) -> bytes:
        """All bytes that come back until the server ends the connection."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()


def wired(app: App, folder: Path, talk: Callable[[Client], Awaitable[None]], **settings: Any) -> None:
    """Migrate, serve on a free port, talk, stop."""
    path = folder / "wired.db"
    migrate.update(app.catalog, path)

    async def serve() -> None:
        backend = app.backend(Settings(database=str(path), **settings))
        await backend.start()
        try:
            async with worker.running(backend.handler, observer=backend.observer) as address:
                await talk(Client(address))
        finally:
            await backend.stop()

    worker.run(serve())
