"""Bulk loads: files into tables, all in one transaction, every row checked as the API would check it.

In: models, files, a database. Out: how many rows each file gave, or one `LoadFailed` that names the bad rows by file and line;
nothing is kept then. It prints nothing; `cli/data.py` does.

A column `country.code` in a header finds the row that the reference `country` points to by its unique field `code`, among what is
in the database and what was loaded before. Hooks do not run.

The whole load is one script on the writer: rows go in batches through one prepared INSERT. Only when a batch fails are its rows
tried one by one, to find the guilty.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from pellucid.cli.rows import FORMATS, RowError, read_csv, read_json_lines
from pellucid.db.database import Command, Rows, Script, Value
from pellucid.errors import INVALID_BODY, Problem, near, shorten
from pellucid.resource.intake import Intake
from pellucid.schema.rules import NOBODY
from pellucid.schema.spec import Catalog, ModelSpec
from pellucid.schema.types import parse_text
from pellucid.sql.bulk import insert_row, key_by, unique_choices

__all__ = ["BadRow", "LoadFailed", "Source", "load_script", "plan_sources"]

MOST_ERRORS = 20
_BATCH = 500
_KNOWN_KEYS = 100_000

Steps: TypeAlias = Generator[Command, Rows, Value]
Row: TypeAlias = Generator[Command, Rows, Sequence[Value]]


class Source(msgspec.Struct, frozen=True):
    """One file and the model that its rows are of."""

    path: Path
    model: ModelSpec


class BadRow(msgspec.Struct, frozen=True):
    """What is wrong with a row: its file and line, and a message."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class LoadFailed(Exception):
    """Nothing was loaded. `rows` are the bad ones, at most `MOST_ERRORS`; `more` says that reading stopped there."""

    def __init__(self, rows: Sequence[BadRow], *, more: bool = False) -> None:
        super().__init__("\n".join(map(str, rows)))
        self.rows = tuple(rows)
        self.more = more


def plan_sources(catalog: Catalog, paths: Sequence[Path], model: str | None = None) -> list[Source]:
    """Find each file's model: by `model`, or by its name, `cities.csv`. Files whose models are referred to come first.

    Raises ValueError.
    """
    by_name = {name.lower(): spec for spec in catalog.models.values() for name in (spec.collection, spec.table, spec.name)}
    sources: list[Source] = []
    for path in paths:
        name = model or path.stem
        spec = by_name.get(name.lower())
        if spec is None:
            hint = near(name, [each.collection for each in catalog.models.values()])
            cure = "" if model else "; say --model NAME, or name the file after its collection"
            raise ValueError(f"{path}: there is no model {name!r}{f' ({hint})' if hint else ''}{cure}")
        if path.suffix.lower() not in FORMATS:
            raise ValueError(f"{path}: it must end in {', '.join(FORMATS)}")
        sources.append(Source(path, spec))
    order = list(catalog.models)
    return sorted(sources, key=lambda source: order.index(source.model.name))


def load_script(
    catalog: Catalog, sources: Sequence[Source], *, upsert: bool = False, read: Callable[[Path, int], object] = lambda _, __: None
) -> Script[dict[Path, int]]:
    """The script that loads all files: rows by file. `read` is told of the bytes that were read. Raises LoadFailed."""
    counts: dict[Path, int] = {}
    for source in sources:
        counts[source.path] = yield from _Load(catalog, source, upsert, read).run()
    return counts


class _Refused(Problem):
    """A row or a header that is wrong in a way that only bulk loads know."""

    def __init__(self, message: str) -> None:
        super().__init__(INVALID_BODY, message)


