"""The interface of a database: what every engine in this folder offers, and nothing about how.

In: SQL text with positional parameters and values. Out: rows as tuples. It never builds SQL and knows no models.

A read may complete at once (SQLite answers inline on the loop) or later (a server, or a long read in a thread):
`read` returns rows or an awaitable of rows, and callers serve both without making a task for the first.

A write is a **script**: a generator that yields `Command`s and is sent their rows, so the same script runs on SQLite's
writer thread without awaiting and on a server database with awaiting. One script is one atomic unit: it commits when it
returns and leaves nothing behind when it raises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

import msgspec

from pellucid.spans import Trace

__all__ = ["Command", "Database", "Row", "Rows", "Script", "Transaction", "Value"]

Value = int | float | str | bytes | None
Row = tuple[Value, ...]
Rows = list[Row]

T = TypeVar("T")


class Command(msgspec.Struct, frozen=True):
    """One statement for a script to yield. `many` runs the text once per tuple of values (no rows come back).

    `sole` is a promise: this is the script's only command, and if it changed anything the script will not raise
    afterwards. A statement that fails takes back its own changes, so such a script needs no savepoint.
    """

    text: str
    values: Sequence[Value] = ()
    many: Sequence[Sequence[Value]] | None = None
    sole: bool = False


Script = Generator[Command, Rows, T]
"""Yields commands, is sent rows; the number of rows changed by the last command is `Rows` of one row with one int
when the statement returns no columns."""


class Transaction(Protocol):
    """An open transaction, for business logic that awaits between statements; it holds the one writer, so keep it
    short.
    """

    async def run(self, script: Script[T]) -> T:
        """Run a script inside this transaction, in a savepoint of its own."""
        ...

    async def read(self, text: str, values: Sequence[Value] = ()) -> Rows:
        """Read inside this transaction: sees what it has written."""
        ...


class Database(Protocol):
    """What the stations above rely on. Raises `Problem` in the 5xx range of codes (errors.py), never an engine's own
    error.
    """

    dialect: str
    """`sqlite`, `postgresql` or `mariadb`: the name of the dialect that SQL must be built for."""

    def read(self, text: str, values: Sequence[Value] = (), trace: Trace | None = None) -> Rows | Awaitable[Rows]:
        """Run one reading statement. Stopped with STATEMENT_TIMEOUT when it takes longer than the limit."""
        ...

    def write(self, script: Script[T], trace: Trace | None = None, *, rollback: bool = False) -> Awaitable[T]:
        """Run a script atomically and durably: when the awaitable completes, the change is on disk. `rollback` runs it
        and takes it back (`Prefer: tx=rollback`).

        Raises DATABASE_BUSY when the queue of waiting writes is full, DISK_FULL when there is no room.
        """
        ...

    def transaction(self, trace: Trace | None = None) -> AbstractAsyncContextManager[Transaction]:
        """An atomic unit around several awaits: commits on leaving, rolls back on an exception."""
        ...

    async def explain(self, text: str, values: Sequence[Value] = ()) -> list[str]:
        """The engine's plan of a statement, a line a step."""
        ...

    async def ready(self) -> None:
        """Raise `Problem` unless the database answers."""
        ...

    async def close(self) -> None:
        """Finish what was acknowledged, then let go of every connection."""
        ...
