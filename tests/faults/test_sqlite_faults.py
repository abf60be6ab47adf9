"""When the process is killed, the disk is full, several processes write: everything acknowledged is kept, nothing by half."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from pellucid import errors
from pellucid.db.database import Command, Rows
from pellucid.db.sqlite import SQLite, SQLiteOptions
from pellucid.errors import Problem

TABLE = (
    "CREATE TABLE IF NOT EXISTS item "
    "(id INTEGER PRIMARY KEY, writer INTEGER NOT NULL, number INTEGER NOT NULL, half TEXT) STRICT"
)
NUMBERS = "WITH RECURSIVE c(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM c LIMIT 5000)"
INSERT = "INSERT INTO item (writer, number) VALUES (?, ?) RETURNING id"

# Writes from 32 tasks for ever, each script two rows that belong together; says `writer number` once acknowledged.
WRITER = """
import asyncio, os, sys
from pellucid.db.database import Command
from pellucid.db.sqlite import SQLite, SQLiteOptions

def pair(writer, number):
    yield Command("INSERT INTO item (writer, number, half) VALUES (?, ?, 'first')", (writer, number))
    yield Command("INSERT INTO item (writer, number, half) VALUES (?, ?, 'second')", (writer, number))

async def write(db, writer, most):
    for number in range(most):
        await db.write(pair(writer, number))
        os.write(1, f"{writer} {number}\\n".encode())

async def main(path, first, most):
    db = await SQLite.open(path, SQLiteOptions(busy_timeout=30))
    await asyncio.gather(*(write(db, first + writer, most) for writer in range(32)))
    await db.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


def one(text: str, *values: Any) -> Generator[Command, Rows, Rows]:
    return (yield Command(text, values))


def run(test: Awaitable[None]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await test

    asyncio.run(main())


def prepare(path: Path) -> None:
    async def main() -> None:
        db = await SQLite.open(path)
        await db.write(one(TABLE))
        await db.close()

    run(main())


def check(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path))
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return db


def start_writer(path: Path, first: int, most: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(first), str(most)], stdout=subprocess.PIPE)


