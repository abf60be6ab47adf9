"""A drawing laid out in the cells of a terminal: lines of styled words, not yet coloured.

In: a Drawing and a width. Out: lines, each a list of (text, style). Never wider than asked for, never wrapped by the terminal:
what does not fit beside something stands below it.

From 76 columns on a row is a line: tree and name, kind, status, size, bar, milliseconds. With fewer its bar stands below.
"""

from __future__ import annotations

import msgspec

from pellucid.anatomy.bars import bar
from pellucid.anatomy.cells import fit, fit_middle, pad, width, wrap
from pellucid.anatomy.drawing import LOOKS, Drawing, Row, ticks
from pellucid.anatomy.figures import number_text, size_text

__all__ = ["LEAST", "Line", "Measures", "lay_out", "legend", "measure"]

Line = list[tuple[str, str]]
"""Words with the names of their styles; an empty name is plain text."""

LEAST = 40
_ONE_LINE = 76
_KIND, _STATUS, _SIZE, _TIME = 4, 3, 7, 7
_COLUMNS = 1 + _KIND + 1 + _STATUS + 1 + _SIZE
_MOST_TREE = 8
_MOST_BELOW = 4


class Measures(msgspec.Struct, frozen=True):
    """How wide things are, in cells."""

    width: int
    wide: bool
    name: int
    bar: int
    bar_at: int


