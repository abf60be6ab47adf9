"""The report: one self-contained HTML page with the same drawing, everything that is known folded below it.

In: a Journey, its secrets already cut out if they must be. Out: HTML that opens offline, on a telephone too, and runs no
script: what unfolds is `<details>`. Whatever strangers wrote is escaped, and the page's own policy forbids everything but its
style sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from pellucid.anatomy.details import sections, visit_sections
from pellucid.anatomy.drawing import LOOKS, Drawing, Piece, Row, ticks
from pellucid.anatomy.figures import duration_text, size_text
from pellucid.anatomy.remarks import remarks
from pellucid.anatomy.report_style import STYLE
from pellucid.anatomy.sections import Section
from pellucid.anatomy.verdict import judge
from pellucid.anatomy.waterfall import draw, rounds
from pellucid.journey import InsideSpan, Journey, Visit

__all__ = ["page"]

_STAGES = (("dns", "Names"), ("connect", "Connections"), ("tls", "TLS"), ("page", "The page"))
_TICKS = 5


def page(journey: Journey) -> str:
    """The whole report as HTML."""
    turns = rounds(journey)
    title = f"{journey.shown} · Pellucid"
    moment = datetime.fromtimestamp(journey.began, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="color-scheme" content="light dark"><meta name="generator" content="Pellucid">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f'<header><p class="what">pellucid trace <b>{escape(journey.shown)}</b></p>',
    ]
    for turn in turns:
        verdict = judge(journey, turn)
        lead = "" if turn == turns[0] else "Visited again: "
        parts.append(f'<h1 class="{verdict.tone}">{lead}{escape(verdict.text)}</h1>')
    parts.append(f'<p class="when"><time>{moment}</time> · trace {escape(journey.trace_id)}</p></header><main>')
    told = remarks(journey)
    if told:
        parts.append('<ul class="remarks">' + "".join(f"<li>{escape(remark.text)}</li>" for remark in told) + "</ul>")
    parts += [_waterfall(journey, draw(journey, turn, None)) for turn in turns]
    parts += [_stage(name, words, sections(journey, (name,))) for name, words in _STAGES]
    parts.append("</main><footer>JavaScript was not run, layout was not computed. Made by Pellucid.</footer></body></html>\n")
    return "\n".join(part for part in parts if part)


# -- the drawing ---------------------------------------------------------------------------------------------------------------


def _waterfall(journey: Journey, drawing: Drawing) -> str:
    length = max(drawing.end - drawing.start, 1)
    marks, unit = ticks(drawing.start, drawing.end, _TICKS)
    scale = "".join(f'<i style="left:{_share(at - drawing.start, length)}">{escape(label)}</i>' for at, label in marks)
    legend = "".join(f'<span><i class="{phase}"></i>{escape(LOOKS[phase].meaning)}</span>' for phase in drawing.phases)
    rows = "".join(_row(journey, drawing, row) for row in drawing.rows)
    lines = "".join(f'<i style="left:{_share(at - drawing.start, length)}"></i>' for at, _ in marks)
    head = f'<div class="row axis"><span class="label"></span><span class="bar">{scale}<u>{unit}</u></span></div>'
    return (
        '<section class="waterfall" aria-label="Waterfall">'
        f'<div class="lines" aria-hidden="true"><span class="bar">{lines}</span></div>'
        f'{head}{rows}<p class="legend">{legend}</p></section>'
    )


def _row(journey: Journey, drawing: Drawing, row: Row) -> str:
    summary = _summary(drawing, row)
    inside = _unfolded(journey, row)
    if not inside:
        return f'<div class="row {row.role} {row.tone}">{summary}</div>'
    kinds = f"{row.role} {row.tone}"
    return f'<details class="{kinds}"><summary class="row">{summary}</summary><div class="inside">{inside}</div></details>'


def _summary(drawing: Drawing, row: Row) -> str:
    depth = len(row.tree)
    lead = f"<b>{escape(row.lead)}</b> " if row.lead else ""
    aside = f" <small>{escape(row.aside)}</small>" if row.aside else ""
    label = f'<span class="label" style="--depth:{depth}" title="{escape(row.label)}">{lead}{escape(row.label)}{aside}</span>'
    size = "" if row.size is None else size_text(row.size)
    took = "" if row.duration is None else duration_text(row.duration)
    unsure = "~" if row.unsure else ""
    figures = (
        f'<span class="kind">{escape(row.kind)}</span><span class="status">{escape(row.status)}</span>'
        f'<span class="size">{size}</span><span class="took">{unsure}{took}</span>'
    )
    pieces = "".join(_piece(drawing, piece) for piece in row.pieces)
    note = f'<em class="note">{escape(row.note)}</em>' if row.note else ""
    return f'{label}{figures}<span class="bar">{pieces}</span>{note}'


def _piece(drawing: Drawing, piece: Piece) -> str:
    length = _length(drawing)
    name = f"{piece.name}: " if piece.name else ""
    said = f"{name}{LOOKS[piece.phase].meaning}, {duration_text(piece.end - piece.start)}"
    unsure = "" if piece.sure else " unsure"
    place = f"left:{_share(piece.start - drawing.start, length)};width:{_share(piece.end - piece.start, length)}"
    return f'<i class="{piece.phase}{unsure}" style="{place}" title="{escape(said)}"></i>'


def _length(drawing: Drawing) -> int:
    return max(drawing.end - drawing.start, 1)


def _share(part: int, whole: int) -> str:
    return f"{max(0.0, min(100.0, 100 * part / whole)):.3f}%"


# -- what unfolds --------------------------------------------------------------------------------------------------------------


def _unfolded(journey: Journey, row: Row) -> str:
    if row.role not in ("visit", "more"):
        return ""
    visits = [journey.visits[visit] for visit in row.visits[:1] if 0 <= visit < len(journey.visits)]
    return "".join(_visit(visit) for visit in visits)


def _visit(visit: Visit) -> str:
    told = [_section(section) for section in visit_sections(visit)]
    if visit.inside is not None:
        statements = [span for span in visit.inside.spans if isinstance(span.detail, dict) and "sql" in span.detail]
        told.insert(0, f"<h3>Inside the server</h3><p>{escape(visit.inside.says)}</p>{''.join(map(_statement, statements))}")
    return "".join(told)


def _statement(span: InsideSpan) -> str:
    detail = span.detail
    assert isinstance(detail, dict)
    rows = detail.get("rows")
    said = duration_text(span.duration) + ("" if rows is None else f", {rows} rows")
    plan = detail.get("plan")
    steps = "".join(f"<li>{escape(str(step))}</li>" for step in plan) if isinstance(plan, (list, tuple)) else ""
    return f"<figure><figcaption>{escape(said)}</figcaption><pre>{escape(str(detail['sql']))}</pre><ul>{steps}</ul></figure>"


def _stage(name: str, words: str, told: Sequence[Section]) -> str:
    if not told:
        return ""
    inside = "".join(_section(section) for section in told)
    return f'<details class="stage" id="{name}"><summary>{words}</summary>{inside}</details>'


def _section(section: Section) -> str:
    rows: list[str] = []
    for item in section.items:
        text = f"<code>{escape(item.text)}</code>" if item.tone == "code" else escape(item.text)
        notes = " · ".join(escape(part) for part in (item.note, item.source) if part)
        small = f"<small>{notes}</small>" if notes else ""
        tone = f' class="{item.tone}"' if item.tone else ""
        rows.append(f'<div{tone} style="--depth:{item.depth}"><dt>{escape(item.label)}</dt><dd>{text}{small}</dd></div>')
    return f"<h3>{escape(section.title)}</h3><dl>{''.join(rows)}</dl>"
