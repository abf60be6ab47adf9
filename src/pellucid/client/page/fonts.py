"""Fonts: which of the `@font-face`s a page's text needs (CSS Fonts 4, sections 4, 5.2 and 5.3).

In: the `@font-face` rules, and characters with the families, weight, style and width they are to be set in. Out: the files that a
browser fetches, the next ones when one of them fails, and the reason for each that is left alone.

A face is fetched when, going through the families in their order, a character comes to it that lies in its `unicode-range`. Which
characters a file has is known only when it is there: it counts as having all of its range. Whether a font is installed is not
known either: but for the few that every system has a substitute for, none is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from pellucid.client.page.css import Declaration, Rule, Source, url_at
from pellucid.client.page.escapes import unescape
from pellucid.client.page.found import Found
from pellucid.http.url import BadUrl, Url, parse_url
from pellucid.journey import Skipped

__all__ = ["Face", "Fonts", "Wanted", "families", "read_faces"]

GENERIC = frozenset(
    {
        "serif", "sans-serif", "monospace", "cursive", "fantasy", "system-ui", "ui-serif", "ui-sans-serif", "ui-monospace",
        "ui-rounded", "math", "emoji", "fangsong",
    }
)  # fmt: skip
INSTALLED = frozenset({"arial", "helvetica", "times", "times new roman", "courier", "courier new"})
"""Families that every system has, if only by a substitute."""
_FORMATS = frozenset(
    {
        "woff", "woff2", "truetype", "opentype", "collection", "woff-variations", "woff2-variations", "truetype-variations",
        "opentype-variations",
    }
)  # fmt: skip
_TECHNIQUES = frozenset(
    {"variations", "palettes", "features-opentype", "color-colrv0", "color-colrv1", "color-sbix", "color-cbdt"}
)
_WIDTHS = {
    "ultra-condensed": 50.0, "extra-condensed": 62.5, "condensed": 75.0, "semi-condensed": 87.5, "normal": 100.0,
    "semi-expanded": 112.5, "expanded": 125.0, "extra-expanded": 150.0, "ultra-expanded": 200.0,
}  # fmt: skip
_FAMILY = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|((?:[^,"'\\]|\\.)+))\s*(?:,|\Z)""", re.DOTALL)
_IDENTS = re.compile(r"(?:-?(?:[A-Za-z_\x80-\U0010ffff]|\\.)(?:[\w\x80-\U0010ffff-]|\\.)*+\s*+)++\Z", re.DOTALL)
_HINTS = re.compile(r"""\s*(format|tech)\(\s*["']?([^"')]*)["']?\s*\)""", re.IGNORECASE)
_LOCAL = re.compile(r"""local\(\s*(?:"[^"]*"|'[^']*'|[^)]*)\s*\)""", re.IGNORECASE)
_RANGE = re.compile(r"u\+([0-9a-f?]{1,6})(?:-([0-9a-f]{1,6}))?\Z", re.IGNORECASE)


class Wanted(msgspec.Struct, frozen=True):
    """What text is to be set in."""

    families: str
    """As written, variables replaced."""
    weight: float = 400.0
    style: str = "normal"
    width: str = "normal"


class Face(msgspec.Struct, eq=False):
    """One `@font-face`."""

    name: str
    """The family as written."""
    weight: tuple[float, float]
    style: str
    width: tuple[float, float]
    ranges: tuple[tuple[int, int], ...]
    """Empty: all characters."""
    sources: list[Url]
    unsupported: list[Url]
    """Sources in formats that no browser of today takes."""
    local: bool
    """It names installed fonts first."""
    inline: bool
    """One of its sources is in the sheet itself (`data:`), so that nothing after it is fetched."""
    rule: Rule
    source: Source
    at: int
    why: str | None = None
    """Set where it does not apply."""

    def covers(self, character: str) -> bool:
        """Whether its `unicode-range` has this character."""
        code = ord(character)
        return not self.ranges or any(low <= code <= high for low, high in self.ranges)

    @property
    def kind(self) -> tuple[object, ...]:
        """Faces of one kind are one font in parts."""
        return self.weight, self.style, self.width


def families(text: str) -> list[tuple[str, bool]] | None:
    """The names in a `font-family`, and whether each is a generic one; None where a browser would drop the declaration."""
    found: list[tuple[str, bool]] = []
    at = 0
    while at < len(text):
        match = _FAMILY.match(text, at)
        if match is None:
            return None
        at = match.end()
        plain = match.group(3)
        if plain is None:
            found.append((unescape(match.group(1) or match.group(2) or ""), False))
            continue
        if _IDENTS.match(plain.strip()) is None:
            return None
        name = " ".join(unescape(plain).split())
        found.append((name, name.lower() in GENERIC))
    return found if found and not text.rstrip().endswith(",") else None


