"""A page of the documentation, taken apart into what can be run, and what it prints compared with what the page shows.

In: Markdown. Out: `Block`s in order, table rows that name a request, links; and for shown and real output the first line that
differs. It runs nothing: `terminal.py` does.

What may differ is listed in `VARYING`, each with the exact shape that it must have; beside that a shown line `...` stands for any
number of lines, and `…` inside a line for any text in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(\w*)[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--\s*((?:(?!-->).)*?)\s*-->\s*\Z", re.DOTALL)
_NAMED = re.compile(r"(?:#|<!--|/\*|//) ([\w./-]+\.\w+)(, continued)?(?: -->| \*/)?\n")
_LINK = re.compile(r"!?\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+?)\s*$", re.MULTILINE)
_RECENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{3,6})?Z?")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its text, the line where it stands, and the HTML comment right before it."""

    language: str
    text: str
    line: int
    comment: str = ""

    @property
    def file(self) -> tuple[str, bool] | None:
        """The file that the block is, by its first line (`# app.py`), and whether it is added to (`, continued`)."""
        named = _NAMED.match(self.text)
        return None if named is None or self.language == "console" else (named[1], named[2] is not None)

    @property
    def reason_not_run(self) -> str | None:
        """Why a block is not run: `<!-- not run: reason -->`."""
        return self.comment.removeprefix("not run: ") if self.comment.startswith("not run: ") else None


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a console block, the text given to it, and what the page shows that it prints."""

    text: str
    given: str | None
    shown: tuple[str, ...]
    line: int


def pages() -> list[Path]:
    """Every page whose examples are run."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    for fence in _FENCE.finditer(text):
        comment = _COMMENT.search(text, 0, fence.start())
        line = text.count("\n", 0, fence.start()) + 1
        found.append(Block(fence[1], fence[2], line, comment[1] if comment else ""))
    return found


def commands(block: Block) -> list[Command]:
    """The commands of a console block: lines after "$ ", a backslash at the end goes on, `<<'END'` takes the lines up to END."""
    found: list[Command] = []
    lines = block.text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        assert line.startswith("$ "), f"line {block.line + 1 + at}: a console block begins with a command: {line!r}"
        begun = at
        text = line[2:]
        while text.endswith("\\"):
            at += 1
            text = text[:-1].rstrip() + " " + lines[at].lstrip("> ")
        at += 1
        given: str | None = None
        if (heredoc := re.search(r" <<'(\w+)'$", text)) is not None:
            end = lines.index(heredoc[1], at)
            given = "\n".join([*lines[at:end], ""])
            text, at = text[: heredoc.start()], end + 1
        shown: list[str] = []
        while at < len(lines) and not lines[at].startswith("$ "):
            shown.append(lines[at])
            at += 1
        found.append(Command(text, given, tuple(shown), block.line + 1 + begun))
    return found


def asked_in_tables(text: str) -> list[tuple[str, list[int], int]]:
    """The rows of tables with the columns `Request` and `Ids`: the address, the ids that it must give in order, the line."""
    found: list[tuple[str, list[int], int]] = []
    columns: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            columns = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not columns:
            columns = cells
        elif "Request" in columns and "Ids" in columns and not set(cells[0]) <= set("-: "):
            request = cells[columns.index("Request")].strip("`")
            ids = cells[columns.index("Ids")]
            found.append((request, [int(each) for each in re.findall(r"\d+", ids)], number))
    return found


