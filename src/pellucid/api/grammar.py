"""The sentences of the query grammar: `select`, `order`, condition trees and single conditions (PostgREST's grammar).

In: the decoded text of one parameter. Out: the frozen parts of `plan/query.py`, with values handed to a callback that
numbers them. It never sees a whole query string, and checks no name against the models.

A recursive descent over one position: each rule takes what it knows and says what it expected, where, when it cannot
go on. Depth is bounded by the caller, so a hostile text cannot exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pellucid.errors import (
    BAD_QUERY,
    QUERY_TOO_COMPLEX,
    UNKNOWN_OPERATOR,
    UNSUPPORTED_OPERATOR,
    Problem,
    near,
    shorten,
)
from pellucid.plan.query import AGGREGATES, OPERATORS, Compare, Exists, Group, Order, Pick, no_aggregate

__all__ = ["AddValue", "Branch", "Node", "Reader", "read_condition", "read_order", "read_select", "read_tree"]

AddValue = Callable[[str], int]
"""Takes a value's text, gives the slot it was put in."""

UNSUPPORTED: Final[dict[str, str]] = {
    "fts": "ilike.*word*",
    "plfts": "ilike.*word*",
    "phfts": "ilike.*some words*",
    "wfts": "ilike.*word*",
    "match": "like with * for any text",
    "imatch": "ilike with * for any text",
    "cs": "->key=eq.value on a JSON field, or an embed with !inner",
    "cd": "in.(a,b)",
    "ov": "gte and lte on two fields",
    "sl": "lt on a field",
    "sr": "gt on a field",
    "nxr": "lte on a field",
    "nxl": "gte on a field",
    "adj": "eq on two fields",
}
"""PostgREST's operators that only PostgreSQL has, and what serves instead on every database."""

QUANTIFIABLE: Final = frozenset({"eq", "gt", "gte", "lt", "lte", "like", "ilike"})
IS_WORDS: Final = ("null", "not_null", "true", "false", "unknown")

_WORD = re.compile(r"\w+")
_KEY = re.compile(r"-?\w+")
_NO_NAME = re.compile(r'[\x00-\x1f"\\]')
_FURTHER = re.compile(r"\.(\w+)\.")
_BARE = re.compile(r"[^,)]*")
_BARE_IN_BRACES = re.compile(r"[^,}]*")


@dataclass(slots=True)
class Branch:
    """An embed while it is being read: its own part of the query hangs below it."""

    relation: str
    node: Node
    alias: str | None = None
    hint: str | None = None
    inner: bool = False
    spread: bool = False


@dataclass(slots=True)
class Node:
    """One level of a query while it is being read. `picks` of None is every visible column."""

    picks: list[Pick] | None = None
    branches: list[Branch] = field(default_factory=list)
    where: list[Compare | Group | Exists] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    limit: int | None = None
    offset: int | None = None

    def branch(self, name: str) -> Branch | None:
        """The embed called `name` here: by alias, else by relation."""
        for found in self.branches:
            if (found.alias or found.relation) == name:
                return found
        return next((found for found in self.branches if found.relation == name), None)