def read_faces(rules: Iterable[tuple[Rule, Source, str | None]]) -> list[Face]:
    """The faces that have a family and a source; others are no faces (section 4.1)."""
    return [face for rule, source, why in rules if (face := _face(rule, source, why)) is not None]


def _face(rule: Rule, source: Source, why: str | None) -> Face | None:
    said: dict[str, Declaration] = {}
    for each in rule.declarations:
        name = "font-width" if each.name == "font-stretch" else each.name
        if name != "src" or _has_source(each.value):
            said[name] = each
    if "font-family" not in said or "src" not in said:
        return None
    named = families(said["font-family"].value)
    if named is None or len(named) != 1:
        return None
    declaration = said["src"]
    face = Face(
        name=named[0][0],
        weight=_weights(_text(said, "font-weight")),
        style="italic" if _text(said, "font-style").startswith(("italic", "oblique")) else "normal",
        width=_widths(_text(said, "font-width")),
        ranges=_ranges(_text(said, "unicode-range")),
        sources=[],
        unsupported=[],
        local=False,
        inline=False,
        rule=rule,
        source=source,
        at=declaration.start,
        why=why,
    )
    _read_sources(face, declaration.value)
    return face


def _text(said: dict[str, Declaration], name: str) -> str:
    return said[name].value.lower().strip() if name in said else ""


def _has_source(value: str) -> bool:
    return "url(" in value.lower() or "local(" in value.lower()


def _read_sources(face: Face, value: str) -> None:
    at = 0
    while at < len(value):
        local = _LOCAL.match(value, at)
        if local:
            face.local = True
            at = local.end()
        elif value[at : at + 4].lower() == "url(":
            read = url_at(value, at)
            if read is None:
                return
            address, at = read
            taken, at = _is_taken(value, at)
            _add_source(face, address, taken)
        else:
            at += 1


def _is_taken(value: str, at: int) -> tuple[bool, int]:
    """What follows a url: whether a browser takes that format, and where the hints end."""
    taken = True
    while match := _HINTS.match(value, at):
        at = match.end()
        known = _FORMATS if match.group(1).lower() == "format" else _TECHNIQUES
        taken = taken and all(word.strip().lower() in known for word in match.group(2).split(","))
    return taken, at


def _add_source(face: Face, address: str, taken: bool) -> None:
    if not address or face.inline:
        return
    try:
        url = parse_url(address, face.source.url)
    except BadUrl:
        return
    if not taken:
        face.unsupported.append(url)
    elif url.scheme in ("data", "blob"):
        face.inline = True
    else:
        face.sources.append(url)


def _weights(text: str) -> tuple[float, float]:
    words = {"normal": "400", "bold": "700"}
    try:
        numbers = [float(words.get(word, word)) for word in text.split()]
    except ValueError:
        numbers = []
    return (min(numbers), max(numbers)) if numbers else (400.0, 400.0)


def _widths(text: str) -> tuple[float, float]:
    try:
        numbers = [_WIDTHS[word] if word in _WIDTHS else float(word.rstrip("%")) for word in text.split()]
    except ValueError:
        numbers = []
    return (min(numbers), max(numbers)) if numbers else (100.0, 100.0)


def _ranges(text: str) -> tuple[tuple[int, int], ...]:
    found = []
    for part in text.split(","):
        match = _RANGE.match(part.strip())
        if match is None:
            continue
        low, high = match.groups()
        if "?" in low:
            found.append((int(low.replace("?", "0"), 16), int(low.replace("?", "f"), 16)))
        else:
            found.append((int(low, 16), int(high or low, 16)))
    return tuple(found)


