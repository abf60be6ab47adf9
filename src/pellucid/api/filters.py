"""Query strings to Queries: PostgREST's grammar, in two speeds.

In: the raw query string of a request. Out: a `Query` whose slots number the values in the order in which they appear,
or a `Problem` of the 3xx codes that says what is wrong, where, and what would be right. It knows no models: names are
checked by `plan/resolve.py`.

**Slow**: `parse` reads everything. **Fast**: a warm request differs from an earlier one in simple values only, so
`scan` blanks those (`country=eq.5&limit=20` -> `country=eq.&limit=` and ["5", "20"]) and the caller looks the rest
up. What a key stands for is learned once, by `parse_with_origins`: for each slot the number of the scanned value that
fills it, or None for a constant of the key.

Simple is `name=op.value` with a plain name and one of eq neq gt gte lt lte like ilike, `limit=digits`,
`offset=digits`, `after=…`. Both speeds ask the same function (`_blank`) what is simple, so they cannot disagree.

    scan(query_string) -> (key, values) | None
    parse(model, query_string, limits=…) -> Query
    parse_with_origins(model, query_string, limits=…) -> (Query, origins)
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import unquote_plus

import msgspec

from pellucid.api.grammar import Branch, Node, Reader, read_condition, read_order, read_select, read_tree
from pellucid.errors import BAD_QUERY, QUERY_TOO_COMPLEX, UNKNOWN_RELATION, Problem, near, shorten
from pellucid.plan.query import Compare, Embed, Exists, Group, Query, Shape

__all__ = ["LIMITS", "QueryLimits", "parse", "parse_with_origins", "scan"]


class QueryLimits(msgspec.Struct, frozen=True):
    """How large a query may be: what is beyond is refused with QUERY_TOO_COMPLEX."""

    length: int = 8192
    """Characters of the raw query string."""
    conditions: int = 100
    depth: int = 8
    """Levels of brackets, in conditions and in embeds."""
    values: int = 1000
    embeds: int = 20
    picks: int = 300
    orders: int = 16


LIMITS: Final = QueryLimits()

_SIMPLE: Final = frozenset({"eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike"})
_RESERVED: Final = frozenset({"select", "order", "limit", "offset", "after", "and", "or", "not"})
_APART: Final = frozenset({"columns", "on_conflict"})
"""Parameters of writes, which the caller reads itself."""

_EMPTY: Final = frozenset({"limit=", "offset=", "after="})
"""Parts without their value, which is a mistake: their key must not be that of the same parts with one."""

_MOST_HEADS: Final = 4096
_heads: dict[str, str | None] = {}
"""What stands before the first dot of a part (`country=eq`) -> the part with its value blanked, or None where it is
not simple. Strangers choose the keys, so it stops growing at `_MOST_HEADS`."""


def _learn(head: str) -> str | None:
    name, _, op = head.partition("=")
    blank = f"{head}." if op in _SIMPLE and name.isidentifier() and name not in _RESERVED else None
    if len(_heads) < _MOST_HEADS and len(head) < 80:
        _heads[head] = blank
    return blank


def _blank(part: str) -> tuple[str, str] | None:
    """A simple part with its value blanked, and the value as it stands there; None where the part is not simple."""
    head, dot, value = part.partition(".")
    if dot:
        blank = _heads[head] if head in _heads else _learn(head)
        return None if blank is None else (blank, value)
    name, _, value = part.partition("=")
    if name in ("limit", "offset"):
        return (f"{name}=", value) if value.isdecimal() and value.isascii() and len(value) < 19 else None
    return ("after=", value) if name == "after" and value else None


def scan(query_string: str, longest: int = LIMITS.length) -> tuple[str, list[str]] | None:
    """The query string with its simple values blanked, and those values decoded, in order; None where only `parse` can tell."""
    if len(query_string) > longest:
        return None
    keys: list[str] = []
    values: list[str] = []
    for part in query_string.split("&"):
        # The usual case of `_blank`, without the call.
        head, dot, value = part.partition(".")
        if dot:
            blank = _heads[head] if head in _heads else _learn(head)
            if blank is None:
                keys.append(part)
                continue
        elif part.startswith("limit=") and (value := part[6:]).isdecimal() and part.isascii() and len(value) < 19:
            blank = "limit="
        elif (simple := _blank(part)) is None:
            keys.append(f"{part}?" if part in _EMPTY else part)
            continue
        else:
            blank, value = simple
        keys.append(blank)
        if "%" in value or "+" in value:
            try:
                value = unquote_plus(value, errors="strict")
            except UnicodeDecodeError:
                return None
        values.append(value)
    return "&".join(keys), values


def parse(model: str, query_string: str, *, limits: QueryLimits = LIMITS, apart: Collection[str] = _APART) -> Query:
    """Read a whole query string; parameters named in `apart` are left to the caller. Raises `Problem` (3xx codes)."""
    return parse_with_origins(model, query_string, limits=limits, apart=apart)[0]


def parse_with_origins(
    model: str, query_string: str, *, limits: QueryLimits = LIMITS, apart: Collection[str] = _APART
) -> tuple[Query, tuple[int | None, ...]]:
    """Like `parse`, and for each slot the index of the value in `scan`'s list that fills it, or None for a constant."""
    if len(query_string) > limits.length:
        raise Problem(
            QUERY_TOO_COMPLEX, f"the query string has {len(query_string)} characters, at most {limits.length} are allowed"
        )
    reading = _Reading(limits)
    parts = [(part, *_decode(part)) for part in query_string.split("&") if part]
    for _, name, value in parts:
        if name == "select":
            reading.select(value)
    scanned = 0
    for part, name, value in parts:
        simple = _blank(part) is not None
        if name != "select" and name not in apart:
            reading.parameter(name, value, scanned if simple else None)
        scanned += simple
    shape = _freeze(reading.root)
    if reading.after is not None:
        shape = msgspec.structs.replace(shape, after=reading.after)
    return Query(model, shape, tuple(reading.values)), tuple(reading.origins)


