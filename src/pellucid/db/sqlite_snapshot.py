"""Reads without locks: one read transaction serves many reads, for as long as nobody has written.

In: the event loop's connection. Out: a connection that is in a transaction on the newest commit whenever a
read begins.

The problem: of the 3.0 µs that a read of one row takes, 1.9 are two system calls, the lock at its beginning
and the unlock at its end. The naive way out, a transaction kept open for a while, shows a past that other
processes have already changed. SQLite itself decides whether its snapshot is the newest by comparing the
header of the write-ahead log's index, in memory that all processes share, with its own copy. We do the same:
the 48 bytes of that header are compared before each read (0.05 µs), and the transaction begins anew when they
differ. What a read may see is therefore what it would see without this file.

Two cares. A transaction left open would keep the log from being emptied, so it ends some milliseconds later
in any case, and is not kept open at all while the log is long. And the shared memory is found where the
kernel says SQLite has mapped it, because opening the file a second time would, on closing, drop this
process's locks (POSIX); so this works on Linux, and elsewhere each read is on its own.

Format: https://sqlite.org/walformat.html, section 2.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from pathlib import Path
from typing import Protocol

import apsw

__all__ = ["Snapshot"]

_HOLD = 0.02  # seconds that a transaction is kept at most
_LONG = 2000  # frames in the log: twice what starts a checkpoint

_VERSION = 3_007_000
_HEADER = 48
_FRAMES = slice(16, 20)


class Header(Protocol):
    """The index's header in shared memory, copied at each access."""

    @property
    def raw(self) -> bytes: ...


class Nothing:
    """In place of the shared memory where there is none to see: never differs."""

    raw = b""


class Snapshot:
    """The read transaction of one connection. Before a read: `if snapshot.seen != snapshot.now.raw:
    snapshot.renew()`.

    `until` is the connection's deadline cell, see `SQLite._over_budget`; it is reset so that the
    transaction's own statements are never cut off.
    """

    __slots__ = ("_db", "_execute", "_held", "_loop", "_timer", "_until", "now", "seen")

    def __init__(self, db: apsw.Connection, loop: asyncio.AbstractEventLoop, until: list[int]) -> None:
        self._db = db
        self._execute = db.cursor().execute
        self._loop = loop
        self._until = until
        self._timer: asyncio.TimerHandle | None = None
        self._held = False
        self.seen = b""
        self.now: Header = Nothing()
        address = _find(Path(db.filename + "-shm"))
        if address is not None:
            self.now = (ctypes.c_char * _HEADER).from_address(address)

    def renew(self) -> None:
        """End the transaction on an old commit, and begin one on the newest unless the log wants to be
        emptied.
        """
        self._until[0] = 0
        if self._held:
            self._held = False
            self.seen = b""
            self._execute("COMMIT")
        header = (
            self.now.raw
        )  # before BEGIN: should somebody commit in between, the next read finds a difference and begins anew
        if int.from_bytes(header[_FRAMES], sys.byteorder) > _LONG:
            return
        self.seen = header
        self._execute("BEGIN")
        self._held = True
        if self._timer is None:
            self._timer = self._loop.call_later(_HOLD, self._time_is_over)

    def release(self) -> None:
        """End the transaction, also one that an error has ended already."""
        self.seen = b""
        self._until[0] = 0
        if self._held:
            self._held = False
            if self._db.in_transaction:
                self._execute("COMMIT")

    def close(self) -> None:
        """Look at the shared memory no more: it goes away with the connection."""
        self.now = Nothing()
        if self._timer is not None:
            self._timer.cancel()
        self.release()

    def _time_is_over(self) -> None:
        self._timer = None
        self.release()


def _find(path: Path) -> int | None:
    """Where this process has mapped the beginning of a log's index; None where that cannot be said with
    certainty.
    """
    try:
        status = path.stat()
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
            maps = [line.split(maxsplit=5) for line in lines]
    except OSError:
        return None
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    found = [
        fields[0]
        for fields in maps
        if fields[1].startswith("r") and fields[1].endswith("s") and int(fields[2], 16) == 0
        and fields[3] == device and int(fields[4]) == status.st_ino
    ]  # fmt: skip
    if len(found) != 1:
        return None
    address = int(found[0].partition("-")[0], 16)
    first, second = ctypes.string_at(address, _HEADER), ctypes.string_at(address + _HEADER, _HEADER)
    known = int.from_bytes(first[:4], sys.byteorder) == _VERSION
    return address if known and first == second else None
