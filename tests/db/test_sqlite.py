"""SQLite as a Database: what reads, writes and transactions promise."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import apsw
import pytest

from pellucid import errors
from pellucid.db.database import Command, Database, Rows
from pellucid.db.sqlite import SQLite, SQLiteOptions
from pellucid.errors import Problem
from pellucid.spans import Trace, now

TABLE = "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL, UNIQUE (name)) STRICT"
INSERT = "INSERT INTO item (name) VALUES (?)"
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
LONG = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 200000) SELECT count(*) FROM c"

MANY = "INSERT INTO item (name) WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 2000) SELECT x FROM c"


def one(text: str, *values: Any) -> Generator[Command, Rows, Rows]:
    return (yield Command(text, values))


def several(*texts: str) -> Generator[Command, Rows, None]:
    for text in texts:
        yield Command(text)


def with_database(
    test: Callable[[SQLite], Awaitable[None]], path: Path | str = ":memory:", options: SQLiteOptions | None = None
) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            db = await SQLite.open(path, options)
            try:
                await db.write(one(TABLE.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")))
                await test(db)
            finally:
                await db.close()

    asyncio.run(main())


async def rows_of(db: Database, text: str, *values: Any) -> Rows:
    rows = db.read(text, values)
    return rows if isinstance(rows, list) else await rows


async def problem_of(awaitable: Awaitable[object]) -> Problem:
    with pytest.raises(Problem) as caught:
        await awaitable
    return caught.value


# Reads


def test_a_short_read_answers_at_once_without_an_awaitable() -> None:
    async def test(db: SQLite) -> None:
        await db.write(one(INSERT, "tea"))
        assert db.read("SELECT id, name FROM item WHERE name = ?", ("tea",)) == [(1, "tea")]
        assert db.read("SELECT id FROM item WHERE name = 'coffee'") == []

    with_database(test)


def test_a_long_read_moves_to_a_thread_and_still_answers() -> None:
    async def test(db: SQLite) -> None:
        rows = db.read(LONG)
        assert not isinstance(rows, list)
        assert await rows == [(200_000,)]

    with_database(test)


def test_a_text_that_was_too_long_twice_goes_to_the_threads_at_once_and_is_tried_on_the_loop_again() -> None:
    async def test(db: SQLite) -> None:
        text = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ?) SELECT count(*) FROM c"
        for _ in range(2):
            rows = db.read(text, (200_000,))
            assert not isinstance(rows, list)
            await rows
        later = 0
        for _ in range(100):
            rows = db.read(text, (3,))  # short now, but who knows that
            if isinstance(rows, list):
                break
            assert await rows == [(3,)]
            later += 1
        assert 0 < later < 100

    with_database(test)


def test_a_read_that_would_run_for_minutes_is_stopped_and_delays_nobody() -> None:
    async def test(db: SQLite) -> None:
        endless = asyncio.ensure_future(db.read(ENDLESS))  # type: ignore[arg-type]
        waits: list[float] = []
        while not endless.done():
            began = time.perf_counter()
            await asyncio.sleep(0)
            assert db.read("SELECT 1") == [(1,)]
            waits.append(time.perf_counter() - began)
        problem = await problem_of(endless)
        assert problem.code is errors.STATEMENT_TIMEOUT
        assert ("Retry-After", "1") in problem.headers
        waits.sort()
        assert waits[len(waits) // 2] < 0.001
        assert waits[int(len(waits) * 0.999)] < 0.05

    with_database(test, options=SQLiteOptions(statement_timeout=0.5))


def test_the_event_loop_is_held_no_longer_than_the_budget() -> None:
    async def test(db: SQLite) -> None:
        took = []
        for number in range(5):
            began = time.perf_counter()
            endless = db.read(f"{ENDLESS} WHERE {number} = {number}")
            took.append(time.perf_counter() - began)
            assert not isinstance(endless, list)
            await problem_of(endless)
        assert min(took) < 0.03

    with_database(test, options=SQLiteOptions(statement_timeout=0.05, inline_budget=0.003))


def test_too_many_long_reads_are_refused_rather_than_queued_for_ever() -> None:
    async def test(db: SQLite) -> None:
        endless = [db.read(ENDLESS) for _ in range(2)]
        with pytest.raises(Problem) as caught:
            db.read(ENDLESS)
        assert caught.value.code is errors.DATABASE_BUSY
        for rows in endless:
            assert not isinstance(rows, list)
            await problem_of(rows)
        assert await rows_of(db, LONG) == [(200_000,)]

    with_database(test, options=SQLiteOptions(statement_timeout=0.4, readers=1, read_queue=2))


def test_a_read_cannot_write() -> None:
    async def test(db: SQLite) -> None:
        with pytest.raises(Problem):
            db.read("INSERT INTO item (name) VALUES ('x')")
        assert db.read("SELECT count(*) FROM item") == [(0,)]

    with_database(test)


def test_a_read_sees_what_was_acknowledged_before_it() -> None:
    async def test(db: SQLite) -> None:
        for number in range(200):
            await db.write(one(INSERT, str(number)))
            assert db.read("SELECT count(*) FROM item") == [(number + 1,)]

    with_database(test)


def test_a_read_sees_at_once_what_another_connection_committed(tmp_path: Path) -> None:
    async def test(db: SQLite) -> None:
        other = apsw.Connection(str(db.path))
        for number in range(200):
            assert db.read("SELECT count(*) FROM item") == [(number,)]
            other.execute(INSERT, (str(number),))
        other.execute("ALTER TABLE item ADD COLUMN size INTEGER")
        assert db.read("SELECT size FROM item LIMIT 1") == [(None,)]
        other.close()

    with_database(test, tmp_path / "data.db")


def test_a_quiet_reader_does_not_keep_the_log_from_being_emptied(tmp_path: Path) -> None:
    async def test(db: SQLite) -> None:
        await db.write(one(INSERT, "tea"))
        assert db.read("SELECT count(*) FROM item") == [(1,)]
        other = apsw.Connection(str(db.path))
        assert other.execute("SELECT count(*) FROM item").fetchall() == [(1,)]
        while True:
            try:
                other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                break
            except apsw.BusyError:
                await asyncio.sleep(0)
        assert db.path.with_name("data.db-wal").stat().st_size == 0
        other.close()

    with_database(test, tmp_path / "data.db")


def test_reads_go_on_after_one_of_them_failed() -> None:
    async def test(db: SQLite) -> None:
        for _ in range(3):
            with pytest.raises(Problem):
                db.read("SELECT nothing FROM nowhere")
            assert db.read("SELECT count(*) FROM item") == [(0,)]
            await problem_of(db.read(ENDLESS))  # type: ignore[arg-type]
            assert db.read("SELECT count(*) FROM item") == [(0,)]

    with_database(test, options=SQLiteOptions(statement_timeout=0.02))


def test_reads_are_not_disturbed_by_an_open_transaction_of_another_connection(tmp_path: Path) -> None:
    async def test(db: SQLite) -> None:
        other = apsw.Connection(str(db.path))
        other.execute("BEGIN IMMEDIATE")
        other.execute(INSERT, ("theirs",))
        assert db.read("SELECT count(*) FROM item") == [(0,)]
        other.execute("COMMIT")
        assert db.read("SELECT count(*) FROM item") == [(1,)]
        other.close()

    with_database(test, tmp_path / "data.db")


def test_explain_says_which_index_a_statement_uses() -> None:
    async def test(db: SQLite) -> None:
        (line,) = await db.explain("SELECT id FROM item WHERE name = ?", ("x",))
        assert "USING COVERING INDEX" in line
        lines = await db.explain("SELECT id FROM item UNION SELECT id FROM item")
        assert lines[1].startswith("  ")

    with_database(test)


# Writes


def test_a_script_is_sent_rows_or_the_number_of_changed_rows() -> None:
    async def test(db: SQLite) -> None:
        seen: list[Rows] = []

        def script() -> Generator[Command, Rows, str]:
            for _ in range(2):  # the second time, the text is known already
                seen.append((yield Command(INSERT, (f"a{len(seen)}",))))
                seen.append((yield Command(f"{INSERT} RETURNING name", (f"b{len(seen)}",))))
                seen.append((yield Command("UPDATE item SET name = name WHERE id > 100")))
                seen.append((yield Command("DELETE FROM item WHERE id > 100 RETURNING id")))
                seen.append((yield Command("SELECT count(*) FROM item")))
            seen.append((yield Command(INSERT, many=[("c",), ("d",)])))
            return "done"

        assert await db.write(script()) == "done"
        assert seen == [
            [(1,)], [("b1",)], [(0,)], [], [(2,)],
            [(1,)], [("b6",)], [(0,)], [], [(4,)],
            [(2,)],
        ]  # fmt: skip

    with_database(test)


def test_returning_gives_rows_in_the_order_they_were_written() -> None:
    async def test(db: SQLite) -> None:
        names = [f"n{number * 7919 % 100}" for number in range(100)]
        text = f"INSERT INTO item (name) VALUES {', '.join('(?)' for _ in names)} RETURNING name"
        assert await db.write(one(text, *names)) == [(name,) for name in names]

    with_database(test)


def test_writes_that_wait_together_are_committed_together_in_order() -> None:
    async def test(db: SQLite) -> None:
        before = db.commits
        async with db.transaction():  # holds the writer until all others wait
            waiting = [db.write(one(f"{INSERT} RETURNING id", f"n{number}")) for number in range(50)]
        ids = await asyncio.gather(*waiting)
        assert ids == [[(number + 1,)] for number in range(50)]
        assert db.commits - before == 2

    with_database(test)


def test_a_group_is_no_larger_than_allowed() -> None:
    async def test(db: SQLite) -> None:
        before = db.commits
        async with db.transaction():
            waiting = [db.write(one(INSERT, f"n{number}")) for number in range(50)]
        await asyncio.gather(*waiting)
        assert db.commits - before == 6

    with_database(test, options=SQLiteOptions(group=10))


def test_a_script_that_fails_takes_back_only_its_own_changes() -> None:
    async def test(db: SQLite) -> None:
        def fails() -> Generator[Command, Rows, None]:
            yield Command(INSERT, ("half",))
            raise ValueError("a mistake in a hook")

        async with db.transaction():
            waiting = [
                db.write(one(INSERT, "first")),
                db.write(fails()),
                db.write(one(INSERT, "first")),
                db.write(one("INSERT INTO nowhere VALUES (1)")),
                db.write(one(INSERT, "last")),
            ]
        first, mistake, twice, nowhere, last = await asyncio.gather(*waiting, return_exceptions=True)
        assert (first, last) == ([(1,)], [(1,)])
        assert isinstance(mistake, ValueError)
        assert isinstance(twice, Problem)
        assert twice.code is errors.UNIQUE_VIOLATION
        assert isinstance(nowhere, Problem)
        assert nowhere.code is errors.INTERNAL
        assert db.read("SELECT name FROM item ORDER BY id") == [("first",), ("last",)]

    with_database(test)


def test_a_script_may_catch_a_failed_command_and_go_on() -> None:
    async def test(db: SQLite) -> None:
        def script() -> Generator[Command, Rows, str]:
            yield Command(INSERT, ("tea",))
            try:
                yield Command(INSERT, ("tea",))
            except Problem as problem:
                yield Command(INSERT, ("coffee",))
                return problem.code.slug
            return "no problem"

        assert await db.write(script()) == "unique-violation"
        assert db.read("SELECT name FROM item ORDER BY id") == [("tea",), ("coffee",)]

    with_database(test)


def test_rollback_gives_the_result_and_keeps_nothing() -> None:
    async def test(db: SQLite) -> None:
        assert await db.write(one(f"{INSERT} RETURNING id", "tea"), rollback=True) == [(1,)]
        assert db.read("SELECT count(*) FROM item") == [(0,)]

    with_database(test)


def test_a_full_queue_answers_busy_with_a_time_to_retry() -> None:
    async def test(db: SQLite) -> None:
        async with db.transaction():
            waiting = [db.write(one(INSERT, f"n{number}")) for number in range(4)]
            with pytest.raises(Problem) as caught:
                db.write(one(INSERT, "too many"))
            assert caught.value.code is errors.DATABASE_BUSY
            assert caught.value.headers == (("Retry-After", "1"),)
        await asyncio.gather(*waiting)
        await db.write(one(INSERT, "room again"))

    with_database(test, options=SQLiteOptions(write_queue=4))


def test_a_write_whose_caller_went_away_before_its_turn_is_not_made() -> None:
    async def test(db: SQLite) -> None:
        async with db.transaction():
            gone = asyncio.ensure_future(db.write(one(INSERT, "gone")))
            stays = db.write(one(INSERT, "stays"))
            gone.cancel()
        await stays
        assert db.read("SELECT name FROM item") == [("stays",)]

    with_database(test)


def test_a_write_that_runs_too_long_is_stopped_and_leaves_nothing() -> None:
    async def test(db: SQLite) -> None:
        problem = await problem_of(db.write(one(f"INSERT INTO item (name) {ENDLESS}")))
        assert problem.code is errors.STATEMENT_TIMEOUT
        await db.write(one(INSERT, "tea"))
        assert db.read("SELECT name FROM item") == [("tea",)]

    with_database(test, options=SQLiteOptions(statement_timeout=0.1))


def test_when_another_connection_holds_the_lock_writes_wait_and_then_answer_busy(tmp_path: Path) -> None:
    async def test(db: SQLite) -> None:
        other = apsw.Connection(str(db.path))
        other.execute("BEGIN IMMEDIATE")
        problem = await problem_of(db.write(one(INSERT, "tea")))
        assert problem.code is errors.DATABASE_BUSY
        assert problem.headers == (("Retry-After", "1"),)
        waiting = db.write(one(INSERT, "tea"))
        other.execute("COMMIT")
        await waiting
        other.close()

    with_database(test, tmp_path / "data.db", SQLiteOptions(busy_timeout=0.2))


def test_a_file_is_synced_at_each_commit_and_keeps_a_log(tmp_path: Path) -> None:
    async def test(db: SQLite) -> None:
        assert await db.write(one("PRAGMA synchronous")) == [(2,)]
        assert await db.write(one("PRAGMA journal_mode")) == [("wal",)]
        assert await db.write(one("PRAGMA foreign_keys")) == [(1,)]

    with_database(test, tmp_path / "data.db")


def test_closing_finishes_the_writes_that_were_taken(tmp_path: Path) -> None:
    async def main() -> None:
        db = await SQLite.open(tmp_path / "data.db")
        await db.write(one(TABLE))
        waiting = [db.write(one(INSERT, f"n{number}")) for number in range(100)]
        await db.close()
        await asyncio.gather(*waiting)
        with pytest.raises(Problem) as caught:
            db.write(one(INSERT, "late"))
        assert caught.value.code is errors.DATABASE_UNAVAILABLE

    asyncio.run(main())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.db"]  # the log was moved into it
    with apsw.Connection(str(tmp_path / "data.db")) as check:
        assert check.execute("SELECT count(*) FROM item").fetchall() == [(100,)]
    check.close()


def test_the_log_is_emptied_under_steady_writing(tmp_path: Path) -> None:
    async def test(db: SQLite) -> None:
        for number in range(300):
            await db.write(one("INSERT INTO item (name) VALUES (? || hex(randomblob(100000)))", str(number)))
            assert db.read("SELECT count(*) FROM item") == [(number + 1,)]
        assert db.path.stat().st_size > 50_000_000
        assert db.path.with_name("data.db-wal").stat().st_size < 20_000_000

    with_database(test, tmp_path / "data.db")


def test_a_trace_shows_waiting_statement_and_commit() -> None:
    async def test(db: SQLite) -> None:
        trace = Trace("t", now())
        await db.write(one(INSERT, "tea"), trace)
        assert [mark[0] for mark in trace.marks] == ["wait", "sql", "commit"]
        assert trace.marks[1][2] == (INSERT, 1)
        trace = Trace("t", now())
        db.read("SELECT id FROM item", (), trace)
        assert [(mark[0], mark[2]) for mark in trace.marks] == [("sql", ("SELECT id FROM item", 1))]
        trace = Trace("t", now())
        rows = db.read(LONG, (), trace)
        assert not isinstance(rows, list)
        await rows
        assert [mark[0] for mark in trace.marks] == ["wait", "sql"]

    with_database(test)


# Transactions


def test_a_transaction_sees_its_own_writes_and_others_only_after_its_end() -> None:
    async def test(db: SQLite) -> None:
        async with db.transaction() as transaction:
            await transaction.run(one(INSERT, "tea"))
            assert await transaction.read("SELECT name FROM item") == [("tea",)]
            assert db.read("SELECT name FROM item") == []
        assert db.read("SELECT name FROM item") == [("tea",)]

    with_database(test)


def test_a_transaction_that_raises_takes_everything_back() -> None:
    async def test(db: SQLite) -> None:
        with pytest.raises(ValueError, match="changed my mind"):  # noqa: PT012 - the transaction is what raises
            async with db.transaction() as transaction:
                await transaction.run(one(INSERT, "tea"))
                raise ValueError("changed my mind")
        await db.write(one(INSERT, "coffee"))
        assert db.read("SELECT name FROM item") == [("coffee",)]

    with_database(test)


def test_a_script_that_fails_inside_a_transaction_leaves_the_rest_of_it() -> None:
    async def test(db: SQLite) -> None:
        async with db.transaction() as transaction:
            await transaction.run(one(INSERT, "tea"))
            problem = await problem_of(transaction.run(one(INSERT, "tea")))
            assert problem.code is errors.UNIQUE_VIOLATION
            await transaction.run(one(INSERT, "coffee"))
        assert db.read("SELECT name FROM item ORDER BY id") == [("tea",), ("coffee",)]

    with_database(test)


def test_a_transaction_left_open_is_taken_back_and_lets_others_write() -> None:
    async def test(db: SQLite) -> None:
        with pytest.raises(Problem) as caught:  # noqa: PT012
            async with db.transaction() as transaction:
                await transaction.run(one(INSERT, "forgotten"))
                await db.write(one(INSERT, "patient"))  # waits for the transaction, which waits for it
        assert caught.value.code is errors.STATEMENT_TIMEOUT
        assert db.read("SELECT name FROM item") == [("patient",)]

    with_database(test, options=SQLiteOptions(transaction_timeout=0.2))


def test_a_transaction_that_cannot_begin_in_time_answers_busy() -> None:
    async def test(db: SQLite) -> None:
        async with db.transaction():
            with pytest.raises(Problem) as caught:
                async with db.transaction():
                    pytest.fail("two at once")
            assert caught.value.code is errors.DATABASE_BUSY
        async with db.transaction() as transaction:
            await transaction.run(one(INSERT, "tea"))
        assert db.read("SELECT name FROM item") == [("tea",)]

    with_database(test, options=SQLiteOptions(busy_timeout=0.1))


def test_a_cancelled_transaction_is_taken_back() -> None:
    async def test(db: SQLite) -> None:
        inside = asyncio.Event()

        async def work() -> None:
            async with db.transaction() as transaction:
                await transaction.run(one(INSERT, "tea"))
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await db.write(one(INSERT, "coffee"))
        assert db.read("SELECT name FROM item") == [("coffee",)]

    with_database(test)


# Streams


def test_a_stream_gives_all_rows_in_batches_of_one_snapshot() -> None:
    async def test(db: SQLite) -> None:
        await db.write(one(MANY))
        got: list[Any] = []
        async for batch in db.stream("SELECT id FROM item ORDER BY id"):
            assert len(batch) <= 500
            got += batch
            await db.write(one("DELETE FROM item WHERE id > 1000"))
        assert got == [(number,) for number in range(1, 2001)]

    with_database(test)


def test_a_stream_that_is_left_lets_go_of_its_place() -> None:
    async def test(db: SQLite) -> None:
        for _ in range(3):
            stream = db.stream("SELECT 1 UNION SELECT 2")
            async for _ in stream:
                break
            await stream.aclose()  # type: ignore[attr-defined]

    with_database(test, options=SQLiteOptions(streams=1))


def test_a_stream_whose_reader_stalls_is_ended() -> None:
    async def test(db: SQLite) -> None:
        await db.write(one(MANY))
        with pytest.raises(Problem) as caught:  # noqa: PT012
            async for _ in db.stream("SELECT id FROM item"):
                rows = next(iter(db._streams))
                while rows.is_open:  # noqa: ASYNC110 - closed by a thread, which tells nobody
                    await asyncio.sleep(0)
        assert caught.value.code is errors.STATEMENT_TIMEOUT

    with_database(test, options=SQLiteOptions(statement_timeout=0.1))


# Health


def test_ready_answers_while_open_and_raises_after_closing(tmp_path: Path) -> None:
    async def main() -> None:
        db = await SQLite.open(tmp_path / "data.db")
        await db.ready()
        await db.close()
        problem = await problem_of(db.ready())
        assert problem.code is errors.DATABASE_UNAVAILABLE

    asyncio.run(main())


def test_closing_stops_a_read_that_still_runs() -> None:
    async def test(db: SQLite) -> None:
        endless = db.read(ENDLESS)
        assert not isinstance(endless, list)
        await db.close()
        await problem_of(endless)

    with_database(test)