class Reader:
    """A position in the text of one parameter; `where` is the parameter's name, for messages."""

    __slots__ = ("at", "depth", "text", "where")

    def __init__(self, where: str, text: str, depth: int = 8) -> None:
        self.where = where
        self.text = text
        self.at = 0
        self.depth = depth
        """How many levels may still be opened."""

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.text)

    def fail(self, expected: str, hint: str | None = None) -> Problem:
        """The problem that says what should stand at this position."""
        rest = self.text[self.at :]
        found = shorten(rest, 24) if rest else "the end"
        return Problem(BAD_QUERY, f"{self.where}: expected {expected} at position {self.at + 1}, found {found}", hint=hint)

    def take(self, token: str) -> bool:
        """Step over `token` if it stands here."""
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def need(self, token: str) -> None:
        """Step over `token`, which must stand here."""
        if not self.take(token):
            raise self.fail(f"{token!r}")

    def sees(self, token: str) -> bool:
        """Whether `token` stands here."""
        return self.text.startswith(token, self.at)

    def open(self) -> None:
        """Step over "(" into a deeper level."""
        self.need("(")
        self.depth -= 1
        if self.depth < 0:
            raise Problem(
                QUERY_TOO_COMPLEX, f"{self.where}: nested too deeply at position {self.at}", hint="ask for less at once"
            )

    def close(self) -> None:
        """Step over ")" out of a level."""
        if not self.take(")"):
            raise self.fail("',' or ')'")
        self.depth += 1

    def pattern(self, pattern: re.Pattern[str], expected: str) -> str:
        """The text that `pattern` takes here."""
        found = pattern.match(self.text, self.at)
        if found is None:
            raise self.fail(expected)
        self.at = found.end()
        return found.group()

    def quoted(self) -> str:
        """A text in double quotes; a backslash makes the next character plain."""
        began = self.at
        self.need('"')
        out: list[str] = []
        while not self.done:
            char = self.text[self.at]
            self.at += 1
            if char == '"':
                return "".join(out)
            if char == "\\" and not self.done:
                char = self.text[self.at]
                self.at += 1
            out.append(char)
        self.at = began
        raise self.fail("a closing '\"'")

    def name(self, expected: str = "a name") -> str:
        """A field's or a relation's name, plain or in double quotes."""
        return self._quoted_name() if self.sees('"') else self.pattern(_WORD, expected)

    def _quoted_name(self) -> str:
        began, name = self.at, self.quoted()
        if not name or _NO_NAME.search(name):
            self.at = began
            raise self.fail("a name without quotes, backslashes and control characters in it")
        return name

    def path(self) -> tuple[tuple[str, ...], bool]:
        """A path into JSON, perhaps empty, and whether it ends in `->>` (as text)."""
        steps: list[str] = []
        while self.take("->"):
            text = self.take(">")
            steps.append(self._quoted_name() if self.sees('"') else self.pattern(_KEY, "a key or an index"))
            if text:
                if self.sees("->"):
                    raise self.fail("the end of the path, since '->>' comes last")
                return tuple(steps), True
        return tuple(steps), False


# select -------------------------------------------------------------------------------------------------------------


def read_select(reader: Reader, node: Node) -> None:
    """Read a list of columns and embeds into `node`, to the end of the text or to the ")" that closes this level."""
    node.picks = []
    if reader.done or reader.sees(")"):
        return
    while True:
        _read_item(reader, node)
        if not reader.take(","):
            break
    if len(node.picks) == 1 and node.picks[0] == Pick("*"):
        node.picks = None


def _read_item(reader: Reader, node: Node) -> None:
    assert node.picks is not None
    spread = reader.take("...")
    if not spread and reader.take("*"):
        node.picks.append(Pick("*"))
        return
    name, alias = reader.name("a column or a relation"), None
    if reader.sees(":") and not reader.sees("::"):
        reader.take(":")
        name, alias = reader.name("a column or a relation"), name
    if spread or reader.sees("(") or reader.sees("!"):
        if name in AGGREGATES and reader.sees("()"):
            raise no_aggregate(name)
        node.branches.append(_read_branch(reader, name, alias, spread))
        return
    path, text = reader.path()
    if reader.take("."):
        word = reader.name("an aggregate")
        raise no_aggregate(word) if word in AGGREGATES else reader.fail("',' or the end")
    cast = reader.pattern(_WORD, "a type") if reader.take("::") else None
    if alias is None and path:
        alias = next((step for step in reversed(path) if not step.lstrip("-").isdigit()), name)
    node.picks.append(Pick(name, alias, path, text, cast))


def _read_branch(reader: Reader, name: str, alias: str | None, spread: bool) -> Branch:
    branch = Branch(name, Node(), alias, spread=spread)
    while reader.take("!"):
        word = reader.name("a hint, 'inner' or 'left'")
        if word == "inner":
            branch.inner = True
        elif word != "left":
            if branch.hint is not None:
                raise reader.fail("'(' after one hint")
            branch.hint = word
    reader.open()
    read_select(reader, branch.node)
    reader.close()
    return branch


# order --------------------------------------------------------------------------------------------------------------


def read_order(reader: Reader) -> list[Order]:
    """Read sort keys: `a.desc.nullslast,country(name),data->>x`."""
    keys: list[Order] = []
    while not reader.done:
        name, relation = reader.name("a column"), None
        path, text = reader.path()
        if not path and reader.take("("):
            name, relation = reader.name("a column"), name
            path, text = reader.path()
            reader.need(")")
        keys.append(_read_direction(reader, Order(name, relation=relation, path=path, text=text)))
        if not reader.done:
            reader.need(",")
            if reader.done:
                raise reader.fail("a column")
    return keys


def _read_direction(reader: Reader, key: Order) -> Order:
    descending, nulls = False, None
    if reader.take("."):
        word = reader.pattern(_WORD, "'asc' or 'desc'")
        if word in ("asc", "desc"):
            descending = word == "desc"
            word = reader.pattern(_WORD, "'nullsfirst' or 'nullslast'") if reader.take(".") else ""
        if word in ("nullsfirst", "nullslast"):
            nulls = word[5:]
        elif word:
            raise Problem(
                BAD_QUERY,
                f"{reader.where}: '{word}' after '{key.column}' is not a direction",
                hint=near(word, ("asc", "desc", "nullsfirst", "nullslast")),
            )
    return Order(key.column, descending, nulls, key.relation, key.path, key.text)