class _Load:
    """The load of one file."""

    def __init__(self, catalog: Catalog, source: Source, upsert: bool, read: Callable[[Path, int], object]) -> None:
        self._catalog = catalog
        self._path = source.path
        self._model = source.model
        self._upsert = upsert
        self._read = lambda size: read(source.path, size)
        self._intake = Intake(source.model)
        self._bad: list[BadRow] = []
        self._batch: list[tuple[int, Sequence[Value]]] = []
        self._keys: dict[tuple[str, str], Value] = {}
        self._insert = ""

    def run(self) -> Generator[Command, Rows, int]:
        """Read, check and insert every row; how many there were."""
        count = 0
        try:
            rows = self._rows_of_text() if FORMATS[self._path.suffix.lower()] == "csv" else self._rows_of_json()
            for line, row in rows:
                try:
                    values = yield from row
                except Problem as problem:
                    self._blame(line, problem)
                    continue
                self._batch.append((line, values))
                count += 1
                if len(self._batch) >= _BATCH:
                    yield from self._flush()
            yield from self._flush()
        except RowError as error:
            self._bad.append(BadRow(self._path, error.line, error.message))
        if self._bad:
            raise LoadFailed(self._bad)
        return count

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _rows_of_text(self) -> Iterator[tuple[int, Row]]:
        rows = read_csv(self._path, self._read)
        line, header = next(rows, (1, []))
        if not header:
            raise RowError(1, "the file is empty; its first line must name the columns")
        header = [name.strip() for name in header]
        try:
            references = {at: self._reference(name) for at, name in enumerate(header) if "." in name}
            names = [name.partition(".")[0] for name in header]
            if twice := {name for name in names if names.count(name) > 1}:
                raise RowError(line, f"columns are named twice: {', '.join(sorted(twice))}")
            self._prepare(names)
            reader = self._intake.texts(names)
        except Problem as problem:
            raise RowError(line, _told(problem)) from None

        def values(cells: list[str]) -> Row:
            for at, find in references.items():
                if at < len(cells) and cells[at]:
                    cells[at] = str((yield from find(cells[at])))
            return reader(cells, NOBODY)[0]

        for line, cells in rows:
            yield line, values(cells)

    def _rows_of_json(self) -> Iterator[tuple[int, Row]]:
        references: dict[str, Callable[[str], Steps]] = {}
        one = self._intake.one

        def values(body: bytes) -> Row:
            try:
                given = msgspec.json.decode(body, type=dict[str, object])
            except msgspec.DecodeError:
                return one(body, NOBODY)[0]  # which says what is wrong with it
            if not self._insert or self._upsert:
                self._prepare([name.partition(".")[0] for name in given])
            dotted = [name for name in given if "." in name]
            if not dotted:
                return one(body, NOBODY)[0]
            for name in dotted:
                find = references.setdefault(name, self._reference(name))
                value = given.pop(name)
                given[name.partition(".")[0]] = None if value is None else (yield from find(str(value)))
            return one(msgspec.json.encode(given), NOBODY)[0]

        for line, body in read_json_lines(self._path, self._read):
            yield line, values(body)

    def _prepare(self, given: Sequence[str]) -> None:
        """Choose the statement for rows that have these fields."""
        columns = self._intake.columns
        unique: Sequence[str] = ()
        if self._upsert:
            choices = unique_choices(self._model)
            unique = next((choice for choice in choices if set(choice) <= set(given)), ())
            if not unique:
                wanted = " or ".join(",".join(choice) for choice in choices)
                raise _Refused(f"--upsert needs a column that tells rows apart: {wanted}")
        insert = insert_row(self._model, columns, unique=unique, merged=[name for name in columns if name in given])
        self._insert = self._insert or insert
        if insert != self._insert:
            raise _Refused("with --upsert all objects of a file must have the same fields")

    def _reference(self, name: str) -> Callable[[str], Steps]:
        """What finds a key by the text of a unique field of the row that is referred to."""
        to_one, _, through = name.partition(".")
        field = self._model.field(to_one)
        target = self._catalog.models.get(field.ref) if field is not None and field.ref is not None else None
        if target is None:
            refs = [each.name for each in self._model.fields if each.ref is not None]
            raise _Refused(f"{name!r}: {self._model.name} has no reference {to_one!r} ({near(to_one, refs) or 'it has none'})")
        unique = target.field(through)
        if unique is None or not (unique.unique or unique.key):
            choices = [each.name for each in target.fields if each.unique or each.key]
            raise _Refused(f"{name!r}: {through!r} is no unique field of {target.name} ({near(through, choices)})")
        text, parse = key_by(target, unique), parse_text(unique)

        def find(given: str) -> Steps:
            known = self._keys.get((name, given))
            if known is not None:
                return known
            if target.name == self._model.name:
                yield from self._flush()  # it may be one of those that wait
            try:
                value = parse(given)
            except ValueError as error:
                raise _Refused(f"{name}: {shorten(given)}: {error}") from None
            rows = yield Command(text, (value,))
            if not rows or len(rows[0]) != 1:
                raise _Refused(f"{name}: there is no {target.name} with {through} {shorten(given)}")
            if len(self._keys) >= _KNOWN_KEYS:
                self._keys.clear()
            self._keys[name, given] = rows[0][0]
            return rows[0][0]

        return find

    # -- the database --------------------------------------------------------------------------------------------------

    def _flush(self) -> Generator[Command, Rows, None]:
        """Insert the rows that wait; when the database refuses, find out which."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        if not self._bad:  # otherwise nothing will be kept anyway
            yield Command("SAVEPOINT batch")
            try:
                yield Command(self._insert, many=[values for _, values in batch])
            except Problem:
                yield Command("ROLLBACK TO batch")
            else:
                yield Command("RELEASE batch")
                return
        for line, values in batch:
            try:
                yield Command(self._insert, values)
            except Problem as problem:
                self._blame(line, problem)

    def _blame(self, line: int, problem: Problem) -> None:
        self._bad.append(BadRow(self._path, line, _told(problem)))
        if len(self._bad) >= MOST_ERRORS:
            raise LoadFailed(self._bad, more=True)


def _told(problem: Problem) -> str:
    """A problem in one line: every bad field, or what the database said."""
    if problem.errors:
        return "; ".join(
            f"{error.path.removeprefix('$.').removeprefix('$')}: {error.message}".removeprefix(": ") for error in problem.errors
        )
    return f"{problem.message} ({problem.hint})" if problem.hint else problem.message