class Fonts:
    """Chooses faces for the text of one page."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self._faces = faces
        self._by_name: dict[str, list[Face]] = {}
        for face in faces:
            if face.why is None:
                self._by_name.setdefault(face.name.lower(), []).append(face)
        self._wanted: dict[Wanted, set[str]] = {}
        self._failed: set[str] = set()
        self._fetched: dict[str, Found] = {}
        self._asked: set[str] = set()
        """Families for which text came by."""
        self._chosen: set[int] = set()
        """Faces whose weight, style and width fitted, by identity."""

    def want(self, wanted: Wanted, characters: Iterable[str]) -> None:
        """There are these characters in this font."""
        if self._by_name and wanted.families:
            self._wanted.setdefault(wanted, set()).update(characters)

    def needed(self) -> list[Found]:
        """The files to fetch now: what was given before is not given again."""
        fresh: list[Found] = []
        for wanted, characters in self._wanted.items():
            for face, url, unsure in self._reach(wanted, characters):
                if url.bare not in self._fetched:
                    found = _found(face, url, unsure)
                    self._fetched[url.bare] = found
                    fresh.append(found)
        return fresh

    def after_failure(self, url: str) -> list[Found]:
        """The files to fetch because this one could not be had: the next source of its face, or the next family."""
        bare = url.partition("#")[0]
        if bare not in self._fetched or bare in self._failed:
            return []
        self._failed.add(bare)
        return self.needed()

    def _reach(self, wanted: Wanted, characters: set[str]) -> Iterable[tuple[Face, Url, str | None]]:
        """The faces that characters come to, each with the first source that has not failed."""
        left = sorted(characters)
        unsure = None
        for name, generic in families(wanted.families) or ():
            if generic or not left:
                return
            faces = self._by_name.get(name.lower())
            if faces is None:
                if name.lower() in INSTALLED:
                    return
                unsure = unsure or f"~ {name} comes first, and counts as not installed"
                continue
            self._asked.add(name.lower())
            group = _best(faces, wanted)
            self._chosen.update(map(id, group))
            # Of parts that overlap, the one declared last is taken (section 4.5).
            for face in reversed(group):
                mine = [character for character in left if face.covers(character)]
                if not mine:
                    continue
                url = next((url for url in face.sources if url.bare not in self._failed), None)
                if url is not None:
                    yield face, url, unsure
                if url is not None or face.inline:
                    left = [character for character in left if character not in mine]

    def skipped(self) -> list[Skipped]:
        """Why each file that is not fetched is not."""
        found: dict[str, Skipped] = {}
        for face in self._faces:
            for url in (*face.sources, *face.unsupported):
                if url.bare not in self._fetched and url.bare not in found:
                    why = self._why(face, url)
                    initiator = face.source.initiator(f"@font-face {face.name}", face.at)
                    found[url.bare] = Skipped(url.href, "font", initiator, why, "CSS Fonts 4, section 4.3")
        return list(found.values())

    def _why(self, face: Face, url: Url) -> str:
        if face.why is not None:
            return face.why
        if url in face.unsupported:
            return "Its format is none that browsers take"
        if any(other.bare in self._fetched for other in face.sources):
            return f"Another source of {face.name} is taken, and this one only should that fail"
        if face.name.lower() not in self._asked:
            return f"No displayed text is set in {face.name}"
        if id(face) not in self._chosen:
            return f"No displayed text is set in {face.name} of this weight, style and width"
        if face.ranges:
            return f"No character of the text in {face.name} is in its unicode-range, or another face has it"
        return f"Another face of {face.name} is taken"


def _found(face: Face, url: Url, unsure: str | None) -> Found:
    initiator = face.source.initiator(f"@font-face {face.name}", face.at)
    note = "~ local() fonts count as not installed" if face.local else unsure
    return Found(url, "font", initiator, "VeryHigh", "cors", "same-origin", note=note)


def _best(faces: Sequence[Face], wanted: Wanted) -> list[Face]:
    """The faces of the kind that fits best: width first, then style, then weight (section 5.2)."""
    width = _widths(wanted.width)[0]
    italic = wanted.style.startswith(("italic", "oblique"))
    best = min(
        faces,
        key=lambda face: (
            _width_distance(face.width, width),
            face.style != ("italic" if italic else "normal"),
            _weight_distance(face.weight, wanted.weight),
        ),
    )
    return [face for face in faces if face.kind == best.kind]


def _width_distance(has: tuple[float, float], wanted: float) -> tuple[int, float]:
    """Narrower ones first for what is normal or narrow, wider ones first for what is wide."""
    low, high = has
    if low <= wanted <= high:
        return 0, 0.0
    below = high < wanted
    return (1 if below == (wanted <= 100) else 2), (wanted - high if below else low - wanted)


def _weight_distance(has: tuple[float, float], wanted: float) -> tuple[int, float]:
    """From 400 to 500 up to 500, then down, then up; lighter ones first below 400, heavier ones first above 500."""
    low, high = has
    if low <= wanted <= high:
        return 0, 0.0
    below = high < wanted
    distance = wanted - high if below else low - wanted
    if 400 <= wanted <= 500:
        if not below and low <= 500:
            return 1, distance
        return (2 if below else 3), distance
    return (1 if below == (wanted < 400) else 2), distance
