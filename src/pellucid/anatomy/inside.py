"""The rows below a request: what its server told of its own time.

In: a visit. Out: rows. A Pellucid server tells instants: its stations stand where they were, each statement has a row, the same
statement many times one row together. Any other server tells durations at most (Server-Timing): those are drawn right-aligned
at the first byte and marked, since their beginnings are not known.
"""

from __future__ import annotations

import re

from pellucid.anatomy.cells import clean
from pellucid.anatomy.drawing import Piece, Row
from pellucid.anatomy.figures import count_text, duration_text, number_text
from pellucid.journey import Inside, InsideSpan, Visit

__all__ = ["Statement", "inside_rows", "server_time", "statements", "summarize_statement", "summarize_step", "tells_more"]

_MOST_STATEMENTS = 12
_MOST_TIMINGS = 6
_MOST_STATIONS = 4
_MOST_STEPS = 3
_JOINS = frozenset({"trace", "traceparent"})
"""Entries of Server-Timing that name a trace and no duration."""


class Statement:
    """One statement of SQL and every time that it ran in a visit."""

    __slots__ = ("plan", "spans", "text")

    def __init__(self, text: str, plan: list[str]) -> None:
        self.text = text
        self.plan = plan
        self.spans: list[InsideSpan] = []

    @property
    def duration(self) -> int:
        """All runs together, in nanoseconds."""
        return sum(span.duration for span in self.spans)

    @property
    def rows(self) -> int | None:
        """The rows that it brought in all runs, where the server told."""
        counts = [span.detail.get("rows") for span in self.spans if isinstance(span.detail, dict)]
        known = [count for count in counts if isinstance(count, int)]
        return sum(known) if known else None


def statements(inside: Inside) -> list[Statement]:
    """The statements of a visit in the order of their first run, equal texts together."""
    found: dict[str, Statement] = {}
    for span in inside.spans:
        detail = span.detail
        if not isinstance(detail, dict) or not isinstance(text := detail.get("sql"), str):
            continue
        plan = detail.get("plan")
        if text not in found:
            found[text] = Statement(text, [str(line) for line in plan] if isinstance(plan, list) else [])
        found[text].spans.append(span)
    return list(found.values())


def server_time(inside: Inside) -> tuple[int, int]:
    """When the server's part began and ended."""
    starts = [span.start for span in inside.spans]
    return (min(starts), max(span.start + span.duration for span in inside.spans)) if starts else (0, 0)


def inside_rows(visit: Visit, tree: tuple[bool, ...], more: bool) -> list[Row]:
    """The rows of a server's inside; `more` says whether siblings follow below."""
    if visit.inside is not None and visit.inside.spans:
        return _pellucid_rows(visit, visit.inside, tree, more)
    return _timing_rows(visit, tree, more)


def tells_more(visit: Visit, whole: int) -> bool:
    """Whether the inside of a part of the page is worth rows: it ran SQL, or took a tenth of the `whole` time or more."""
    inside = visit.inside
    if inside is not None and inside.spans:
        start, end = server_time(inside)
        return bool(statements(inside)) or (end - start) * 10 >= whole
    return any(timing.duration and timing.duration * 1e7 >= whole for timing in visit.timings)


