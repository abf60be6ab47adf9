"""The writer thread: all writes of a process, committed in groups.

In: scripts (db/database.py) and sessions (`transaction()`), through a bounded queue. Out: a future each,
completed when the change is on disk.

The problem: a durable commit costs an fsync, about a hundred times the insert itself. The naive way, one
transaction a write, pays it each time. The standard answer is group commit: whatever waits goes into one
transaction, a savepoint for each script, one fsync for all. Nobody is kept waiting for a group to fill; while
one group is on its way to the disk, the next one gathers. A script that fails takes back its own savepoint
only. When the commit itself fails, nothing of the group is written and everybody in it hears so.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

import apsw

from pellucid.db.database import Command, Rows, Script, Value
from pellucid.db.sqlite_connection import SQLiteOptions, connect, wait_for_lock
from pellucid.db.sqlite_problems import busy, closed, is_reference, problem_of, too_long
from pellucid.db.sqlite_references import broken_reference, dangling_reference
from pellucid.db.sqlite_steps import End, Job, Look, Session, Step, Stop
from pellucid.errors import DATABASE_UNAVAILABLE, Problem
from pellucid.spans import Trace

__all__ = ["Writer"]

T = TypeVar("T")

_log = logging.getLogger("pellucid.db")

_STEPS = 10_000  # virtual machine steps between two looks at the clock
_LONG_LOG_PAGES = 4000  # more than this, and readers are waited for
_PATIENCE = 0.02  # seconds that writes may be held up for it
_CHECKPOINT_PAGES = 1000  # of the log, as SQLite's own default
_KNOWN_TEXTS = 2048


class Writer:
    """The one thread that writes. The first methods are for the loop; those below them run in the thread."""

    def __init__(self, path: Path, options: SQLiteOptions, loop: asyncio.AbstractEventLoop) -> None:
        self.groups = 0
        """How many groups were committed."""
        self._options = options
        self._loop = loop
        self._queue: SimpleQueue[Job | Session | Stop] = SimpleQueue()
        self._waiting = 0
        self._open = True
        self._until = float("inf")
        self._returning: dict[str, bool] = {}  # does this text give rows?
        self._columns = False
        self._log_pages = 0
        self._next_checkpoint = _CHECKPOINT_PAGES
        self._db = connect(path, "writer", options, one_thread=True)
        self._db.set_progress_handler(self._late, _STEPS)
        self._db.set_wal_hook(self._note_log)
        self._warn_pages = (options.wal_mib << 20) // int(self._db.pragma("page_size"))
        self._cursor = self._db.cursor()
        self._watched = self._db.cursor()
        self._watched.exec_trace = self._note_columns
        self._thread = threading.Thread(target=self._serve, name="sqlite-writer", daemon=True)
        self._thread.start()

    # On the loop

    def write(self, script: Script[T], trace: Trace | None, rollback: bool) -> asyncio.Future[T]:
        """Queue a script. Raises DATABASE_BUSY when too many wait."""
        self._admit()
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(Job(future, script, trace, rollback))
        return future

    def begin(self, trace: Trace | None) -> Session:
        """Queue a session. Raises DATABASE_BUSY when too many wait."""
        self._admit()
        session = Session(self._loop.create_future(), trace)
        self._queue.put(session)
        return session

    async def close(self) -> None:
        """Finish what waits, then close the connection; the last one of all processes moves the log into the
        database.
        """
        if self._open:
            self._open = False
            self._queue.put(Stop())
        await self._loop.run_in_executor(None, self._thread.join)

    @property
    def alive(self) -> bool:
        """Whether writes are taken."""
        return self._open and self._thread.is_alive()

    def _admit(self) -> None:
        if not self._open:
            raise closed()
        if self._waiting >= self._options.write_queue:
            raise busy(f"{self._waiting} writes wait already")
        self._waiting += 1

    def _settle_admitted(self, steps: Sequence[Step]) -> None:
        self._waiting -= len(steps)
        self._settle(steps)

    def _settle(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if step.future.done():  # the caller went away
                continue
            if step.error is None:
                step.future.set_result(step.outcome)
            else:
                step.future.set_exception(step.error)

    def _end_session(self, session: Session, problem: Problem) -> None:
        session.ended = problem
        for future in session.pending:
            if not future.done():
                future.set_exception(problem)

    # In the thread

    def _serve(self) -> None:
        held: Job | Session | Stop | None = None
        while True:
            item = self._queue.get() if held is None else held
            held = None
            if isinstance(item, Stop):
                break
            if isinstance(item, Session):
                self._host(item)
            else:
                group, held = self._gather(item)
                self._commit_group(group)
            self._maybe_checkpoint()
        self._db.close(True)

    def _gather(self, first: Job) -> tuple[list[Job], Session | Stop | None]:
        """All jobs that wait now, in order, up to the first item that is none."""
        group = [first]
        while len(group) < self._options.group and not self._queue.empty():
            item = self._queue.get()
            if not isinstance(item, Job):
                return group, item
            group.append(item)
        return group, None

    def _commit_group(self, group: list[Job]) -> None:
        """One transaction, a savepoint each; then everybody is answered at once."""
        db = self._db
        done: list[Job] = []
        try:
            for job in group:
                if job.future.cancelled():
                    job.script.close()
                    continue
                if not db.in_transaction:
                    self._cursor.execute("BEGIN IMMEDIATE")
                self._attempt(job)
                done.append(job)
                if not db.in_transaction:  # disk full and its like: SQLite took back the whole transaction
                    self._fail(done, "an earlier write of the same group failed")
                    done.clear()
            if db.in_transaction:
                self._cursor.execute("COMMIT")
                self.groups += 1
        except apsw.Error as error:
            for job in group:
                if job.error is None:
                    job.error = problem_of(error, db)
            self._take_back()
        for job in group:
            if job.trace is not None and not job.future.cancelled():
                job.trace.mark("commit", len(group))
        self._post(self._settle_admitted, group)

    def _attempt(self, job: Job) -> None:
        """Run one script; what it raises becomes `job.error` and takes back only its own changes: by a
        savepoint, or by the failed statement itself where that is the script's sole command.
        """
        run = self._cursor.execute
        if job.trace is not None:
            job.trace.mark("wait")
        try:
            first = self._begin_script(job)
            if first is None:
                return
            in_savepoint = job.rollback or not first.sole
            if in_savepoint:
                run("SAVEPOINT script")
            try:
                job.outcome = self._drive(job.script, first, job.trace)
                if self._db.status(apsw.SQLITE_DBSTATUS_DEFERRED_FKS)[0]:
                    raise dangling_reference(self._db, self._limit)
            except BaseException as error:
                job.error = error
            if not in_savepoint:
                # Nothing of ours defers a foreign key; where another tool's table does, the whole group goes.
                if self._db.in_transaction and self._db.status(apsw.SQLITE_DBSTATUS_DEFERRED_FKS)[0]:
                    self._take_back()
            elif self._db.in_transaction:
                if job.rollback or job.error is not None:
                    run("ROLLBACK TO script")
                run("RELEASE script")
        except apsw.Error as error:
            job.error = job.error or problem_of(error, self._db)
            self._take_back()
        finally:
            self._until = float("inf")

    def _begin_script(self, job: Job) -> Command | None:
        """A script's first command; None where it has none, and is settled already."""
        try:
            return next(job.script)
        except StopIteration as stop:
            job.outcome = stop.value
        except BaseException as error:
            job.error = error
        return None

    def _drive(self, script: Script[T], command: Command, trace: Trace | None) -> T:
        """Feed a script its rows, from its first command on, until it returns. A failed command is raised
        inside it, so it may catch that and go on.
        """
        try:
            while True:
                try:
                    rows = self._perform(command)
                except Problem as problem:
                    if not self._db.in_transaction:  # nothing left to go on with
                        script.close()
                        raise
                    command = script.throw(problem)
                else:
                    if trace is not None:
                        trace.mark("sql", (command.text, len(rows)))
                    command = script.send(rows)
        except StopIteration as stop:
            outcome: T = stop.value
            return outcome

    def _perform(self, command: Command) -> Rows:
        text, values, db = command.text, command.values, self._db
        self._until = time.monotonic() + self._options.statement_timeout
        try:
            if command.many is not None:
                return self._perform_many(text, command.many)
            gives_rows = self._returning.get(text)
            if gives_rows is None:
                rows: Rows = self._watched.execute(text, values).fetchall()
                gives_rows = self._columns
                if len(self._returning) >= _KNOWN_TEXTS:
                    self._returning.clear()
                self._returning[text] = gives_rows
            else:
                rows = self._cursor.execute(text, values).fetchall()
        except (apsw.Error, OverflowError, UnicodeEncodeError) as error:
            if is_reference(str(error)) and db.in_transaction:
                raise broken_reference(db, command, self._limit) from error
            raise problem_of(error, db, limit=self._options.statement_timeout) from error
        return rows if gives_rows else [(db.changes(),)]

    def _perform_many(self, text: str, many: Sequence[Sequence[Value]]) -> Rows:
        """All of them or, like a single statement, none."""
        db = self._db
        before = db.total_changes()
        self._cursor.execute("SAVEPOINT many")
        try:
            for _ in self._cursor.executemany(text, many):
                pass
        except BaseException:
            if db.in_transaction:
                self._cursor.execute("ROLLBACK TO many")
                self._cursor.execute("RELEASE many")
            raise
        self._cursor.execute("RELEASE many")
        return [(db.total_changes() - before,)]

    def _host(self, session: Session) -> None:
        """Serve a session's steps until it ends, its time is over, or its transaction is lost."""
        try:
            if not session.future.cancelled():
                self._cursor.execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            session.error = problem_of(error, self._db)
        self._post(self._settle_admitted, [session])
        if not self._db.in_transaction:
            return
        limit = self._options.transaction_timeout
        until = time.monotonic() + limit
        while True:
            try:
                step = session.steps.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                self._take_back()
                self._post(self._end_session, session, too_long(limit, "the transaction"))
                return
            self._take_step(step)
            self._post(self._settle, [step])
            if isinstance(step, End):
                return
            if not self._db.in_transaction:
                self._post(
                    self._end_session,
                    session,
                    Problem(DATABASE_UNAVAILABLE, "the transaction was lost to an earlier failure"),
                )
                return

    def _take_step(self, step: Job | Look | End) -> None:
        try:
            if isinstance(step, Job):
                self._attempt(step)
            elif isinstance(step, Look):
                step.outcome = self._perform(Command(step.text, step.values))
            elif step.commit:
                self._cursor.execute("COMMIT")
                self.groups += 1
            else:
                self._take_back()
        except Problem as problem:
            step.error = problem
        except apsw.Error as error:
            step.error = problem_of(error, self._db)
            self._take_back()

    def _take_back(self) -> None:
        """Roll back whatever is open, if anything still is."""
        try:
            if self._db.in_transaction:
                self._cursor.execute("ROLLBACK")
        except apsw.Error:
            _log.exception("a rollback failed")

    def _fail(self, jobs: Sequence[Job], message: str) -> None:
        for job in jobs:
            if job.error is None:
                job.error = Problem(
                    DATABASE_UNAVAILABLE, f"nothing was written: {message}", headers=(("Retry-After", "1"),)
                )

    def _post(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed: nobody waits any more
            _log.warning("the event loop ended before the database was closed")

    def _late(self) -> bool:
        return time.monotonic() > self._until

    def _limit(self, until: float) -> None:
        self._until = until

    def _note_columns(self, cursor: apsw.Cursor, _text: str, _values: object) -> bool:
        self._columns = bool(cursor.get_description())
        return True

    def _note_log(self, _db: apsw.Connection, _name: str, pages: int) -> int:
        if pages < self._log_pages:  # the log began anew
            self._next_checkpoint = _CHECKPOINT_PAGES
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _maybe_checkpoint(self) -> None:
        """Move the log's pages into the database every so many pages, after the callers were answered."""
        pages = self._log_pages
        if pages < self._next_checkpoint:
            return
        self._next_checkpoint = pages + _CHECKPOINT_PAGES
        db = self._db
        try:
            if pages < _LONG_LOG_PAGES:
                db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            else:  # there was a reader at each beginning of a write, so that the log could not begin anew
                db.set_busy_handler(wait_for_lock(_PATIENCE))
                db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
        except apsw.BusyError:  # a long read; the next time will do
            pass
        except apsw.Error as error:
            _log.warning("the write-ahead log could not be moved into the database: %s", error)
        finally:
            db.set_busy_handler(wait_for_lock(self._options.busy_timeout))
        if pages >= self._warn_pages:
            self._warn_pages = 2 * pages
            _log.warning("the write-ahead log has %d pages: a long read keeps it from being emptied", pages)
