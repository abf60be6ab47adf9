"""Labels of encodings (Encoding, section 4.2): what `latin1`, `sjis` or `x-gbk` mean on the web, and Python's codecs for them.

In: a label, or the content of a `<meta http-equiv>`. Out: the standard's name and a codec. Pure. The table is webencodings',
which is loaded at the first label that is not UTF-8's.
"""

from __future__ import annotations

import re

__all__ = ["codec_of", "label_in_content"]

_UTF_8 = {"utf-8", "utf8", "unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "x-unicode20utf8"}
_UPPER = ("utf", "iso", "ibm", "koi8", "gb", "big5", "euc")
# Python's codecs of encodings whose names it does not know, or knows for something narrower than the standard's.
_CODECS = {
    "big5": "big5hkscs", "euc-kr": "cp949", "gbk": "gb18030", "ibm866": "cp866", "iso-8859-8-i": "iso8859-8",
    "macintosh": "mac-roman", "shift_jis": "cp932", "windows-874": "cp874", "x-mac-cyrillic": "mac-cyrillic",
    "x-user-defined": "latin-1", "replacement": "ascii",
}  # fmt: skip
_IN_CONTENT = re.compile(
    r"""charset[\t\n\x0c\r ]*=[\t\n\x0c\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\x0c\r ;"'][^\t\n\x0c\r ;]*))""", re.IGNORECASE
)


def codec_of(label: str) -> tuple[str, str] | None:
    """The encoding that a label names and Python's codec for it (Encoding, section 4.2); None where it names none."""
    plain = label.strip("\t\n\x0c\r ").lower()
    if plain in _UTF_8:
        return "UTF-8", "utf-8"
    from webencodings.labels import LABELS

    found: str | None = LABELS.get(plain) if plain.isascii() else None
    if found is None:
        return None
    return _proper(found), _CODECS.get(found, found)


def _proper(name: str) -> str:
    """The standard's spelling of a name that webencodings has in lower case."""
    if name == "shift_jis":
        return "Shift_JIS"
    if name in ("big5", "gb18030"):
        return {"big5": "Big5", "gb18030": "gb18030"}[name]
    return name.upper().replace("-8-I", "-8-I") if name.startswith(_UPPER) else name


def label_in_content(text: str) -> str | None:
    """The known label after `charset=` in the content of a `<meta>` (HTML, section 2.5.3); None where there is none."""
    match = _IN_CONTENT.search(text)
    label = next((group for group in match.groups() if group is not None), None) if match is not None else None
    return label if label is not None and codec_of(label) is not None else None