def links(text: str) -> list[str]:
    """The targets of all links and pictures outside of code."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text)))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    plain = _FENCE.sub("", text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(plain)}


VARYING: tuple[tuple[str, str, str], ...] = (
    # what, its shape in the page, what it may be instead
    ("the date of an answer", r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"),
    ("a moment just now", _RECENT.pattern, "<now>"),
    ("a request's or a trace's id", r"\b[0-9a-f]{32}\b", "[0-9a-f]{32}"),
    ("a span's id", r"(?<=-)[0-9a-f]{16}(?=-0)", "[0-9a-f]{16}"),
    ("the end of an id in the log", r"#[0-9a-f]{6}\b", "#[0-9a-f]{6}"),
    ("a time of day in the log", r"^\d\d:\d\d:\d\d(?= )", r"\d\d:\d\d:\d\d"),
    ("seconds since 1970", r"(?<=\"started\":)\d+\.\d+", r"\d{10}\.\d+"),
    ("a duration that is a label", r"^ +\d+(?:\.\d+)? [mµ]?s +(?=\S)", r" +\d+(?:\.\d+)? [mµ]?s +"),
    ("a duration", r" *\b\d+(?:\.\d+)?(?= m?s\b)", r" *\d+(?:\.\d+)?"),
    ("a duration in Server-Timing", r"(?<=dur=)\d+(?:\.\d+)?", r"\d+(?:\.\d+)?"),
    ("a duration in JSON", r"(?<=_ms\":)\s*-?\d+(?:\.\d+)?", r"\s*-?\d+(?:\.\d+)?"),
    ("a size in the log, since messages change", r"(?<= ms) +\d+(?:\.\d)? k?B(?= #)", r" +\d+(?:\.\d)? k?B"),
    ("the stations of a request in the log", r"(?<=#......) (?:[a-z]+ \d+\.\d\d ?)+$", r"(?: [a-z]+ \d+(?:\.\d+)?)*"),
    ("version", r"(?<=Pellucid )\d+\.\d+\.\d+", r"\d+\.\d+\.\d+"),
)
_VARYING = re.compile("|".join(f"(?P<v{at}>{shape})" for at, (_, shape, _) in enumerate(VARYING)))


def _pattern(line: str) -> re.Pattern[str]:
    """What a shown line may be in reality."""
    parts: list[str] = []
    for number, piece in enumerate(line.split("…")):
        if number:
            parts.append(".+?")
        at = 0
        for found in _VARYING.finditer(piece):
            index = int((found.lastgroup or "v0")[1:])
            instead = VARYING[index][2]
            # A moment of long ago is not <now>, and must be what the page says.
            either = f"(?:{re.escape(found[0])}|{instead})"
            parts += [re.escape(piece[at : found.start()]), either]
            at = found.end()
        parts.append(re.escape(piece[at:]))
    return re.compile("".join(parts))


# What `pellucid trace` draws: every run takes other times, so of a row its place in the tree, what was asked for and how it
# ended are compared, and the statements; bars, durations and sizes are not, nor the rows that depend on them.

_KINDS = "html|page|css|js|img|font|app|av|icon|pre|data"
_VISIT = re.compile(rf"([│├└ ]*)(?!https?://)(\S.*?) +({_KINDS})? +(\d{{3}}|–)(?: +[\d.,]+ [kMG]?B)?(?: .*)?")
_STATEMENT = re.compile(r"([│├└ ]*)(sql (?:×\d+ )?[A-Z].*?)(?: {2,}.*)?")


def drawn(lines: tuple[str, ...] | list[str]) -> list[str]:
    """The requests and statements of a waterfall; of anything else nothing."""
    found = []
    for line in lines:
        if (visit := _VISIT.fullmatch(line)) is not None:
            found.append(f"{visit[1]}{visit[2]} {visit[3] or ''} {visit[4]}")
        elif (statement := _STATEMENT.fullmatch(line)) is not None:
            found.append(f"{statement[1]}{statement[2]}")
    return found


def difference(shown: tuple[str, ...] | list[str], real: list[str], now: str) -> str | None:
    """Why real output is not what is shown, or None. `now` is the day (or days, as a regex) whose moments count as just now."""
    recent = re.compile(rf"(?:{now})[T ]\d\d:\d\d:\d\d(?:\.\d{{3,6}})?Z?")
    told = [recent.sub("<now>", line.rstrip()) for line in real]
    while told and not told[-1]:
        told.pop()
    wanted = [line.rstrip() for line in shown]
    while wanted and not wanted[-1]:
        wanted.pop()
    return _differ(wanted, told)


def _differ(wanted: list[str], told: list[str]) -> str | None:
    at = 0
    for number, line in enumerate(wanted):
        if line in ("...", "…"):
            rest = wanted[number + 1 :]
            if any(_differ(rest, told[start:]) is None for start in range(at, len(told) + 1)):
                return None
            return f"after {line!r} nothing fits {rest[:1]}; the rest is {told[at:]}"
        if at >= len(told):
            return f"shown but not there: {line!r}"
        if not _pattern(line).fullmatch(told[at]):
            return f"\n  shown {line!r}\n  real  {told[at]!r}"
        at += 1
    return None if at == len(told) else f"there but not shown: {told[at]!r}"