def _pellucid_rows(visit: Visit, inside: Inside, tree: tuple[bool, ...], more: bool) -> list[Row]:
    start, end = server_time(inside)
    unsure = inside.aligned != "clock"
    stations = _stations(inside)
    note = f"somewhere in the wait, {duration_text(inside.slack)} of which it was not" if unsure else ""
    rows = [
        Row(
            "server",
            visit.id,
            tree=(*tree, more),
            lead="server",
            label=clean(_longest(stations, end - start)),
            duration=end - start,
            pieces=tuple(
                Piece("server", span.start, span.start + span.duration, clean(span.name), not unsure) for span in stations
            )
            or (Piece("server", start, end, "", not unsure),),
            note=clean(note),
            unsure=unsure,
        )
    ]
    found = statements(inside)
    shown = sorted(found, key=lambda each: -each.duration)[:_MOST_STATEMENTS] if len(found) > _MOST_STATEMENTS else found
    shown = [each for each in found if each in shown]
    left = [each for each in found if each not in shown]
    for at, statement in enumerate(shown):
        rows.append(_statement_row(visit, statement, (*tree, more, at + 1 < len(shown) or bool(left)), not unsure))
    if left:
        pieces = _sql_pieces([span for each in left for span in each.spans], not unsure)
        text = count_text(len(left), "more statement")
        duration = sum(each.duration for each in left)
        rows.append(Row("sql", visit.id, tree=(*tree, more, False), lead="sql", label=text, duration=duration, pieces=pieces))
    return rows


def _longest(stations: list[InsideSpan], whole: int) -> str:
    """The stations that took most, with milliseconds: `sql 12.0, encode 2.3`."""
    sums: dict[str, int] = {}
    for span in stations:
        sums[span.name] = sums.get(span.name, 0) + span.duration
    names = sorted(sums, key=lambda name: -sums[name])[:_MOST_STATIONS]
    return ", ".join(f"{name} {number_text(sums[name] / 1e6)}" for name in names if sums[name] * 20 >= whole)


def _stations(inside: Inside) -> list[InsideSpan]:
    """The outermost spans that divide the server's time: an enclosing one is left out where its parts are told."""
    spans = sorted(inside.spans, key=lambda span: (span.start, -span.duration))
    kept: list[InsideSpan] = []
    for at, span in enumerate(spans):
        after = spans[at + 1] if at + 1 < len(spans) else None
        encloses = after is not None and after.depth > span.depth and after.start < span.start + span.duration
        if not encloses:
            kept.append(span)
    return kept


def _statement_row(visit: Visit, statement: Statement, tree: tuple[bool, ...], sure: bool) -> Row:
    times = len(statement.spans)
    rows = [count_text(statement.rows, "row")] if statement.rows is not None else []
    plan = [summarize_step(line, statement.text) for line in _steps(statement.plan)[:_MOST_STEPS]]
    return Row(
        "sql",
        visit.id,
        tree=tree,
        lead="sql" if times == 1 else f"sql ×{times}",
        label=summarize_statement(statement.text),
        duration=statement.duration,
        pieces=_sql_pieces(statement.spans, sure),
        note=clean(", ".join([*rows, *plan])),
        unsure=not sure,
    )


_HEADING = re.compile(
    r"(?:CORRELATED )?(?:SCALAR|LIST) SUBQUERY \d+|MULTI-INDEX OR|INDEX \d+|COMPOUND QUERY|LEFT-MOST SUBQUERY"
    r"|(?:CO-ROUTINE|MATERIALIZE) (\S+)"
)
"""What only says that steps follow which belong together, in SQLite's plans."""


def _steps(plan: list[str]) -> list[str]:
    """The steps that read or sort something; passing on what a part of the statement made is none."""
    headings = [_HEADING.fullmatch(line.strip()) for line in plan]
    made = {f"SCAN {heading[1]}" for heading in headings if heading is not None and heading[1]}
    return [line for line, heading in zip(plan, headings, strict=True) if heading is None and line.strip() not in made]


def _sql_pieces(spans: list[InsideSpan], sure: bool) -> tuple[Piece, ...]:
    return tuple(Piece("sql", span.start, span.start + span.duration, "", sure) for span in spans)