def measure(wanted: int) -> Measures:
    """The columns for a width; less than 40 is taken as 40."""
    whole = max(wanted, LEAST)
    if whole < _ONE_LINE:
        return Measures(whole, False, whole - 1 - _KIND - 1 - _STATUS - 1 - _TIME, whole - 2 - 1 - _TIME, 2)
    name = min(max(whole * 3 // 10, 26), 56)
    at = name + _COLUMNS + 2
    return Measures(whole, True, name, whole - at - 1 - _TIME, at)


def lay_out(drawing: Drawing, wanted: int) -> list[Line]:
    """All lines of a drawing, its header and its legend among them."""
    sizes = measure(wanted)
    marks, unit = ticks(drawing.start, drawing.end, max(sizes.bar // 8, 2))
    scale = 10**9 if unit == "s" else 10**6
    lines = _header(drawing, sizes, marks, unit)
    for row in drawing.rows:
        lines += _wide_row(drawing, row, sizes, scale) if sizes.wide else _narrow_row(drawing, row, sizes, scale)
    return [*lines, [], *legend(drawing, sizes)]


def legend(drawing: Drawing, sizes: Measures) -> list[Line]:
    """The textures that occur, with their names."""
    lines: list[Line] = [[]]
    room = sizes.width
    marks: list[tuple[str, str, str]] = [(LOOKS[phase].glyph, LOOKS[phase].meaning, phase) for phase in drawing.phases]
    if any(row.unsure for row in drawing.rows):
        marks.append(("~", "not known exactly", "dim"))
    for glyph, meaning, style in marks:
        needed = 2 + width(meaning)
        if lines[-1] and needed + 3 > room:
            lines.append([])
            room = sizes.width
        if lines[-1]:
            lines[-1].append(("   ", ""))
            room -= 3
        lines[-1] += [(glyph, style), (f" {meaning}", "dim")]
        room -= needed
    return [line for line in lines if line]


def _header(drawing: Drawing, sizes: Measures, marks: list[tuple[int, str]], unit: str) -> list[Line]:
    span = max(drawing.end - drawing.start, 1)
    scale = [" "] * sizes.bar
    free = 0
    for instant, text in marks:
        at = (instant - drawing.start) * sizes.bar // span
        if at >= free and at + len(text) <= sizes.bar:
            scale[at : at + len(text)] = text
            free = at + len(text) + 1
    axis = f"{''.join(scale)} {unit:>{_TIME}}"
    if not sizes.wide:
        return [*([(part, "title")] for part in wrap(drawing.title, sizes.width, 3)), [(" " * sizes.bar_at, ""), (axis, "axis")]]
    title = fit_middle(drawing.title, sizes.bar_at - 2)
    return [[(pad(title, sizes.bar_at), "title"), (axis, "axis")]]


# Rows


def _tree(row: Row, most: int = _MOST_TREE) -> str:
    """The branches before a name: `│ └ `. Of a deep tree the innermost levels are drawn."""
    if not row.tree:
        return ""
    levels = row.tree if len(row.tree) <= most else row.tree[-most:]
    cut = "…" if len(levels) < len(row.tree) else ""
    return cut + "".join("│ " if more else "  " for more in levels[:-1]) + ("├ " if levels[-1] else "└ ")


def _stem(row: Row) -> str:
    """The branches beside a line below a row."""
    levels = row.tree[-_MOST_TREE:]
    return "".join("│ " if more else "  " for more in levels)


def _name(row: Row, room: int) -> Line:
    """Tree, lead and label in exactly `room` cells."""
    tree = _tree(row)
    lead = f"{row.lead:<3} " if row.lead and row.spans else f"{row.lead} " if row.lead else ""
    style = {"bad": "bad", "quiet": "dim", "warning": "warning"}.get(row.tone, "label")
    left = room - width(tree) - width(lead)
    label = fit(row.label, left) if row.spans else fit_middle(row.label, left)
    used = width(tree) + width(lead) + width(label)
    return [(tree, "tree"), (lead, "lead"), (label, style), (" " * max(room - used, 0), "")]


def _full_name(row: Row, room: int, most: int) -> tuple[Line, list[Line]]:
    """The name of a row that spans, with what stands aside; and the lines below, where it does not fit."""
    prefix = width(_tree(row)) + (max(len(row.lead), 3) + 1 if row.lead else 0)
    aside = row.aside
    if row.role == "server" and most == 1:
        lines = [_fit_list(row.label, room - prefix)]
    else:
        lines = wrap(row.label, room - prefix, most if row.role == "sql" else _MOST_BELOW)
    below: list[Line] = []
    style = {"bad": "bad", "quiet": "dim", "warning": "warning"}.get(row.tone, "label")
    if aside and width(lines[-1]) + 2 + width(aside) + prefix > room:
        if width(aside) <= room - prefix:
            lines.append("")
        else:
            lines += wrap(aside, room - prefix, 2)
            aside = ""
    for number, text in enumerate(lines[1:], 1):
        last = number + 1 == len(lines)
        gap = room - prefix - width(text) - (width(aside) if last else 0)
        words: Line = [(pad(_stem(row), prefix), "tree"), (text, style)]
        words += [(" " * gap, ""), (aside, "dim")] if last and aside else []
        below.append(words)
    first = _name(msgspec.structs.replace(row, label=lines[0]), room)
    if aside and len(lines) == 1:
        first = _name(msgspec.structs.replace(row, label=lines[0]), room - width(aside))
        first.append((aside, "dim"))
    return first, below


def _fit_list(text: str, room: int) -> str:
    """As many of the parts between commas as fit: they stand in order of their weight."""
    while width(text) > room and ", " in text:
        text = text.rpartition(", ")[0]
    return fit(text, room)


def _facts(row: Row) -> Line:
    """Kind, status and size in their columns."""
    status = {"good": "good", "moved": "moved", "bad": "bad"}.get(row.tone, "dim")
    size = size_text(row.size) if row.size is not None else ""
    return [
        (f" {pad(row.kind, _KIND)} ", "dim"),
        (pad(row.status, _STATUS, right=True), status),
        (f" {pad(size, _SIZE, right=True)}", "size"),
    ]


def _time(row: Row, scale: int) -> Line:
    if row.duration is None:
        return [(" " * _TIME, "")]
    text = number_text(row.duration / scale)
    style = "bad" if row.failed else "dim" if row.unsure else "time"
    return [(pad(f"~{text}" if row.unsure else text, _TIME, right=True), style)]


def _wide_row(drawing: Drawing, row: Row, sizes: Measures, scale: int) -> list[Line]:
    below: list[Line] = []
    if row.spans:
        line, below = _full_name(row, sizes.name + _COLUMNS, 1)
    else:
        line = [*_name(row, sizes.name), *_facts(row)]
    strip, said = bar(row, drawing.start, drawing.end, sizes.bar)
    line += [("  ", ""), *strip, (" ", ""), *_time(row, scale)]
    return [line, *below, *([] if said else _note_below(row, sizes))]


def _narrow_row(drawing: Drawing, row: Row, sizes: Measures, scale: int) -> list[Line]:
    below: list[Line] = []
    if row.spans:
        line, below = _full_name(row, sizes.width - 1 - _TIME, 2)
        line += [(" ", ""), *_time(row, scale)]
        tail = ""
    else:
        line = [*_name(row, sizes.name), *_facts(row)[:2], (" ", ""), *_time(row, scale)]
        tail = size_text(row.size) if row.size is not None else ""
    strip, said = bar(row, drawing.start, drawing.end, sizes.bar)
    lane: Line = [("  ", ""), *strip, (f" {pad(tail, _TIME, right=True)}" if tail else "", "size")]
    return [line, *below, *([lane] if row.pieces or tail else []), *([] if said else _note_below(row, sizes))]


def _note_below(row: Row, sizes: Measures) -> list[Line]:
    """A note for which the bar leaves no room."""
    stem = f"{_stem(row)}  "
    style = "bad" if row.failed else "note"
    room = sizes.width - width(stem)
    return [[(stem, "tree"), (text, style)] for text in wrap(row.note, room, _MOST_BELOW)]