@pytest.mark.parametrize("acknowledged", [1, 100, 400, 1000, 2500])
def test_a_killed_process_keeps_every_acknowledged_write_and_none_by_half(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "data.db"
    prepare(path)
    process = start_writer(path, 0, 1_000_000)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(acknowledged)]
    process.kill()
    rest = process.stdout.read()
    process.wait()
    process.stdout.close()
    lines += [line for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
    promised = {tuple(map(int, line.split())) for line in lines}
    assert len(promised) >= acknowledged
    with closing(check(path)) as db:
        kept = db.execute("SELECT writer, number, count(*) FROM item GROUP BY writer, number").fetchall()
    assert promised <= {(writer, number) for writer, number, _ in kept}
    assert {halves for _, _, halves in kept} == {2}


def test_after_a_kill_the_same_file_is_served_again(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    prepare(path)
    for _ in range(2):
        process = start_writer(path, 0, 1_000_000)
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.communicate()

    async def test() -> None:
        db = await SQLite.open(path)
        (before,) = db.read("SELECT count(*) FROM item")  # type: ignore[misc]
        await db.write(one(INSERT, 99, 1))
        assert db.read("SELECT count(*) FROM item") == [(before[0] + 1,)]
        await db.close()

    run(test())


def test_two_processes_write_one_file_and_neither_hears_that_it_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    prepare(path)
    processes = [start_writer(path, first, 20) for first in (0, 100)]

    async def test() -> None:  # and a third one, which also reads
        db = await SQLite.open(path, SQLiteOptions(busy_timeout=30))
        for number in range(50):
            await db.write(one(INSERT, 200, number))
            rows = db.read("SELECT count(*) FROM item WHERE writer = 200")
            assert (rows if isinstance(rows, list) else await rows) == [(number + 1,)]
        await db.close()

    run(test())
    for process in processes:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert said.count(b"\n") == 32 * 20
    with closing(check(path)) as db:
        assert db.execute("SELECT count(*) FROM item").fetchall() == [(2 * 2 * 32 * 20 + 50,)]
        odd = "SELECT 1 FROM item WHERE writer < 200 GROUP BY writer, number HAVING count(*) <> 2"
        assert db.execute(odd).fetchall() == []


def test_what_another_process_acknowledged_is_in_the_very_next_read(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    prepare(path)

    async def test() -> None:
        db = await SQLite.open(path)
        assert db.read("SELECT count(*) FROM item") == [(0,)]
        process = start_writer(path, 0, 40)
        assert process.stdout is not None
        while line := process.stdout.readline():
            writer, number = map(int, line.split())
            for _ in range(3):
                rows = db.read("SELECT count(*) FROM item WHERE writer = ? AND number = ?", (writer, number))
                assert (rows if isinstance(rows, list) else await rows) == [(2,)]
        process.stdout.close()
        assert process.wait() == 0
        await db.close()

    run(test())


class SmallDisk:
    """A folder with room for about two megabytes: a small tmpfs where one can be mounted, else a limit on the size of files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
        mounted = subprocess.run(mount, capture_output=True, check=False)
        self.mounted = mounted.returncode == 0
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.ballast = folder / "ballast"
        if self.mounted:
            self.ballast.write_bytes(bytes(1_000_000))
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, self.before[1]))

    def make_room(self) -> None:
        if self.mounted:
            self.ballast.unlink()
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, self.before)

    def close(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path)
    yield disk
    disk.close()


async def fill_up(db: SQLite) -> int:
    """Write from many tasks until each has heard that the disk is full; how many writes were acknowledged."""
    written = 0

    async def writer(name: int) -> None:
        nonlocal written
        for number in range(10_000):
            try:
                await db.write(
                    one("INSERT INTO item (writer, number, half) VALUES (?, ?, hex(randomblob(2000)))", name, number)
                )
            except Problem as problem:
                if problem.code is errors.DISK_FULL:
                    return
                if problem.code is not errors.DATABASE_UNAVAILABLE:  # another one of its group met the end of the disk
                    raise
            else:
                written += 1
        pytest.fail("the disk never filled up")

    await asyncio.gather(*(writer(name) for name in range(8)))
    return written


Act = Callable[[SQLite], Awaitable[None]]


async def full_and_free_again(path: Path, make_room: Act, fill: Act) -> None:
    db = await SQLite.open(path)
    await db.write(one(TABLE))
    await fill(db)
    written = await fill_up(db)
    assert written > 0
    assert db.read("SELECT count(*) FROM item") == [(written,)]  # reads go on
    await make_room(db)
    await db.write(one(INSERT, 99, 1))
    assert db.read("SELECT count(*) FROM item") == [(written + 1,)]
    await db.close()
    with closing(check(path)) as again:
        assert again.execute("SELECT count(*) FROM item").fetchall() == [(written + 1,)]


async def nothing(_db: SQLite) -> None:
    pass


def test_on_a_full_disk_writes_are_refused_whole_and_go_on_when_there_is_room(small_disk: SmallDisk) -> None:
    async def make_room(_db: SQLite) -> None:
        small_disk.make_room()

    run(full_and_free_again(small_disk.folder / "data.db", make_room, nothing))


def test_a_database_at_its_size_limit_behaves_as_on_a_full_disk(tmp_path: Path) -> None:
    async def fill(db: SQLite) -> None:
        await db.write(one("PRAGMA max_page_count = 300"))

    async def make_room(db: SQLite) -> None:
        await db.write(one("PRAGMA max_page_count = 100000"))

    run(full_and_free_again(tmp_path / "data.db", make_room, fill))


def test_a_backup_under_load_is_whole_and_delays_nobody(tmp_path: Path) -> None:
    path = tmp_path / "data.db"

    async def test() -> None:
        db = await SQLite.open(path)
        await db.write(one(TABLE))
        await db.write(one(f"INSERT INTO item (writer, number, half) {NUMBERS} SELECT -1, x, hex(randomblob(2000)) FROM c"))
        written, waits = 0, []

        def pair(number: int) -> Generator[Command, Rows, None]:
            yield Command(INSERT, (1, number))
            yield Command(INSERT, (1, number))

        copying = asyncio.ensure_future(db.backup(tmp_path / "copy.db"))
        while not copying.done():
            began = time.perf_counter()
            await db.write(pair(written))
            written += 1
            waits.append(time.perf_counter() - began)
        assert await copying == (tmp_path / "copy.db").stat().st_size
        assert written > 0
        assert sorted(waits)[len(waits) // 2] < 0.5
        await db.close()
        assert {entry.name for entry in tmp_path.iterdir()} == {"data.db", "copy.db"}  # noqa: ASYNC240
        with closing(check(tmp_path / "copy.db")) as copy:
            assert copy.execute("SELECT count(*) FROM item WHERE writer = -1").fetchall() == [(5000,)]
            assert copy.execute("SELECT 1 FROM item WHERE writer = 1 GROUP BY number HAVING count(*) <> 2").fetchall() == []

    run(test())


def test_a_backup_never_overwrites_unless_told_and_leaves_nothing_when_it_fails(tmp_path: Path) -> None:
    async def test() -> None:
        db = await SQLite.open(tmp_path / "data.db")
        await db.write(one(TABLE))
        copy = tmp_path / "copy" / "copy.db"
        with pytest.raises(FileNotFoundError):
            await db.backup(copy)
        copy.parent.mkdir()
        await db.backup(copy)
        with pytest.raises(FileExistsError):
            await db.backup(copy)
        with pytest.raises(FileExistsError):
            await db.backup(tmp_path / "data.db", overwrite=True)
        await db.write(one(INSERT, 1, 1))
        await db.backup(copy, overwrite=True)

        def give_up(_done: int, _total: int) -> None:
            raise KeyError("enough")

        with pytest.raises(KeyError):
            await db.backup(copy.with_name("other.db"), progress=give_up)
        assert [entry.name for entry in copy.parent.iterdir()] == ["copy.db"]
        with closing(check(copy)) as again:
            assert again.execute("SELECT count(*) FROM item").fetchall() == [(1,)]
        await db.close()

    run(test())


def test_many_threads_of_one_loop_never_mix_up_answers(tmp_path: Path) -> None:
    """Long reads, short reads and writes at once: each caller gets its own rows."""

    async def test() -> None:
        db = await SQLite.open(tmp_path / "data.db", SQLiteOptions(inline_budget=0.0001))
        await db.write(one(TABLE))

        async def work(name: int) -> None:
            for number in range(20):
                await db.write(one(INSERT, name, number))
                rows = db.read("SELECT ?, count(*) FROM item WHERE writer = ?", (name, name))
                assert (rows if isinstance(rows, list) else await rows) == [(name, number + 1)]
                text = (
                    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ?) SELECT ?, count(*) FROM c"
                )
                rows = db.read(text, (20_000 + name, name))
                assert (rows if isinstance(rows, list) else await rows) == [(name, 20_000 + name)]

        await asyncio.gather(*(work(name) for name in range(16)))
        await db.close()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("sqlite-")]

    run(test())
    assert os.listdir(tmp_path) == ["data.db"]
