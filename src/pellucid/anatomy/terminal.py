"""The picture of a journey in a terminal: verdict, waterfall, remarks.

In: drawings and sentences, a width, how many colours. Out: text. Colours are written here in a few lines, since importing a
library for them would take longer than drawing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal, TextIO

from pellucid.anatomy.cells import wrap
from pellucid.anatomy.drawing import Drawing
from pellucid.anatomy.layout import LEAST, Line, lay_out
from pellucid.anatomy.remarks import Remark, footnotes, remarks
from pellucid.anatomy.verdict import Verdict, judge
from pellucid.anatomy.waterfall import draw, rounds
from pellucid.journey import Journey

__all__ = ["Color", "color_of", "compose", "encode", "overview", "paint"]

Color = Literal["none", "16", "256", "truecolor"]

# style: sixteen colours, 256 colours, 24 bits. Legible on dark and on light ground alike: middle lightness, told apart by hue.
_STYLES: dict[str, tuple[str, str, str]] = {
    "title": ("1", "1", "1"),
    "verdict-good": ("1;32", "1;38;5;35", "1;38;2;46;160;67"),
    "verdict-warning": ("1;33", "1;38;5;172", "1;38;2;210;130;20"),
    "verdict-bad": ("1;31", "1;38;5;160", "1;38;2;222;62;62"),
    "good": ("32", "38;5;35", "38;2;46;160;67"),
    "warning": ("33", "38;5;172", "38;2;210;130;20"),
    "moved": ("36", "38;5;37", "38;2;20;160;175"),
    "bad": ("31", "38;5;160", "38;2;222;62;62"),
    "lead": ("1", "1", "1"),
    "tree": ("90", "38;5;243", "38;2;125;130;140"),
    "dim": ("90", "38;5;243", "38;2;125;130;140"),
    "axis": ("90", "38;5;243", "38;2;125;130;140"),
    "note": ("90", "38;5;243", "38;2;125;130;140"),
    "size": ("", "", ""),
    "time": ("", "", ""),
    "remark": ("33", "38;5;172", "38;2;210;130;20"),
    "queue": ("90", "38;5;245", "38;2;140;145;155"),
    "dns": ("36", "38;5;37", "38;2;20;160;175"),
    "connect": ("33", "38;5;172", "38;2;222;138;30"),
    "lost": ("31", "38;5;167", "38;2;214;90;80"),
    "tls": ("35", "38;5;133", "38;2;172;90;200"),
    "send": ("32", "38;5;71", "38;2;70;165;85"),
    "wait": ("32", "38;5;71", "38;2;70;165;85"),
    "receive": ("34", "38;5;33", "38;2;50;130;240"),
    "server": ("32", "38;5;71", "38;2;70;165;85"),
    "station": ("32", "38;5;71", "38;2;70;165;85"),
    "sql": ("95", "38;5;168", "38;2;226;80;130"),
    "timing": ("32", "38;5;71", "38;2;70;165;85"),
    "more": ("90", "38;5;245", "38;2;140;145;155"),
}
_COLUMN: dict[Color, int] = {"16": 0, "256": 1, "truecolor": 2}


def color_of(stream: TextIO | None, environ: Mapping[str, str] | None = None) -> Color:
    """How many colours a stream shows: none where it is no terminal, or NO_COLOR (no-color.org) or TERM say so.

    Python has no stream (None) where it was closed from the start.
    """
    environ = os.environ if environ is None else environ
    if stream is None or environ.get("NO_COLOR"):
        return "none"
    term = environ.get("TERM", "")
    if not environ.get("FORCE_COLOR") and (not stream.isatty() or term == "dumb"):
        return "none"
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "truecolor"
    return "256" if "256color" in term else "16"


def paint(
    drawings: Sequence[Drawing],
    verdict: Verdict | Sequence[Verdict],
    remarks: Sequence[Remark],
    width: int,
    color: Color = "none",
    footnotes: Sequence[str] = (),
) -> str:
    """Everything in `width` columns (40 at least), with a newline at its end."""
    return "\n".join(encode(line, color) for line in compose(drawings, verdict, remarks, width, footnotes)) + "\n"


def overview(journey: Journey, width: int, color: Color = "none", most: int | None = 20) -> str:
    """What the command prints of a journey."""
    turns = rounds(journey)
    drawings = [draw(journey, turn, most) for turn in turns]
    return paint(drawings, [judge(journey, turn) for turn in turns], remarks(journey), width, color, footnotes(journey))


def compose(
    drawings: Sequence[Drawing],
    verdict: Verdict | Sequence[Verdict],
    remarks: Sequence[Remark],
    width: int,
    footnotes: Sequence[str] = (),
) -> list[Line]:
    """The same as lines of styled words."""
    width = max(width, LEAST)
    verdicts = [verdict] if isinstance(verdict, Verdict) else list(verdict)
    lines: list[Line] = []
    for number in range(max(len(drawings), len(verdicts))):
        if number:
            lines.append([])
        if number < len(verdicts):
            lead = "" if number == 0 else "Visited again: "
            lines += [[(part, f"verdict-{verdicts[number].tone}")] for part in wrap(f"{lead}{verdicts[number].text}", width)]
            if (hint := verdicts[number].hint) is not None:
                lines += [[(part, "dim")] for part in wrap(hint, width)]
        if number < len(drawings) and drawings[number].rows:
            lines += [[], *lay_out(drawings[number], width)]
    if remarks:
        lines.append([])
    for remark in remarks:
        first, *rest = wrap(remark.text, width - 2)
        lines += [[("› ", "remark"), (first, "")], *([("  ", ""), (part, "")] for part in rest)]
    if footnotes:
        lines += [[], *([(part, "dim")] for text in footnotes for part in wrap(text, width))]
    return lines


def encode(line: Line, color: Color) -> str:
    """A line with its colours, without blanks at its end."""
    if color == "none":
        return "".join(text for text, _ in line).rstrip()
    words: list[str] = []
    for text, style in line:
        code = _STYLES[style][_COLUMN[color]] if style in _STYLES and text.strip() else ""
        words.append(f"\x1b[{code}m{text}\x1b[0m" if code else text)
    return "".join(words).rstrip()
