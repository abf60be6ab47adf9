"""Opening a SQLite file: a wrong path is one clear message."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import apsw
import pytest

from pellucid.db.sqlite import SQLite, SQLiteOptions
from pellucid.db.sqlite_connection import locate
from pellucid.errors import DATABASE_BUSY, DATABASE_UNAVAILABLE, Problem


def open_fails(path: Path) -> Problem:
    with pytest.raises(Problem) as caught:
        asyncio.run(SQLite.open(path))
    assert caught.value.code is DATABASE_UNAVAILABLE
    return caught.value


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("data.db", "data.db"),
        ("/var/data.db", "/var/data.db"),
        ("sqlite:///data.db", "data.db"),
        ("sqlite:////var/data.db", "/var/data.db"),
        (":memory:", None),
        ("sqlite://", None),
    ],
)
def test_paths_and_urls_name_a_file(given: str, path: str | None) -> None:
    assert locate(given) == (None if path is None else Path(path))


@pytest.mark.parametrize("url", ["sqlite://host/data.db", "sqlite:data.db", "sqlite:///data.db?mode=ro"])
def test_a_url_that_names_no_file_is_refused_with_the_right_form(url: str) -> None:
    with pytest.raises(Problem) as caught:
        locate(url)
    assert "sqlite:///" in str(caught.value.hint)


def test_a_missing_folder_is_named_with_its_cure(tmp_path: Path) -> None:
    problem = open_fails(tmp_path / "missing" / "data.db")
    assert "does not exist" in problem.message
    assert str(tmp_path / "missing") in str(problem.hint)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert "is a folder" in open_fails(tmp_path).message


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is a file" in open_fails(tmp_path / "file" / "data.db").message


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a database\n" * 100)
    assert "not a SQLite database" in open_fails(path).message
    assert path.read_text().startswith("these are my notes")


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    with apsw.Connection(str(path)) as db:
        db.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)")
    db.close()
    content = bytearray(path.read_bytes())
    content[100:200] = os.urandom(100)
    path.write_bytes(content)
    assert "damaged" in open_fails(path).message


@pytest.mark.parametrize("mode", [0o000, 0o400])
def test_a_file_that_may_not_be_written_is_named(tmp_path: Path, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.db"
    path.touch()
    path.chmod(mode)
    if os.geteuid() == 0:  # to whom the mode means nothing
        monkeypatch.setattr(os, "access", lambda asked, _: asked != path)
    assert "may not read and write" in open_fails(path).message


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "data.db").touch()

    async def main() -> None:
        db = await SQLite.open(tmp_path / "data.db")
        await db.ready()
        await db.close()

    asyncio.run(main())


def test_a_database_in_memory_leaves_nothing_behind() -> None:
    async def main() -> Path:
        db = await SQLite.open(":memory:")
        other = await SQLite.open("sqlite://")
        assert db.path != other.path
        await db.close()
        await other.close()
        return db.path

    assert not asyncio.run(main()).parent.exists()


def test_a_database_locked_by_another_program_answers_busy_not_locked(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE item (id)")
    other.execute("BEGIN EXCLUSIVE")

    async def main() -> None:
        await SQLite.open(path, SQLiteOptions(busy_timeout=0.05))

    with pytest.raises(Problem) as caught:
        asyncio.run(main())
    assert caught.value.code is DATABASE_BUSY
    other.close()
