"""Reader threads: for reads that are too long for the event loop.

In: work (a function of a `Reader`). Out: a future on the loop. Each thread owns one read-only connection; the
queue is bounded. Threads start with the first work, since most processes never need one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Generic, TypeVar

import apsw

from pellucid.db.database import Rows, Value
from pellucid.db.sqlite_connection import SQLiteOptions, connect
from pellucid.db.sqlite_problems import busy, closed, problem_of, too_long
from pellucid.errors import Problem
from pellucid.spans import Trace

__all__ = ["Reader", "Readers", "RowStream"]

T = TypeVar("T")

_STEPS = 10_000  # virtual machine steps between two looks at the clock: some hundred microseconds
_BATCH = 500


class Reader:
    """A read-only connection with a time limit for each statement; one thread at a time."""

    def __init__(self, path: Path, options: SQLiteOptions) -> None:
        self.db = connect(path, "reader", options)
        self._limit = options.statement_timeout
        self._until = float("inf")
        self._stopped = False
        self.db.set_progress_handler(self._late, _STEPS)

    def _late(self) -> bool:
        return self._stopped or time.monotonic() > self._until

    def rows(self, text: str, values: Sequence[Value], trace: Trace | None = None) -> Rows:
        """Run one reading statement to its end. Raises STATEMENT_TIMEOUT, DATABASE_BUSY."""
        if trace is not None:
            trace.mark("wait")
        rows = self.some(self.cursor(text, values))
        if trace is not None:
            trace.mark("sql", (text, len(rows)))
        return rows

    def cursor(self, text: str, values: Sequence[Value]) -> apsw.Cursor:
        """Begin a statement; its time begins too."""
        self._until = time.monotonic() + self._limit
        try:
            return self.db.execute(text, values)
        except (apsw.Error, OverflowError, UnicodeEncodeError) as error:
            raise self._problem(error) from error

    def some(self, cursor: apsw.Cursor, most: int | None = None) -> Rows:
        """The next rows of a statement: `most` of them, with time of their own, or all."""
        if most is not None:
            self._until = time.monotonic() + self._limit
        try:
            rows: Rows = list(islice(cursor, most))
        except apsw.Error as error:
            raise self._problem(error) from error
        return rows

    def _problem(self, error: Exception) -> Problem:
        return closed() if self._stopped else problem_of(error, self.db, limit=self._limit)

    def plan(self, text: str, values: Sequence[Value]) -> list[str]:
        """EXPLAIN QUERY PLAN, a line a step, indented by depth; without values it is the plan for nulls."""
        if not values:
            import apsw.ext  # 70 ms that a start should not pay

            values = [None] * apsw.ext.query_info(self.db, text).bindings_count
        depths = {0: -1}
        lines: list[str] = []
        for number, parent, _, what in self.rows(f"EXPLAIN QUERY PLAN {text}", values):
            depth = depths[int(number or 0)] = depths.get(int(parent or 0), -1) + 1
            lines.append("  " * depth + str(what))
        return lines

    def stop(self) -> None:
        """End the running statement; from any thread."""
        self._stopped = True

    def close(self) -> None:
        """Let go of the connection."""
        self.db.close(True)


class RowStream:
    """A long result, a batch at a time, on a connection of its own; its methods may be called from any thread."""

    def __init__(self, path: Path, options: SQLiteOptions, text: str, values: Sequence[Value]) -> None:
        self.is_open = True
        self._begin = (path, options, text, values)
        self._limit = options.statement_timeout
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._cursor: apsw.Cursor | None = None

    def batch(self) -> Rows:
        """The next rows, none at the end.

        Raises STATEMENT_TIMEOUT when a batch takes too long, or was not fetched for too long.
        """
        with self._lock:
            if not self.is_open:
                raise too_long(self._limit, "the export")
            if self._reader is None or self._cursor is None:
                path, options, text, values = self._begin
                self._reader = Reader(path, options)
                self._cursor = self._reader.cursor(text, values)
            return self._reader.some(self._cursor, _BATCH)

    def close(self) -> None:
        """Let go of the snapshot; a batch under way is stopped."""
        if self._reader is not None:
            self._reader.stop()
        with self._lock:
            self.is_open = False
            if self._reader is not None:
                self._reader.close()


class _Work(Generic[T]):
    __slots__ = ("error", "function", "future", "outcome")

    def __init__(self, function: Callable[[Reader], T], future: asyncio.Future[T]) -> None:
        self.function = function
        self.future = future
        self.outcome: T | None = None
        self.error: BaseException | None = None


class Readers:
    """A bounded pool of `Reader`s."""

    def __init__(self, path: Path, options: SQLiteOptions, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._options = options
        self._loop = loop
        self._queue: SimpleQueue[_Work[object] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._readers: list[Reader] = []
        self._waiting = 0
        self._closing = False

    def submit(self, function: Callable[[Reader], T]) -> asyncio.Future[T]:
        """Run `function` in a reader thread. Raises DATABASE_BUSY when too many wait."""
        if self._closing:
            raise closed()
        if self._waiting >= self._options.read_queue:
            raise busy(f"{self._waiting} long reads wait already")
        self._waiting += 1
        if not self._threads:
            self._start()
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Work(function, future))  # type: ignore[arg-type]
        return future

    async def close(self) -> None:
        """Stop what runs, refuse what waits, end the threads."""
        self._closing = True
        for reader in self._readers:
            reader.stop()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            await self._loop.run_in_executor(None, thread.join)
        self._threads.clear()

    def _start(self) -> None:
        for number in range(self._options.readers):
            thread = threading.Thread(target=self._serve, name=f"sqlite-reader-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self) -> None:
        reader: Reader | None = None
        while (work := self._queue.get()) is not None:
            if not work.future.cancelled():
                try:
                    if reader is None:
                        reader = Reader(self._path, self._options)
                        self._readers.append(reader)
                    if self._closing:
                        reader.stop()
                    work.outcome = work.function(reader)
                except BaseException as error:
                    work.error = error
            try:
                self._loop.call_soon_threadsafe(self._settle, work)
            except RuntimeError:  # the loop is closed: nobody waits any more
                break
            work = None
        if reader is not None:
            reader.close()

    def _settle(self, work: _Work[object]) -> None:
        self._waiting -= 1
        if work.future.done():
            return
        if work.error is not None:
            work.future.set_exception(work.error)
        else:
            work.future.set_result(work.outcome)
