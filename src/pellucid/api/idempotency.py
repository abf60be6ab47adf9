"""Idempotency-Key: a write that is sent again gets the answer that it got, and is not done again.

In: a script that writes and a function that answers. Out: a script that does both once per key, in one transaction: the
stored answer is on disk if and only if the write is. Keys are per method and path; the same key with another body is
refused. (The HTTPAPI working group's draft "The Idempotency-Key HTTP Header Field".)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

import msgspec

from pellucid.db.database import Command, Database, Script
from pellucid.errors import BAD_HEADER, IDEMPOTENCY_MISMATCH, Problem
from pellucid.http.messages import Request, Response

__all__ = ["Idempotency", "Once"]

T = TypeVar("T")

_TABLE = """CREATE TABLE IF NOT EXISTS _pellucid_idempotency (
  key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, head TEXT NOT NULL, fixed BLOB NOT NULL, body
  BLOB NOT NULL,
  stored INTEGER NOT NULL) STRICT"""
_INDEX = "CREATE INDEX IF NOT EXISTS _pellucid_idempotency_stored ON _pellucid_idempotency (stored)"
_FIND = "SELECT request, status, head, fixed, body FROM _pellucid_idempotency WHERE key = ? AND stored > ?"
_STORE = "INSERT OR REPLACE INTO _pellucid_idempotency VALUES (?, ?, ?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM _pellucid_idempotency WHERE key IN (SELECT key FROM _pellucid_idempotency WHERE stored <= ? LIMIT 10)"
_LONGEST = 255


class Idempotency:
    """The stored answers of the last `hours`."""

    def __init__(self, hours: float) -> None:
        self._seconds = int(hours * 3600)

    async def prepare(self, database: Database) -> None:
        """Make the table where there is none yet."""
        known = database.read("SELECT 1 FROM sqlite_schema WHERE name = '_pellucid_idempotency_stored'")
        if not (known if isinstance(known, list) else await known):
            await database.write(_make())

    def of(self, request: Request, body: bytes, key: str) -> Once:
        """The one time that a request is done. Raises BAD_HEADER."""
        if not 0 < len(key) <= _LONGEST:
            raise Problem(BAD_HEADER, f"an Idempotency-Key has 1 to {_LONGEST} characters", hint="send a new UUID for each write")
        return Once(f"{request.method} {request.path} {key}", _fingerprint(request, body), self._seconds)


class Once:
    """One request that must be done once, however often it comes: `find` and `store` run in the transaction of its write."""

    def __init__(self, key: str, fingerprint: str, seconds: int) -> None:
        self._key = key
        self._fingerprint = fingerprint
        self._seconds = seconds
        self._now = int(time.time())

    def around(self, script: Script[T], answer: Callable[[T], Response]) -> Script[Response]:
        """Run the script and answer, or give the stored answer. Raises IDEMPOTENCY_MISMATCH."""
        found = yield from self.find()
        if found is not None:
            script.close()
            return found
        response = answer((yield from script))
        yield from self.store(response)
        return response

    def find(self) -> Script[Response | None]:
        """The answer that this request got before, if it was there before. Raises IDEMPOTENCY_MISMATCH."""
        rows = yield Command(_FIND, (self._key, self._now - self._seconds))
        return _stored(rows[0], self._fingerprint) if rows else None

    def store(self, response: Response) -> Script[None]:
        """Keep the answer for the next time."""
        assert isinstance(response.body, bytes)
        head = msgspec.json.encode(response.headers).decode()
        values = (self._key, self._fingerprint, response.status, head, response.fixed, response.body, self._now)
        yield Command(_STORE, values)
        yield Command(_FORGET, (self._now - self._seconds,))


def _make() -> Script[None]:
    yield Command(_TABLE)
    yield Command(_INDEX)


def _fingerprint(request: Request, body: bytes) -> str:
    parts = [request.query, request.headers.get("content-type") or "", request.headers.get("prefer") or ""]
    return sha256(b"\0".join([*(part.encode() for part in parts), body])).hexdigest()


def _stored(row: tuple[object, ...], fingerprint: str) -> Response:
    request, status, head, fixed, body = row
    if request != fingerprint:
        raise Problem(
            IDEMPOTENCY_MISMATCH, "this Idempotency-Key came with another body before", hint="use a new key for a new write"
        )
    assert isinstance(status, int)
    assert isinstance(head, str)
    assert isinstance(fixed, bytes)
    assert isinstance(body, bytes)
    headers = msgspec.json.decode(head, type=list[tuple[str, str]])
    return Response(status, body, headers=[*headers, ("idempotency-replayed", "true")], fixed=fixed)
