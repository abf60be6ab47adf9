"""One connection to a SQLite file: where the file is, what may be done to it, and the settings that every
connection carries.

In: a path or URL and `SQLiteOptions`. Out: an `apsw.Connection` that is ready to use, or a `Problem` that
says what is wrong with the path. It knows nothing of threads: a connection belongs to whoever asked for it,
and is used by one thread at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import apsw
import msgspec

from pellucid.db.sqlite_match import register
from pellucid.db.sqlite_problems import problem_of
from pellucid.errors import DATABASE_UNAVAILABLE, Problem

__all__ = ["Kind", "SQLiteOptions", "connect", "locate", "wait_for_lock"]

Kind = Literal["writer", "reader"]

_STATEMENTS = 256  # prepared statements kept by a connection; a shape costs a few kB

_RETRY_FIRST = 0.0002
_RETRY_LONGEST = 0.005


class SQLiteOptions(msgspec.Struct, frozen=True):
    """How the database is used: times in seconds, queues in entries.

    `inline_budget` is how long a read may hold the event loop before it moves to a reader thread;
    `statement_timeout` then ends it there, and ends a write. `group` is the most scripts in one commit,
    `write_queue` and `read_queue` the most that may wait. `transaction_timeout` ends a `transaction()` that
    is left open. `throwaway` gives up durability, for databases that nobody keeps.
    """

    busy_timeout: float = 5.0
    statement_timeout: float = 30.0
    transaction_timeout: float = 30.0
    inline_budget: float = 0.003
    readers: int = 2
    read_queue: int = 256
    write_queue: int = 1024
    group: int = 256
    streams: int = 8
    cache_kib: int = 16_384
    mmap_mib: int = 0
    wal_mib: int = 64
    throwaway: bool = False


def locate(path: str | os.PathLike[str]) -> Path | None:
    """The file that a path or `sqlite:` URL names; None for a database in memory (`:memory:`, `sqlite://`).

    URLs are read as SQLAlchemy reads them: `sqlite:///data.db` is relative, `sqlite:////var/data.db`
    absolute.
    """
    text = os.fspath(path)
    if text in (":memory:", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:"):
        return None
    if text.startswith("sqlite:"):
        rest = text.removeprefix("sqlite:")
        if not rest.startswith("///") or "?" in rest:
            raise Problem(
                DATABASE_UNAVAILABLE,
                f"{text!r} is not the URL of a SQLite file",
                hint="write sqlite:///data.db for a file beside you, sqlite:////var/data.db for a full path",
            )
        text = rest[3:]
    return Path(text)


def connect(path: Path, kind: Kind, options: SQLiteOptions, *, one_thread: bool = False) -> apsw.Connection:
    """Open the file with the settings that hold everywhere; the writer creates it. Raises
    DATABASE_UNAVAILABLE or DATABASE_BUSY.

    `one_thread` promises that one thread at a time will use the connection, and spares it the mutex that
    SQLite otherwise takes for every row: a quarter of what fetching 20 of them takes.
    """
    if kind == "writer":
        _check(path)
    flags = (
        apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        if kind == "writer"
        else apsw.SQLITE_OPEN_READONLY
    )
    if one_thread:
        flags |= apsw.SQLITE_OPEN_NOMUTEX
    try:
        db = apsw.Connection(str(path), flags=flags, statementcachesize=_STATEMENTS)
    except apsw.Error as error:
        raise problem_of(error, path=path) from error
    try:
        db.set_busy_handler(wait_for_lock(options.busy_timeout))
        _configure(db, kind, options)
    except apsw.Error as error:
        db.close(True)
        raise problem_of(error, path=path) from error
    except BaseException:
        db.close(True)
        raise
    return db


def _configure(db: apsw.Connection, kind: Kind, options: SQLiteOptions) -> None:
    if kind == "writer":
        mode = db.pragma("journal_mode", "wal")
        if mode != "wal":
            raise Problem(
                DATABASE_UNAVAILABLE,
                f"{db.filename} cannot keep a write-ahead log (SQLite answered {mode!r})",
                hint="put the file on a local disk: network file systems have no shared memory",
            )
        db.pragma("synchronous", "OFF" if options.throwaway else "FULL")
        db.pragma("journal_size_limit", options.wal_mib << 20)
        db.pragma("wal_autocheckpoint", 0)  # the writer does it itself, after it has answered
    db.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    db.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    db.pragma("trusted_schema", "OFF")
    db.pragma("foreign_keys", "ON")
    db.pragma("cache_size", -options.cache_kib)
    db.pragma("mmap_size", options.mmap_mib << 20)
    register(db)
    db.pragma("schema_version")  # reads the file's first page: what is no database says so here


def wait_for_lock(limit: float, stop: Callable[[], bool] = lambda: False) -> Callable[[int], bool]:
    """A busy handler that waits up to `limit` seconds in short naps, where SQLite's own naps up to 100 ms and
    starves among several processes.
    """
    until = 0.0

    def again(tries: int) -> bool:
        nonlocal until
        now = time.monotonic()
        if tries == 0:
            until = now + limit
        if now >= until or stop():
            return False
        time.sleep(min(_RETRY_FIRST * (tries + 1), _RETRY_LONGEST))
        return True

    return again


def _check(path: Path) -> None:
    """Say plainly what SQLite would call `unable to open database file`."""
    folder = path.parent
    if path.is_dir():
        raise Problem(
            DATABASE_UNAVAILABLE,
            f"{path} is a folder, not a database file",
            hint=f"name a file in it, such as {path / 'data.db'}",
        )
    if not folder.exists():
        raise Problem(
            DATABASE_UNAVAILABLE, f"the folder of {path} does not exist", hint=f"create it: mkdir -p {folder}"
        )
    if not folder.is_dir():
        raise Problem(DATABASE_UNAVAILABLE, f"{folder} is a file, so {path} cannot lie in it")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise Problem(
            DATABASE_UNAVAILABLE,
            f"this process may not read and write {path}",
            hint="change its owner or mode",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Problem(
            DATABASE_UNAVAILABLE,
            f"this process may not write in the folder {folder}",
            hint="SQLite keeps its log beside the database, so the folder must be writable too",
        )
