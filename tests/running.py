"""A backend for tests: a real App on a real SQLite file, asked through its handler, or through a socket where a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from pellucid.app import App, Backend
from pellucid.http.headers import Headers
from pellucid.http.messages import Request, Response
from pellucid.settings import Settings
from pellucid.spans import Trace, new_trace_id, now
from pellucid.sql import migrate


class Answer:
    """A response as a client sees it."""

    def __init__(self, response: Response, body: bytes) -> None:
        self.status = response.status
        self.body = body
        pairs = [(name.lower(), value) for name, value in response.headers]
        for line in response.fixed.decode("latin-1").split("\r\n"):
            if line:
                name, _, value = line.partition(": ")
                pairs.append((name, value))
        self.pairs = pairs
        self.headers = dict(pairs)

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def __repr__(self) -> str:
        return f"<Answer {self.status} {self.headers} {self.body[:500]!r}>"


class Asker:
    """Asks a backend synchronously: `asker.get("/api/cities?limit=2", prefer="count=exact")`."""

    def __init__(self, backend: Backend, runner: asyncio.Runner) -> None:
        self.backend = backend
        self.runner = runner

    def ask(self, method: str, target: str, body: object = None, headers: Mapping[str, str] | None = None, **more: str) -> Answer:
        fields = {**(headers or {}), **{name.replace("_", "-"): value for name, value in more.items()}}
        data = b""
        if isinstance(body, bytes):
            data = body
        elif body is not None:
            data = msgspec.json.encode(body)
            fields.setdefault("content-type", "application/json")
        pairs = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        id = new_trace_id()
        trace = Trace(id, now()) if self.backend.recorder is not None else None
        request = Request(method, target, Headers(pairs), body=data, id=id, trace=trace)
        return self.runner.run(self._ask(request))

    async def _ask(self, request: Request) -> Answer:
        answer = self.backend.handler(request)
        response = answer if isinstance(answer, Response) else await answer
        body = response.body if isinstance(response.body, bytes) else b"".join([chunk async for chunk in response.body])
        if self.backend.observer is not None:
            self.backend.observer(request, response, now())
        return Answer(response, body)

    def get(self, target: str, **headers: str) -> Answer:
        return self.ask("GET", target, **headers)

    def post(self, target: str, body: object, **headers: str) -> Answer:
        return self.ask("POST", target, body, **headers)

    def put(self, target: str, body: object, **headers: str) -> Answer:
        return self.ask("PUT", target, body, **headers)

    def patch(self, target: str, body: object, **headers: str) -> Answer:
        return self.ask("PATCH", target, body, **headers)

    def delete(self, target: str, **headers: str) -> Answer:
        return self.ask("DELETE", target, **headers)


@contextmanager
def asking(app: App, folder: Path, **settings: Any) -> Iterator[Asker]:
    """Migrate, start, ask, stop."""
    path = folder / "test.db"
    migrate.update(app.catalog, path)
    with asyncio.Runner() as runner:
        backend = app.backend(Settings(database=str(path), **settings))
        runner.run(backend.start())
        try:
            yield Asker(backend, runner)
        finally:
            runner.run(backend.stop())
