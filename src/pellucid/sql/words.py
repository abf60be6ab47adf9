"""How each database says what SQLAlchemy has no word for: JSON, patterns, and a field's form on the wire.

In: SQLAlchemy expressions over stored values. Out: expressions for one dialect. It knows fields and their kinds, no plans
and no rules.

SQLite needs two functions of ours, registered on every connection by `db/sqlite_match.py`: `pellucid_ilike(text, pattern)`
with Unicode case folding and LIKE's pattern syntax (backslash escapes), and `pellucid_base64(blob)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from pellucid.schema.spec import FieldSpec, Kind

__all__ = ["Expression", "Words"]

Expression = ColumnElement[Any]

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INDEX = re.compile(r"-?[0-9]+")


def number(value: int | str) -> Expression:
    """A constant of the SQL's structure, never a caller's."""
    return sa.literal_column(str(value))


def quoted(text: str) -> Expression:
    """A constant text of ours."""
    return sa.literal_column(f"'{text}'", sa.Text)


class Words:
    """The words of one dialect: `sqlite`, `postgresql` or `mariadb`."""

    def __init__(self, dialect: str, constant: Callable[[str], Expression]) -> None:
        self.dialect = dialect
        self._constant = constant
        """Binds a text that is fixed for the statement but was a caller's."""

    # JSON made in SQL -----------------------------------------------------------------------------------------------

    def json_object(self, pairs: Sequence[tuple[str, Expression]]) -> Expression:
        """An object of these members; the values are as `on_wire` gives them."""
        name = {"sqlite": "json_object", "postgresql": "json_build_object", "mariadb": "json_object"}[self.dialect]
        flat: list[Expression] = []
        for key, value in pairs:
            flat += (quoted(key) if _PLAIN_NAME.fullmatch(key) else self._constant(key), value)
        made: Expression = getattr(sa.func, name)(*flat, type_=sa.Text)
        return made

    def json_array(self, each: Expression) -> Expression:
        """All rows' values as one array, `[]` where there is none."""
        name = {"sqlite": "json_group_array", "postgresql": "json_agg", "mariadb": "json_arrayagg"}[self.dialect]
        array: Expression = getattr(sa.func, name)(each, type_=sa.Text)
        if self.dialect == "sqlite":
            return array
        return sa.func.coalesce(
            array, sa.literal_column("'[]'::json") if self.dialect == "postgresql" else quoted("[]"), type_=sa.Text
        )

    def json(self, text: Expression) -> Expression:
        """JSON text as JSON, to stand inside other JSON; null stays null."""
        match self.dialect:
            case "sqlite":
                return sa.func.json(text)
            case "postgresql":
                return sa.func.to_json(sa.cast(text, sa.JSON))
            case _:
                return sa.func.json_extract(text, quoted("$"))

    def on_wire(self, value: Expression, field: FieldSpec | None) -> Expression:
        """A stored value in the form that its JSON has. `field` of None is JSON text already."""
        kind = Kind.JSON if field is None else field.kind
        match kind:
            case Kind.JSON:
                return self.json(value)
            case Kind.BOOL:
                return self.json(self.boolean_text(value))
            case Kind.DECIMAL:
                assert field is not None
                return self.decimal_text(value, field.places)
            case Kind.DURATION:
                return self.duration_text(value)
            case Kind.BYTES:
                return self.base64(value)
            case _:
                return value

    # text forms -----------------------------------------------------------------------------------------------------

    def boolean_text(self, value: Expression) -> Expression:
        """`true`, `false`, or null."""
        return sa.case((value == number(1), quoted("true")), (value == number(0), quoted("false")))

    def decimal_text(self, value: Expression, places: int) -> Expression:
        """Whole numbers as exact decimal text. Never `abs(value)`, which the least integer would overflow."""
        if not places:
            return sa.cast(value, sa.Text)
        scale = number(10**places)
        whole = sa.cast((value - value % scale).op("/", precedence=8)(scale), sa.BigInteger)
        part = sa.func.substr(sa.cast(scale + sa.func.abs(value % scale), sa.Text), number(2), type_=sa.Text)
        sign = sa.case((value < number(0), quoted("-")), else_=quoted(""))
        return sign.concat(sa.cast(sa.func.abs(whole), sa.Text)).concat(quoted(".")).concat(part)

    def duration_text(self, value: Expression) -> Expression:
        """Microseconds as ISO 8601, in the form that msgspec writes: `P1DT90.5S`."""
        day, second = number(86_400_000_000), number(1_000_000)
        days = sa.cast(sa.func.abs((value - value % day).op("/", precedence=8)(day)), sa.BigInteger)
        rest = sa.func.abs(value % day)
        seconds = sa.cast((rest - rest % second).op("/", precedence=8)(second), sa.BigInteger)
        micros = sa.func.rtrim(sa.func.substr(sa.cast(second + rest % second, sa.Text), number(2)), quoted("0"), type_=sa.Text)
        text = (
            sa.case((value < number(0), quoted("-P")), else_=quoted("P"))
            .concat(sa.case((days > number(0), sa.cast(days, sa.Text).concat(quoted("D"))), else_=quoted("")))
            .concat(sa.case((rest > number(0), quoted("T").concat(sa.cast(seconds, sa.Text))), else_=quoted("")))
            .concat(sa.case((rest % second > number(0), quoted(".").concat(micros)), else_=quoted("")))
            .concat(sa.case((rest > number(0), quoted("S")), else_=quoted("")))
        )
        return sa.case((value.is_(None), sa.null()), (value == number(0), quoted("P0D")), else_=text)

    def base64(self, value: Expression) -> Expression:
        """Bytes as base64 without line breaks."""
        match self.dialect:
            case "sqlite":
                return sa.func.pellucid_base64(value)
            case "postgresql":
                return sa.func.replace(sa.func.encode(value, quoted("base64")), sa.literal_column(r"E'\n'"), quoted(""))
            case _:
                return sa.func.replace(sa.func.to_base64(value), sa.literal_column(r"'\n'"), quoted(""))

    def cast(self, value: Expression, field: FieldSpec, path: bool, to: Kind) -> Expression:
        """`column::type`: as text in the field's wire form, as a whole number (rounded), as a float."""
        kind = Kind.JSON if path else field.kind
        if to is Kind.STR:
            match kind:
                case Kind.BOOL:
                    return self.boolean_text(value)
                case Kind.DECIMAL:
                    return self.decimal_text(value, field.places)
                case Kind.DURATION:
                    return self.duration_text(value)
                case _:
                    return sa.cast(value, sa.Text)
        if kind is Kind.DECIMAL:
            value = value.op("/", precedence=8)(number(f"{10**field.places}.0"))
        if to is Kind.INT:
            return sa.cast(sa.func.round(value) if kind in (Kind.FLOAT, Kind.DECIMAL) else value, sa.BigInteger)
        # MariaDB casts to no float; a product with one is one.
        return value * number("1e0") if self.dialect == "mariadb" else sa.cast(value, sa.Double)

    # JSON read in SQL -----------------------------------------------------------------------------------------------

    def json_path(self, value: Expression, path: Sequence[str], *, show: bool, text: bool) -> Expression:
        """What lies at a path: as JSON text (`show`), as text, or as a value to compare and sort by.

        Keys have no quotes and no backslashes in them: `api/grammar.py` refuses those.
        """
        if self.dialect == "postgresql":
            keys = sa.func.json_extract_path if not text else sa.func.json_extract_path_text
            return keys(sa.cast(value, sa.JSON), *[self._constant(key) for key in path], type_=sa.Text)
        steps = "".join(f"[{_from_end(key)}]" if _INDEX.fullmatch(key) else '."' + key + '"' for key in path)
        where = self._constant("$" + steps)
        if self.dialect == "sqlite":
            found: Expression = value.op("->" if show and not text else "->>")(where)
        else:
            found = sa.func.json_extract(value, where)
            found = found if show and not text else sa.func.json_unquote(found)
        return sa.cast(found, sa.Text) if text else found

    # patterns and nulls ---------------------------------------------------------------------------------------------

    def like(self, value: Expression, pattern: Expression, *, ignore_case: bool) -> ColumnElement[bool]:
        """PostgreSQL's LIKE and ILIKE: the first minds case on every database."""
        match self.dialect, ignore_case:
            case "sqlite", False:
                return value.op("GLOB", is_comparison=True)(pattern)
            case "sqlite", True:
                return sa.func.pellucid_ilike(value, pattern, type_=sa.Boolean) == number(1)
            case "postgresql", False:
                return value.like(pattern)
            case "postgresql", True:
                return value.ilike(pattern)
            case _:
                return value.collate("utf8mb4_unicode_ci" if ignore_case else "utf8mb4_bin").like(pattern)

    def ordered(self, value: Expression, *, descending: bool, nulls_first: bool, nullable: bool) -> list[Expression]:
        """A sort key with nulls where they belong."""
        key: Expression = value.desc() if descending else value.asc()
        if not nullable:
            return [key]
        if self.dialect == "mariadb":
            nulls = value.is_(None)
            return [nulls.desc() if nulls_first else nulls.asc(), key]
        return [key.nulls_first() if nulls_first else key.nulls_last()]


def _from_end(index: str) -> str:
    return f"#{index}" if index.startswith("-") else index