def _decode(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    try:
        return unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")
    except UnicodeDecodeError:
        raise Problem(BAD_QUERY, f"{shorten(part)} is not percent-encoded UTF-8") from None


class _Reading:
    """A query string while it is being read: the tree of levels, the values so far, and how much has been counted."""

    __slots__ = ("_limits", "_origin", "_selected", "after", "conditions", "origins", "root", "values")

    def __init__(self, limits: QueryLimits) -> None:
        self._limits = limits
        self._origin: int | None = None
        self._selected = False
        self.root = Node()
        self.after: int | None = None
        self.values: list[str] = []
        self.origins: list[int | None] = []
        self.conditions = 0

    def add(self, value: str) -> int:
        """Put a value into the next slot."""
        if len(self.values) >= self._limits.values:
            raise Problem(QUERY_TOO_COMPLEX, f"the query holds more than {self._limits.values} values")
        self.values.append(value)
        self.origins.append(self._origin)
        return len(self.values) - 1

    def select(self, text: str) -> None:
        """Read `select`, which says which embeds there are, before anything can refer to them."""
        if self._selected:
            raise Problem(BAD_QUERY, "select: given twice", hint="join both lists with a comma")
        self._selected = True
        reader = Reader("select", text, self._limits.depth)
        read_select(reader, self.root)
        _finish(reader)
        picks, embeds = _count(self.root)
        if picks > self._limits.picks or embeds > self._limits.embeds:
            raise Problem(
                QUERY_TOO_COMPLEX, f"select: at most {self._limits.picks} columns and {self._limits.embeds} embeds are allowed"
            )
        if not self.root.picks and not self.root.branches:
            self.root.picks = None

    def parameter(self, name: str, value: str, origin: int | None) -> None:
        """Read any other parameter; `origin` is where a scan put its value."""
        self._origin = origin
        node, path, last, plain = self._find(name)
        reader = Reader(name if len(name) <= 60 else shorten(name, 60), value, self._limits.depth)
        if plain and last in ("and", "or", "not.and", "not.or"):
            self._where(node, read_tree(reader, last.removeprefix("not."), last.startswith("not."), self.add))
        elif plain and last == "order":
            if node.order:
                raise Problem(BAD_QUERY, f"{reader.where}: given twice", hint="join both lists with a comma")
            node.order = read_order(reader)
            if len(node.order) > self._limits.orders:
                raise Problem(QUERY_TOO_COMPLEX, f"{reader.where}: at most {self._limits.orders} sort keys are allowed")
        elif plain and last == "limit":
            node.limit = self._page(reader, node.limit)
        elif plain and last == "offset":
            node.offset = self._page(reader, node.offset)
        elif plain and last == "after" and node is self.root:
            if self.after is not None or not value:
                raise Problem(BAD_QUERY, "after: given twice" if value else "after: a cursor is missing")
            self.after, reader.at = self.add(value), len(value)
        elif plain and last == "select":
            raise Problem(
                BAD_QUERY, f"{reader.where}: columns of an embed stand in 'select'", hint=f"select=*,{name.split('.')[0]}(…)"
            )
        else:
            self._where(node, read_condition(reader, last, path[0], path[1], self.add, whole=True))
        _finish(reader)

    def _page(self, reader: Reader, before: int | None) -> int:
        if before is not None:
            raise Problem(BAD_QUERY, f"{reader.where}: given twice")
        text = reader.text
        if not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise Problem(BAD_QUERY, f"{reader.where}: {shorten(text)} is not a whole number from 0 up")
        reader.at = len(text)
        return self.add(text)

    def _find(self, name: str) -> tuple[Node, tuple[tuple[str, ...], bool], str, bool]:
        """Where a parameter's name leads: the level, a JSON path behind it, its last part, whether that may be a keyword."""
        reader, node, way = Reader("a parameter's name", name), self.root, ""
        while True:
            plain = not reader.sees('"')
            last = reader.name("the name of a column, an embed, or one of select, order, limit, offset, after, and, or")
            if reader.done or reader.sees("->"):
                path = reader.path()
                _finish(reader)
                return node, path, last, plain and not path[0]
            reader.need(".")
            if plain and last == "not" and reader.text[reader.at :] in ("and", "or"):
                return node, ((), False), f"not.{reader.text[reader.at :]}", True
            branch = node.branch(last)
            way = f"{way}.{last}" if way else last
            if branch is None:
                known = [found.alias or found.relation for found in node.branches]
                hint = near(last, known) or f"name it in select first: select=*,{last}(*)"
                raise Problem(UNKNOWN_RELATION, f"'{shorten(way, 60)[1:-1]}' is not embedded in this query", hint=hint)
            node = branch.node

    def _where(self, node: Node, condition: Compare | Group) -> None:
        self.conditions += _size(condition)
        if self.conditions > self._limits.conditions:
            raise Problem(QUERY_TOO_COMPLEX, f"at most {self._limits.conditions} conditions are allowed in one query")
        node.where.append(_match_embeds(condition, node))


def _finish(reader: Reader) -> None:
    if not reader.done:
        raise reader.fail("',' or the end" if reader.where in ("select", "order") else "the end")


def _count(node: Node) -> tuple[int, int]:
    picks, embeds = len(node.picks or ()), len(node.branches)
    for branch in node.branches:
        below = _count(branch.node)
        picks, embeds = picks + below[0], embeds + below[1]
    return picks, embeds


def _size(condition: Compare | Group | Exists) -> int:
    return sum(map(_size, condition.parts)) if isinstance(condition, Group) else 1


def _match_embeds(condition: Compare | Group, node: Node) -> Compare | Group | Exists:
    """Where a null test names an embed of this level, it asks for related rows and not for a column."""
    if isinstance(condition, Group):
        parts = tuple([part if isinstance(part, Exists) else _match_embeds(part, node) for part in condition.parts])
        return Group(condition.joint, parts, condition.negate)
    if condition.word in ("null", "not_null") and not condition.path and node.branch(condition.column) is not None:
        return Exists(condition.column, (condition.word == "null") is not condition.negate)
    return condition


def _freeze(node: Node) -> Shape:
    where: Group | None = None
    if node.where:
        only = node.where[0]
        where = only if len(node.where) == 1 and isinstance(only, Group) else Group("and", tuple(node.where))
    return Shape(
        picks=None if node.picks is None else tuple(node.picks),
        embeds=tuple([_freeze_branch(branch) for branch in node.branches]),
        where=where,
        order=tuple(node.order),
        limit=node.limit,
        offset=node.offset,
    )


def _freeze_branch(branch: Branch) -> Embed:
    return Embed(branch.relation, _freeze(branch.node), branch.alias, branch.hint, branch.inner, branch.spread)
