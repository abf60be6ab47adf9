"""A client's pool for tests: `async with pooled() as asked: visit = await asked.ask(url)`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pellucid.client.connect import ConnectOptions
from pellucid.client.outgoing import Outgoing
from pellucid.client.pool import Pool
from pellucid.client.resolve import Resolver
from pellucid.http.url import parse_url
from pellucid.journey import Clock, Connection, Initiator, Kind, Lookup, Priority, Visit

__all__ = ["Asked", "pooled"]


class Asked:
    """A pool with everything it fills."""

    def __init__(self, options: ConnectOptions, timeout: float, limit: int) -> None:
        self.clock = Clock()
        self.connections: list[Connection] = []
        self.lookups: list[Lookup] = []
        self.visits: list[Visit] = []
        self.resolver = Resolver(self.clock, self.lookups)
        self.pool = Pool(self.clock, self.connections, self.resolver, options, timeout=timeout, limit=limit)

    def visit(self, url: str, method: str = "GET", kind: Kind = "document", priority: Priority = "VeryHigh") -> Visit:
        """A visit that is discovered now."""
        visit = Visit(len(self.visits), url, method, kind, Initiator(None, "user"), self.clock(), priority)
        self.visits.append(visit)
        return visit

    async def ask(
        self,
        url: str,
        method: str = "GET",
        *,
        kind: Kind = "document",
        priority: Priority = "VeryHigh",
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        **more: Any,
    ) -> Visit:
        """One request."""
        visit = self.visit(url, method, kind, priority)
        await self.pool.send(visit, Outgoing(parse_url(url), method, headers, body), **more)
        assert visit.finished is not None
        return visit


@asynccontextmanager
async def pooled(patience: float = 10.0, limit: int = 1 << 20, **options: Any) -> AsyncIterator[Asked]:
    """A pool that is closed afterwards; `options` are those of ConnectOptions."""
    asked = Asked(ConnectOptions(**options), patience, limit)
    try:
        yield asked
    finally:
        await asked.pool.close()
        await asked.resolver.close()
        assert all(connection.closed is not None or connection.failure is not None for connection in asked.connections)
