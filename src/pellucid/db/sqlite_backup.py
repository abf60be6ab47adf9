"""A copy of a live database: consistent, durable, and never half there.

In: the database file and a destination. Out: the destination, complete, or nothing. Reads and writes go on
meanwhile, in this process and in others: the copy is of one snapshot, held for as long as it takes, and only
the log cannot be emptied until then.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import apsw

from pellucid.db.sqlite_connection import SQLiteOptions, connect
from pellucid.db.sqlite_problems import problem_of

__all__ = ["backup"]

_PAGES = 256  # a step: 1 MiB, well below a millisecond from the page cache


def backup(
    source: Path,
    destination: Path,
    options: SQLiteOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> int:
    """Copy a live database file and return the copy's size in bytes; blocks, so run it in a thread.

    `progress` is given pages done and pages in all after each step, and may raise to give up. The copy is
    written under a temporary name in the same folder, synced, then renamed. Raises FileExistsError unless
    `overwrite`, OSError for the destination, `Problem` for the database.
    """
    if destination.exists():
        if not overwrite:
            raise FileExistsError(f"{destination} exists already")
        if destination.samefile(source):
            raise FileExistsError(f"{destination} is the database itself")
    partial = destination.with_name(f".{destination.name}.{os.getpid()}.partial")
    partial.touch(exist_ok=False)
    try:
        _copy(source, partial, options or SQLiteOptions(), progress)
        _sync(partial)
        if overwrite:
            partial.replace(destination)
        else:
            os.link(partial, destination)
        _sync(destination.parent)
        return destination.stat().st_size
    finally:
        for leftover in (
            partial,
            partial.with_name(partial.name + "-journal"),
            partial.with_name(partial.name + "-wal"),
        ):
            with suppress(FileNotFoundError):
                leftover.unlink()


def _copy(
    source: Path, partial: Path, options: SQLiteOptions, progress: Callable[[int, int], object] | None
) -> None:
    here = connect(source, "reader", options)
    try:
        there = apsw.Connection(str(partial))
        try:
            there.pragma("journal_mode", "OFF")  # it is thrown away if anything fails
            there.pragma("synchronous", "OFF")  # synced once, at the end
            # A snapshot held open: without it, each write of others would start the copy anew.
            here.execute("BEGIN")
            here.pragma("schema_version")
            with there.backup("main", here, "main") as copy:
                while not copy.done:
                    copy.step(_PAGES)
                    if progress is not None:
                        progress(copy.page_count - copy.remaining, copy.page_count)
            here.execute("COMMIT")
        except apsw.Error as error:
            raise problem_of(error, there, path=partial) from error
        finally:
            there.close(True)
    finally:
        here.close(True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
