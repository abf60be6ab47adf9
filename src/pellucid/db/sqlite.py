"""SQLite as a `Database` (db/database.py): reads inline on the event loop, writes in groups from one thread.

In: SQL and values. Out: rows. It never builds SQL and knows no models.

Reads. The problem: a read of one row takes 3 µs, a hop to a thread and back 127 µs. The naive way, a thread
for each read, is forty times slower; the careless way, everything on the loop, lets one bad query stop all
others. So a read starts on the loop with a budget of a few milliseconds; one that exceeds it is interrupted
and runs again in a reader thread, where it has the statement's time limit. A text that was too long twice
goes to the threads at once, with a try on the loop now and then.

Writes. See `sqlite_writer.py`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter_ns
from typing import TypeVar

import apsw
import msgspec

from pellucid.db.database import Rows, Script, Value
from pellucid.db.sqlite_backup import backup
from pellucid.db.sqlite_connection import SQLiteOptions, connect, locate
from pellucid.db.sqlite_problems import busy, closed, problem_of
from pellucid.db.sqlite_readers import Readers, RowStream
from pellucid.db.sqlite_snapshot import Snapshot
from pellucid.db.sqlite_steps import End, Job, Look, Session
from pellucid.db.sqlite_writer import Writer
from pellucid.errors import DATABASE_UNAVAILABLE, Problem
from pellucid.spans import Trace

__all__ = ["SQLite", "SQLiteOptions", "SQLiteTransaction"]

T = TypeVar("T")

_STEPS = 1000  # virtual machine steps between two looks at the clock: some ten microseconds
_PLANS = 1024
_SLOW_TEXTS = 256
_STRIKES = 2  # over budget so often: to the threads at once
_RETRY = 64  # ... but one in so many tries the loop again


class SQLite:
    """One SQLite file, for one event loop; several processes may share the file. Made by `open`."""

    dialect = "sqlite"

    def __init__(self, path: Path, options: SQLiteOptions, folder: str | None = None) -> None:
        """`folder` is removed on closing: it holds a database that was asked for in memory."""
        self.path = path
        self.options = options
        self._folder = folder
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(path, options, self._loop)
        self._readers = Readers(path, options, self._loop)
        self._plans: dict[str, list[str]] = {}
        self._slow: dict[str, int] = {}
        self._closed = False
        self._streams: set[RowStream] = set()
        self._budget = int(options.inline_budget * 1e9)
        self._until = [0]  # when the running read must stop; 0 while it has not been looked at
        self._inline = connect(path, "reader", options, one_thread=True)
        self._inline.set_busy_handler(None)  # never wait on the loop
        self._inline.set_progress_handler(self._over_budget, _STEPS)
        self._execute = self._inline.cursor().execute
        self._snapshot = Snapshot(self._inline, self._loop, self._until)

    @classmethod
    async def open(cls, path: str | os.PathLike[str], options: SQLiteOptions | None = None) -> SQLite:
        """Open or create the database at a path or `sqlite:` URL. Raises DATABASE_UNAVAILABLE with what is
        wrong with the path.

        `:memory:` or `sqlite://` is a database of its own in a temporary folder, gone when closed: the same
        code with the same threads, only without waiting for the disk.
        """
        options = options or SQLiteOptions()
        file = locate(path)
        if file is not None:
            return cls(file, options)
        folder = tempfile.mkdtemp(prefix="pellucid-")
        try:
            return cls(Path(folder, "memory.db"), msgspec.structs.replace(options, throwaway=True), folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @property
    def commits(self) -> int:
        """How many transactions were committed; many scripts share one."""
        return self._writer.groups

    def read(
        self, text: str, values: Sequence[Value] = (), trace: Trace | None = None
    ) -> Rows | Awaitable[Rows]:
        """Run one reading statement: rows at once, or an awaitable when it takes longer than the budget."""
        if self._slow and self._is_slow(text):
            return self._read_later(text, values, trace)
        self._until[0] = 0
        snapshot = self._snapshot
        try:
            if snapshot.seen != snapshot.now.raw:
                snapshot.renew()
            rows: Rows = self._execute(text, values).fetchall()
        except (apsw.Error, OverflowError, UnicodeEncodeError) as error:
            return self._read_failed(error, text, values, trace)
        if trace is not None:
            trace.mark("sql", (text, len(rows)))
        return rows

    def write(self, script: Script[T], trace: Trace | None = None, *, rollback: bool = False) -> Awaitable[T]:
        """Run a script atomically; when the awaitable completes, the change is on disk (`Database.write`)."""
        return self._writer.write(script, trace, rollback)

    @asynccontextmanager
    async def transaction(self, trace: Trace | None = None) -> AsyncIterator[SQLiteTransaction]:
        """Hold the one writer around several awaits: commits on leaving, rolls back on an exception.

        Raises DATABASE_BUSY when the writer is not free within `busy_timeout`, STATEMENT_TIMEOUT when it is
        held longer than `transaction_timeout`; then everything was taken back. Writes outside of it wait
        until it ends, so do not await one inside.
        """
        session = self._writer.begin(trace)
        try:
            async with asyncio.timeout(self.options.busy_timeout):
                await session.future
        except TimeoutError:
            session.steps.put(End(self._loop.create_future(), False))
            raise busy("another transaction holds the database") from None
        except BaseException:
            session.steps.put(End(self._loop.create_future(), False))
            raise
        transaction = SQLiteTransaction(session, self._loop)
        try:
            yield transaction
        except BaseException:
            session.steps.put(End(self._loop.create_future(), False))
            raise
        await transaction.commit()

    async def explain(self, text: str, values: Sequence[Value] = ()) -> list[str]:
        """SQLite's query plan of a statement, a line a step, indented by depth; kept per text."""
        lines = self._plans.get(text)
        if lines is None:
            lines = await self._readers.submit(lambda reader: reader.plan(text, values))
            if len(self._plans) >= _PLANS:
                del self._plans[next(iter(self._plans))]
            self._plans[text] = lines
        return lines

    async def stream(self, text: str, values: Sequence[Value] = ()) -> AsyncIterator[Rows]:
        """Rows of one snapshot in batches, fetched as they are asked for, for results that must not sit in
        memory.

        Raises STATEMENT_TIMEOUT when a batch takes longer than `statement_timeout`, or is not asked for
        within it: an open stream keeps the log from being emptied. Raises DATABASE_BUSY when more than
        `streams` are open.
        """
        if len(self._streams) >= self.options.streams:
            raise busy(f"{len(self._streams)} exports run already")
        rows = RowStream(self.path, self.options, text, values)
        self._streams.add(rows)
        try:
            while batch := await self._readers.submit(lambda _: rows.batch()):
                idle = self._loop.call_later(
                    self.options.statement_timeout, self._loop.run_in_executor, None, rows.close
                )
                try:
                    yield batch
                finally:
                    idle.cancel()
        finally:
            self._streams.discard(rows)
            await self._loop.run_in_executor(None, rows.close)

    async def backup(
        self,
        destination: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> int:
        """Copy the live database to a file and return its size in bytes; reads and writes go on. See
        `sqlite_backup.backup`.
        """
        stopped = threading.Event()

        def watch(done: int, total: int) -> None:
            if stopped.is_set():
                raise InterruptedError("the backup was given up")
            if progress is not None:
                progress(done, total)

        try:
            return await asyncio.to_thread(
                backup, self.path, Path(destination), self.options, overwrite=overwrite, progress=watch
            )
        finally:
            stopped.set()

    async def ready(self) -> None:
        """Raise `Problem` unless the database can be read and takes writes."""
        if not self._writer.alive:
            raise closed()
        rows = self.read("SELECT count(*) FROM sqlite_schema")
        if not isinstance(rows, list):
            await rows

    async def close(self) -> None:
        """Finish every write that was taken, then let go of all connections; the last process moves the log
        into the database.
        """
        if self._closed:
            return
        self._closed = True
        for rows in list(self._streams):
            await self._loop.run_in_executor(None, rows.close)
        await self._readers.close()
        self._snapshot.close()
        self._inline.close(True)
        await self._writer.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    # Reads that do not end on the loop

    def _over_budget(self) -> bool:
        """Called every `_STEPS` steps of a read on the loop; its clock starts at the first call, so short
        reads never ask for the time.
        """
        until = self._until
        if until[0] == 0:
            until[0] = perf_counter_ns() + self._budget
            return False
        return perf_counter_ns() > until[0]

    def _read_failed(
        self, error: Exception, text: str, values: Sequence[Value], trace: Trace | None
    ) -> Awaitable[Rows]:
        if not self._closed:
            self._snapshot.release()
        if isinstance(error, apsw.InterruptError):
            if text not in self._slow and len(self._slow) >= _SLOW_TEXTS:
                del self._slow[next(iter(self._slow))]
            self._slow[text] = self._slow.get(text, 0) + 1
        elif not isinstance(error, (apsw.BusyError, apsw.LockedError)):
            raise problem_of(error, self._inline) from error
        return self._read_later(text, values, trace)

    def _is_slow(self, text: str) -> bool:
        """Whether a text goes to the threads at once; counts how often it did, to try the loop again now and
        then.
        """
        strikes = self._slow.get(text, 0)
        if strikes < _STRIKES:
            return False
        if strikes >= _RETRY:
            del self._slow[text]
            self._slow[text] = _STRIKES - 1
            return False
        self._slow[text] = strikes + 1
        return True

    def _read_later(self, text: str, values: Sequence[Value], trace: Trace | None) -> Awaitable[Rows]:
        return self._readers.submit(lambda reader: reader.rows(text, values, trace))


class SQLiteTransaction:
    """An open transaction on the writer; see `SQLite.transaction`."""

    def __init__(self, session: Session, loop: asyncio.AbstractEventLoop) -> None:
        self._session = session
        self._loop = loop

    async def run(self, script: Script[T]) -> T:
        """Run a script in a savepoint of its own. Raises STATEMENT_TIMEOUT when the transaction's time is
        over.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        return await self._step(Job(future, script, self._session.trace, False), future)

    async def read(self, text: str, values: Sequence[Value] = ()) -> Rows:
        """Read what this transaction sees."""
        future: asyncio.Future[Rows] = self._loop.create_future()
        return await self._step(Look(future, text, values), future)

    async def commit(self) -> None:
        """Called on leaving."""
        future: asyncio.Future[None] = self._loop.create_future()
        await self._step(End(future, True), future)

    async def _step(self, step: Job | Look | End, future: asyncio.Future[T]) -> T:
        session = self._session
        if session.ended is not None:
            raise session.ended
        session.pending.add(future)
        session.steps.put(step)
        try:
            return await future
        finally:
            session.pending.discard(future)
            if isinstance(step, End):
                session.ended = session.ended or Problem(DATABASE_UNAVAILABLE, "the transaction has ended")