# conditions ---------------------------------------------------------------------------------------------------------


def read_tree(reader: Reader, joint: str, negate: bool, add: AddValue) -> Group:
    """Read `(a.eq.1,or(b.lt.2,not.and(…)))`."""
    reader.open()
    parts: list[Compare | Group] = []
    while True:
        parts.append(_read_part(reader, add))
        if not reader.take(","):
            break
    reader.close()
    return Group(joint, tuple(parts), negate)


def _read_part(reader: Reader, add: AddValue) -> Compare | Group:
    for negate, prefix in ((False, ""), (True, "not.")):
        for joint in ("and", "or"):
            if reader.sees(f"{prefix}{joint}("):
                reader.take(prefix + joint)
                return read_tree(reader, joint, negate, add)
    column = reader.name("a condition")
    path, text = reader.path()
    reader.need(".")
    return read_condition(reader, column, path, text, add, whole=False)


def read_condition(reader: Reader, column: str, path: tuple[str, ...], text: bool, add: AddValue, *, whole: bool) -> Compare:
    """Read `not.op.value` behind a column. `whole`: the value is all that is left, else it ends at "," or ")"."""
    negate = reader.take("not.")
    op = reader.pattern(_WORD, "an operator")
    if op not in OPERATORS:
        raise _unknown_operator(reader, column, op)
    quantifier = None
    if op in QUANTIFIABLE and reader.take("("):
        quantifier = reader.pattern(_WORD, "'any' or 'all'")
        if quantifier not in ("any", "all"):
            raise Problem(BAD_QUERY, f"{reader.where}: '{op}({quantifier})' is not known", hint=f"'{op}(any)' or '{op}(all)'")
        reader.need(")")
    reader.need(".")
    if op == "is":
        return Compare(column, op, (), negate, path, word=_read_is(reader), text=text)
    if op == "in":
        values = _read_list(reader, "(", ")", _BARE)
    elif quantifier:
        values = _read_list(reader, "{", "}", _BARE_IN_BRACES)
    else:
        values = [_read_value(reader, whole)]
    return Compare(column, op, tuple([add(value) for value in values]), negate, path, quantifier, text=text)


def _unknown_operator(reader: Reader, column: str, op: str) -> Problem:
    if op in UNSUPPORTED:
        return Problem(
            UNSUPPORTED_OPERATOR,
            f"{reader.where}: the operator '{op}' exists on PostgreSQL only and is not offered",
            hint=f"nearest: {UNSUPPORTED[op]}",
        )
    if (further := _FURTHER.match(reader.text, reader.at)) and further[1] in OPERATORS:
        hint = f"a condition on an embed is a parameter of its own: '{column}.{op}=…' or '{column}.or=(…)'"
    elif not reader.sees("."):
        hint = f"did you mean 'eq.{shorten(op)[1:-1]}'? A condition is column=operator.value"
    else:
        hint = near(op, OPERATORS) or f"the operators are {', '.join(OPERATORS)}"
    return Problem(
        UNKNOWN_OPERATOR,
        f"{reader.where}: '{shorten(op)[1:-1]}' is not an operator, at position {reader.at - len(op) + 1}",
        hint=hint,
    )


def _read_is(reader: Reader) -> str:
    word = reader.pattern(_WORD, f"one of {', '.join(IS_WORDS)}").lower()
    if word not in IS_WORDS:
        raise Problem(
            BAD_QUERY, f"{reader.where}: 'is.{shorten(word)[1:-1]}' is not known", hint=f"is. takes {', '.join(IS_WORDS)}"
        )
    return word


def _read_value(reader: Reader, whole: bool) -> str:
    if whole:
        value, reader.at = reader.text[reader.at :], len(reader.text)
        return value
    if reader.sees('"'):
        return reader.quoted()
    return reader.pattern(_BARE, "a value")


def _read_list(reader: Reader, opening: str, closing: str, bare: re.Pattern[str]) -> list[str]:
    reader.need(opening)
    values: list[str] = []
    if reader.take(closing):
        return values
    while True:
        values.append(reader.quoted() if reader.sees('"') else reader.pattern(bare, "a value"))
        if not reader.take(","):
            break
    if not reader.take(closing):
        raise reader.fail(f"',' or {closing!r}", hint="a value with a comma, a bracket or a quote stands in double quotes")
    return values
