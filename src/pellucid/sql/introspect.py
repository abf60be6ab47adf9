"""A live SQLite database as plain data: what `PRAGMA`s and `sqlite_schema` say of its tables.

In: an open connection. Out: `Table`s as `sql/ddl.py` defines them. It reads only. Checks and comments have no PRAGMA,
so they are taken from the text of CREATE TABLE, which SQLite keeps as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

import apsw

from pellucid.sql.ddl import Column, Constraint, Index, Reference, Table

__all__ = ["definitions", "live_tables"]

_TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|--[^\n]*) | (?P<text>'(?:[^']|'')*')
      | (?P<name>"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|\w+) | (?P<other>\S)""",
    re.VERBOSE | re.DOTALL,
)
_OURS = "_pellucid"


def live_tables(connection: apsw.Connection) -> dict[str, Table]:
    """Every table but SQLite's own and Pellucid's own, by name."""
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
        "AND name NOT LIKE ? || '%' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY rowid",
        (_OURS,),
    ).fetchall()
    shadows = {str(row[1]) for row in connection.execute("PRAGMA table_list").fetchall() if row[2] == "shadow"}
    return {str(name): _table(connection, str(name), str(sql)) for name, sql in rows if name not in shadows}


def _table(connection: apsw.Connection, name: str, sql: str) -> Table:
    texts = definitions(sql)
    references = {
        str(row[3]): Reference(str(row[2]), str(row[4] or ""), str(row[6]))
        for row in connection.execute("SELECT * FROM pragma_foreign_key_list(?)", (name,)).fetchall()
    }
    columns = []
    for _, column, kind, required, default, key, hidden in connection.execute(
        "SELECT * FROM pragma_table_xinfo(?)", (name,)
    ).fetchall():
        if hidden:
            continue
        text = texts.get(str(column).lower(), "")
        columns.append(
            Column(
                name=str(column),
                type=str(kind).upper(),
                note=note[1] if (note := re.search(r"/\* (.*?) \*/", text)) else None,
                nullable=not required and not (key and str(kind).upper() == "INTEGER"),
                key=bool(key),
                default=None if default is None else str(default),
                checks=frozenset(_constraints(text)),
                reference=references.get(str(column)),
            )
        )
    strict = connection.execute("SELECT strict FROM pragma_table_list WHERE schema = 'main' AND name = ?", (name,)).fetchone()
    indexes, extras = _indexes(connection, name)
    return Table(
        name,
        tuple(columns),
        frozenset(indexes),
        strict=bool(strict and strict[0]),
        autoincrement=any(_words(text)[-1:] == ["AUTOINCREMENT"] for text in texts.values()),
        extras=tuple(extras),
    )


def _indexes(connection: apsw.Connection, table: str) -> tuple[list[Index], list[str]]:
    """Our indexes and the inline UNIQUE constraints that ours replace; then the SQL of everybody else's indexes and triggers."""
    ours: list[Index] = []
    extras: list[str] = []
    for _, name, unique, origin, partial in connection.execute("SELECT * FROM pragma_index_list(?)", (table,)).fetchall():
        if origin == "pk":
            continue
        mine = str(name).startswith(f"{table}.") and str(name).endswith((".index", ".unique")) and not partial
        if mine or origin == "u":
            columns = connection.execute("SELECT name, desc FROM pragma_index_xinfo(?) WHERE key", (name,)).fetchall()
            ours.append(Index(str(name), tuple(f"{'-' if desc else ''}{column}" for column, desc in columns), bool(unique)))
        else:
            row = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?", (name,)).fetchone()
            extras.append(str(cast("tuple[str]", row)[0]))
    triggers = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (table,)).fetchall()
    return ours, extras + [str(sql) for (sql,) in triggers]


def definitions(sql: str) -> dict[str, str]:
    """The text of each column's definition in a CREATE TABLE statement, by its name in lower case."""
    depth, start = 0, 0
    found: dict[str, str] = {}
    for token in _TOKEN.finditer(sql):
        if token["other"] == "(":
            depth += 1
            if depth == 1:
                start = token.end()
        elif token["other"] == ")":
            depth -= 1
            if depth == 0:
                found.update(_definition(sql[start : token.start()]))
                break
        elif token["other"] == "," and depth == 1:
            found.update(_definition(sql[start : token.start()]))
            start = token.end()
    return found


def _definition(text: str) -> Iterator[tuple[str, str]]:
    for token in _TOKEN.finditer(text):
        if token["name"]:
            yield _plain(token["name"]).lower(), text
            return


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name[0] in '"`[' else name


def _words(text: str) -> list[str]:
    return [token["name"].upper() for token in _TOKEN.finditer(text) if token["name"]]


def _constraints(text: str) -> Iterator[Constraint]:
    """The CHECKs in a column's definition, with the names that precede them."""
    name, word, depth, start = "", "", 0, 0
    for token in _TOKEN.finditer(text):
        if token["other"] == "(":
            depth += 1
            if depth == 1:
                start = token.end()
        elif token["other"] == ")":
            depth -= 1
            if depth == 0 and word == "CHECK":
                yield Constraint(name, text[start : token.start()].strip())
                name = ""
        elif depth == 0 and token["name"]:
            if word == "CONSTRAINT":
                name = _plain(token["name"])
            word = token["name"].upper()
