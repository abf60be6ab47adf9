"""The terminal's picture as a self-contained SVG: for a README, a ticket, a slide.

In: a journey. Out: SVG text. Words are monospaced text placed word by word, so that any monospace font keeps the columns; bars
are shapes, so that no font decides how they look. Its own colours, on dark and light ground by `prefers-color-scheme`; no fonts,
scripts or links.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape

from pellucid.anatomy.cells import clean, width
from pellucid.anatomy.drawing import LOOKS
from pellucid.anatomy.layout import Line
from pellucid.anatomy.remarks import footnotes, remarks
from pellucid.anatomy.terminal import compose
from pellucid.anatomy.verdict import judge
from pellucid.anatomy.waterfall import draw, rounds
from pellucid.journey import Journey

__all__ = ["picture", "picture_of"]

_CELL, _LINE, _SIZE = 8.4, 21.0, 14
_SIDE, _TOP, _BOTTOM = 26.0, 68.0, 8.0
_EIGHTHS = "▏▎▍▌▋▊▉█"
_SHAPES = frozenset("░▒▓▞×─·█▪▫┄╌┊✗├└│" + _EIGHTHS)

# style: light ground, dark ground. Contrast with the ground is 4.5 at least for whatever is read.
_COLOURS: dict[str, tuple[str, str]] = {
    "ground": ("#ffffff", "#12161d"),
    "bar": ("#f3f5f8", "#1a2029"),
    "edge": ("#d5dae1", "#2b333f"),
    "plain": ("#1f2630", "#dde3ea"),
    "title": ("#0d1117", "#ffffff"),
    "label": ("#1f2630", "#dde3ea"),
    "lead": ("#0d1117", "#ffffff"),
    "dim": ("#5b6675", "#8b97a7"),
    "tree": ("#a3adba", "#4f5b6b"),
    "axis": ("#5b6675", "#8b97a7"),
    "note": ("#5b6675", "#8b97a7"),
    "size": ("#3c4654", "#b3bdc9"),
    "time": ("#1f2630", "#dde3ea"),
    "verdict-good": ("#177a36", "#56d17f"),
    "verdict-warning": ("#9a5b00", "#f0b04a"),
    "verdict-bad": ("#c42b2b", "#ff7b72"),
    "good": ("#177a36", "#56d17f"),
    "moved": ("#0b7285", "#4cc9dc"),
    "warning": ("#9a5b00", "#f0b04a"),
    "bad": ("#c42b2b", "#ff7b72"),
    "remark": ("#9a5b00", "#f0b04a"),
    "queue": ("#8a95a3", "#748194"),
    "dns": ("#0e8da0", "#35bccf"),
    "connect": ("#d97706", "#f59e42"),
    "lost": ("#c9463c", "#e5675c"),
    "tls": ("#9546c4", "#bd7be8"),
    "send": ("#23863b", "#4cbf6c"),
    "wait": ("#23863b", "#4cbf6c"),
    "receive": ("#1f6feb", "#4c94f8"),
    "server": ("#23863b", "#4cbf6c"),
    "station": ("#23863b", "#4cbf6c"),
    "sql": ("#cf2f74", "#f2669e"),
    "timing": ("#23863b", "#4cbf6c"),
    "more": ("#8a95a3", "#748194"),
    "grid": ("#eceff3", "#1d242e"),
}
_BOLD = frozenset({"title", "lead", "verdict-good", "verdict-warning", "verdict-bad"})


def picture(journey: Journey, width: int = 110, command: str | None = None) -> str:
    """The picture of a journey in `width` columns, with the command that was typed above it."""
    turns = rounds(journey)
    drawings, verdicts = [draw(journey, turn) for turn in turns], [judge(journey, turn) for turn in turns]
    lines = compose(drawings, verdicts, remarks(journey), width, footnotes(journey))
    return picture_of(lines, max(width, 40), command or f"pellucid trace {journey.typed}")


def picture_of(lines: list[Line], columns: int, command: str) -> str:
    """Laid-out lines as an SVG of `columns` cells."""
    across = columns * _CELL + 2 * _SIDE
    down = _TOP + len(lines) * _LINE + _BOTTOM
    used = {style for line in lines for _, style in line} | {"ground", "bar", "edge", "plain", "dim", "grid"}
    body: list[str] = []
    for number, line in enumerate(lines):
        body += _grid(lines, number)
        body += _line(line, _TOP + number * _LINE)
    label = escape(clean(command), {'"': "&quot;"})
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across:g} {down:g}" width="{across:g}" height="{down:g}" '
            f'role="img" aria-label="{label}">',
            f"<title>{label}</title>",
            f"<style>{_css(used)}</style>",
            *_frame(across, down, clean(command)),
            *body,
            "</svg>\n",
        ]
    )


def _css(used: set[str]) -> str:
    def rules(column: int) -> str:
        return "".join(f".{name}{{color:{_COLOURS[name][column]}}}" for name in sorted(used) if name in _COLOURS)

    bold = ",".join(f"text.{name}" for name in sorted(_BOLD & used))
    return (
        f"text{{font:{_SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:currentColor;"
        "white-space:pre}"
        "rect,circle{fill:currentColor}path{stroke:currentColor;fill:none}"
        + (f"{bold}{{font-weight:600}}" if bold else "")
        + rules(0)
        + f"@media(prefers-color-scheme:dark){{{rules(1)}}}"
    )


def _frame(across: float, down: float, command: str) -> Iterator[str]:
    yield f'<rect class="edge" width="{across:g}" height="{down:g}" rx="10"/>'
    yield f'<rect class="ground" x="1" y="1" width="{across - 2:g}" height="{down - 2:g}" rx="9"/>'
    yield f'<path class="edge" d="M1 38.5H{across - 1:g}"/>'
    for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        yield f'<circle cx="{_SIDE + 4 + number * 19:g}" cy="20" r="5.5" style="fill:{colour}"/>'
    yield f'<text class="dim" x="{_SIDE + 68:g}" y="25">$ {escape(command)}</text>'


def _grid(lines: list[Line], number: int) -> Iterator[str]:
    """Faint lines below the numbers of an axis, down to the last row."""
    at = 0
    for text, style in lines[number]:
        if style == "axis":
            end = next((row for row in range(number, len(lines)) if not lines[row]), len(lines))
            top, bottom = _TOP + (number + 0.4) * _LINE, _TOP + (end - 0.7) * _LINE
            for found in re.finditer(r"[\d,.]+", text):
                yield f'<path class="grid" d="M{_SIDE + (at + found.start()) * _CELL:.1f} {top:.1f}V{bottom:.1f}"/>'
        at += width(text)


def _line(line: Line, top: float) -> Iterator[str]:
    at = 0
    for text, style in line:
        name = style or "plain"
        for part in re.findall(r"[░▒▓▞×─·█▪▫┄╌┊✗├└│▏▎▍▌▋▊▉]+|[^░▒▓▞×─·█▪▫┄╌┊✗├└│▏▎▍▌▋▊▉]+", text):
            if part[0] in _SHAPES and (name in LOOKS or name in ("tree", "bad") or len(part) == 1):
                yield from _shapes(part, name, at, top)
            else:
                yield from _words(part, name, at, top)
            at += width(part)


def _words(text: str, name: str, at: int, top: float) -> Iterator[str]:
    """Each run of words at its own column, stretched to it: a font's own advance may differ from ours."""
    for found in re.finditer(r"[!-~]+(?: [!-~]+)*|[^\s!-~]+", text):
        run = found[0]
        x = _SIDE + (at + width(text[: found.start()])) * _CELL
        yield (
            f'<text class="{name}" x="{x:.1f}" y="{top:g}" textLength="{width(run) * _CELL:.1f}" '
            f'lengthAdjust="spacingAndGlyphs">{escape(run)}</text>'
        )