def summarize_statement(text: str) -> str:
    """A statement in a line: blanks joined, quotes of names and the list of columns left out."""
    line = re.sub(r"\s+", " ", clean(text)).strip()
    line = re.sub(r'"(\w+)"', r"\1", line)
    if re.match(r"(?i)select .*\(select ", line) and (at := _outer_from(line)) is not None:
        line = f"SELECT … {line[at:]}"
    line = re.sub(r"(?i)\b(from|join) (\w+) AS \2\b", r"\1 \2", line)
    alias = re.search(r"(?i)\bfrom (\w+) AS (\w+)", line)
    if alias is not None and not re.search(r"(?i)\bjoin\b|\bfrom\b.*\bfrom\b", line):
        line = re.sub(rf"\b{alias[2]}\.(?=\w)", "", line.replace(alias[0], f"FROM {alias[1]}", 1))
    found = re.match(r"(?i)select (?!\*)(?:(?!\bfrom\b).)* from ", line)
    if found is not None and "(" not in found[0]:  # a sub-select's FROM would be taken for the statement's own
        line = f"SELECT … FROM {line[found.end() :]}"  # noqa: S608
    table = re.match(r"(?i)(?:select … from|update|delete from) (\w+) ", line)
    if table is not None and not re.search(r"(?i)\b(join|as|select .* select)\b", line):  # its name goes without saying
        line = re.sub(rf"\b{table[1]}\.(?=\w)", "", line)
    return line


def _outer_from(line: str) -> int | None:
    """Where the FROM of a statement itself begins, outside of all parentheses and texts."""
    depth = 0
    for found in re.finditer(r"'(?:[^']|'')*'|[()]|\bFROM\b", line, re.IGNORECASE):
        if found[0] in "()":
            depth += 1 if found[0] == "(" else -1
        elif depth == 0 and not found[0].startswith("'"):
            return found.start()
    return None


def summarize_step(line: str, text: str = "") -> str:
    """A step of a query plan in plain words: `SCAN line` is `scanning line`. One that is not SQLite's stays as it is.

    `text` is the statement, whose aliases are replaced by the tables that they stand for.
    """
    line = clean(line).strip()
    for table, alias in re.findall(r'(?i)\b(?:from|join) "?(\w+)"? AS "?(\w+)"?', text[:10_000]):
        line = re.sub(rf"^(SCAN|SEARCH) {alias}\b", rf"\1 {table}", line)
    if found := re.match(r"SEARCH \S+ USING (?:COVERING )?(?:PARTIAL )?(AUTOMATIC )?.*?INDEX (\S+)?", line):
        return "by an index made for it" if found[1] else f"by index {found[2]}" if found[2] else "by an index"
    if re.match(r"SEARCH \S+ USING (INTEGER )?PRIMARY KEY", line):
        return "by primary key"
    if found := re.match(r"SCAN (\S+)( USING (?:COVERING )?INDEX (\S+))?", line):
        return f"scanning {found[1]} by index {found[3]}" if found[2] else f"scanning {found[1]}"
    return "sorting" if line.startswith("USE TEMP B-TREE FOR ORDER BY") else line


def _timing_rows(visit: Visit, tree: tuple[bool, ...], more: bool) -> list[Row]:
    told = [timing for timing in visit.timings if timing.name.lower() not in _JOINS]
    told.sort(key=lambda timing: timing.name.lower() == "total")  # as DevTools has them
    shown = told if len(told) <= _MOST_TIMINGS else told[: _MOST_TIMINGS - 1]
    end = visit.first_byte
    rows: list[Row] = []
    for at, timing in enumerate(shown):
        last = at + 1 == len(told)
        said = clean(timing.name) + (f" — {clean(timing.description)}" if timing.description else "")
        duration = None if timing.duration is None else max(round(timing.duration * 1e6), 0)
        pieces: tuple[Piece, ...] = ()
        if duration is not None and end is not None:
            begin = max(end - duration, visit.sent_first or 0)
            pieces = (Piece("timing", min(begin, end), end, "", False),)
        branch = (*tree, more or not last)
        rows.append(
            Row("timing", visit.id, tree=branch, lead="says", label=said, duration=duration, pieces=pieces, unsure=True)
        )
    if len(shown) < len(told):
        text = count_text(len(told) - len(shown), "more entry")
        rows.append(Row("timing", visit.id, tree=(*tree, more), lead="says", label=text, unsure=True))
    return rows