def _shapes(text: str, name: str, at: int, top: float) -> Iterator[str]:
    x = _SIDE + at * _CELL
    middle = top - 4.6
    for found in re.finditer(r"█*[▏▎▍▌▋▊▉]|(.)\1*", text):
        glyph, count = found[0][-1], len(found[0])
        yield _shape(glyph, name, x, middle, count)
        x += count * _CELL


def _shape(glyph: str, name: str, x: float, middle: float, count: int) -> str:
    """A run of one glyph as a shape; `middle` is the height of its axis."""
    length = count * _CELL
    half = 5.5
    box = f'x="{x:.1f}" width="{length:.1f}" y="{middle - half:.1f}" height="{2 * half:g}"'
    end = x + length
    match glyph:
        case "░" | "▒" | "▓":
            return f'<rect class="{name}" {box} opacity="{ {"░": 0.35, "▒": 0.7, "▓": 0.9}[glyph] }"/>'
        case "▞":
            strokes = "".join(f"M{x + step:.1f} {middle + half:g}l4.2 -{2 * half:g}" for step in _steps(0, length - 4, 4.2))
            return f'<rect class="{name}" {box} opacity=".4"/><path class="{name}" stroke-width="2" d="{strokes}"/>'
        case "─":
            return f'<path class="{name}" stroke-width="3" d="M{x:.1f} {middle:g}H{end:.1f}"/>'
        case "┄" | "╌":
            return f'<path class="{name}" stroke-width="1.6" stroke-dasharray="4.2 4.2" d="M{x + 2.1:.1f} {middle:g}H{end:.1f}"/>'
        case "·":
            places = _steps(_CELL / 2, length, _CELL)
            return "".join(f'<circle class="{name}" cx="{x + step:.1f}" cy="{middle:g}" r="1.6"/>' for step in places)
        case "▪" | "▫":
            side, stroke = 6.4, 'style="fill:none;stroke:currentColor" stroke-width="1.4"' if glyph == "▫" else ""
            return "".join(
                f'<rect class="{name}" x="{x + step:.1f}" y="{middle - side / 2:.1f}" width="{side}" height="{side}" {stroke}/>'
                for step in _steps((_CELL - side) / 2, length, _CELL)
            )
        case "┊":
            place = f"M{x + _CELL / 2:.1f} {middle - 8:g}v16"
            return f'<path class="{name}" stroke-width="1.6" stroke-dasharray="2.5 2" d="{place}"/>'
        case "×" | "✗":
            arm = 3.2
            strokes = "".join(
                f"M{x + step - arm:.1f} {middle - arm:.1f}l{2 * arm} {2 * arm}m0 -{2 * arm}l-{2 * arm} {2 * arm}"
                for step in _steps(_CELL / 2, length, _CELL)
            )
            return f'<path class="{name}" stroke-width="1.8" d="{strokes}"/>'
        case "├" | "└" | "│":
            middle_x, reach = x + _CELL / 2, "" if glyph == "│" else f"M{x + _CELL / 2:.1f} {middle:g}h{_CELL:g}"
            below = middle + _LINE / 2 + 0.5 if glyph != "└" else middle
            return f'<path class="{name}" d="M{middle_x:.1f} {middle - _LINE / 2:.1f}V{below:.1f}{reach}"/>'
        case _:
            eighths = (_EIGHTHS.index(glyph) + 1) / 8
            wide = f'width="{length - _CELL + _CELL * eighths:.1f}"'
            return f'<rect class="{name}" x="{x:.1f}" {wide} y="{middle - half:.1f}" height="{2 * half:g}"/>'


def _steps(first: float, end: float, step: float) -> Iterator[float]:
    while first < end:
        yield first
        first += step
