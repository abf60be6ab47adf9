"""Just enough of JavaScript's lexical grammar (ECMAScript, section 12) to find a module's import and export declarations.

In: source text. Out: each `import` and `export ... from` with its specifier and place.

Problem: `import "x"` in a comment, a string, a template or a regular expression imports nothing, and whether a `/` divides or
begins a regular expression depends on the grammar. Standard: a parser. Choice: a lexer that remembers the token before and,
for `)` and `}`, what opened them: the approach of es-module-lexer, which bundlers trust.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Import", "imports_of"]


class Import(NamedTuple):
    """One import: `specifier` is None where it is computed; `type` is that of `with { type: ... }`."""

    at: int
    what: str
    """`import`, `export from`, `import()`"""
    specifier: str | None
    type: str | None = None


_MOST = 2000
_TOKEN = re.compile(
    r"""(?P<space>[\s\ufeff]+|//[^\n\r\u2028\u2029]*|/\*.*?(?:\*/|\Z)|\A\#![^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)
    |(?P<number>\.?[0-9](?:[eE][+-]|[\w.])*)
    |(?P<word>(?:[\w$\u0080-\uffff]|\\u)+)
    |(?P<mark>\+\+|--|=>|\?\.(?![0-9])|\.\.\.|.)""",
    re.DOTALL | re.VERBOSE,
)
_REGEX = re.compile(r"/(?![*/])(?:[^\\/\[\n\r]|\\.|\[(?:[^\]\\\n\r]|\\.)*\])+/[\w$]*")
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(`|\$\{)?", re.DOTALL)
_BEFORE_OPERAND = frozenset(
    {
        "return", "typeof", "instanceof", "in", "of", "new", "delete", "void", "throw", "case", "do", "else", "yield", "await",
        "default", "extends",
    }
)  # fmt: skip
"""Words after which a `/` begins a regular expression."""
_CONDITION = frozenset({"if", "while", "for", "with"})
_SPECIFIER = re.compile(r"""from\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')""")
_CANDIDATE = re.compile(r"import|export(?=\s*[{*/])")
"""Where alone an import can begin; many are none."""
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Open(NamedTuple):
    """What a bracket that is open means for a `/` after it is closed."""

    mark: str
    operand: bool
    """After it, an operand begins: `if (...)`, a block; not after an expression in parentheses, or an object."""


def imports_of(text: str) -> list[Import]:
    """The imports of a module's source, in order, at most 2,000; never an error, whatever the text is."""
    last = max((match.start() for match in _CANDIDATE.finditer(text)), default=None)
    if last is None:
        return []
    tokens = _tokens(text, last)
    found: list[Import] = []
    for index, token in enumerate(tokens):
        if token.kind != "word" or token.text not in ("import", "export") or len(found) >= _MOST:
            continue
        before = tokens[index - 1] if index else None
        if before is not None and before.text in (".", "?.", "#"):
            continue
        each = _import(tokens, index) if token.text == "import" else _export(tokens, index)
        if each is not None:
            found.append(each)
    return found


def _import(tokens: list[_Token], index: int) -> Import | None:
    following = _at(tokens, index + 1)
    at = tokens[index].at
    if following.text == "(":
        first, second = _at(tokens, index + 2), _at(tokens, index + 3)
        literal = first.kind == "string" and second.text in (")", ",")
        return Import(at, "import()", _unquoted(first.text) if literal else None)
    if following.text in (".", ":", "=", ",", ";", ")", "}", ""):
        return None
    if following.kind == "string":
        return Import(at, "import", _unquoted(following.text), _type(tokens, index + 2))
    return _from(tokens, index, "import")


def _export(tokens: list[_Token], index: int) -> Import | None:
    if _at(tokens, index + 1).text not in ("{", "*"):
        return None
    return _from(tokens, index, "export from")


def _from(tokens: list[_Token], index: int, what: str) -> Import | None:
    """`{a, b as c} from "x"`: nothing but names, strings and these marks may stand before `from`."""
    place = index + 1
    deep = False
    while place < len(tokens):
        token = tokens[place]
        if token.text == "from" and not deep and _at(tokens, place + 1).kind == "string":
            specifier = _unquoted(tokens[place + 1].text)
            return Import(tokens[index].at, what, specifier, _type(tokens, place + 2))
        if token.text in ("import", "export") and not deep:
            return None
        if token.text in ("{", "}"):
            if deep == (token.text == "{"):
                return None
            deep = not deep
        elif token.kind not in ("word", "string") and token.text not in ("*", ","):
            return None
        place += 1
    return None


def _type(tokens: list[_Token], place: int) -> str | None:
    """The `type` of import attributes."""
    if _at(tokens, place).text not in ("with", "assert") or _at(tokens, place + 1).text != "{":
        return None
    for at in range(place + 2, min(place + 20, len(tokens) - 2)):
        if tokens[at].text == "}":
            return None
        if tokens[at].text.strip("\"'") == "type" and tokens[at + 1].text == ":":
            return _unquoted(tokens[at + 2].text)
    return None


def _at(tokens: list[_Token], index: int) -> _Token:
    return tokens[index] if index < len(tokens) else _Token("", "", 0)


def _unquoted(text: str) -> str:
    inside = text[1:-1] if len(text) > 1 and text[-1] == text[0] else text[1:]
    return _ESCAPE.sub(_escaped, inside) if "\\" in inside else inside


def _escaped(match: re.Match[str]) -> str:
    code = match.group(1) or match.group(2) or match.group(3)
    if code is None:
        return _PLAIN.get(match.group(4), match.group(4))
    return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else ""


def _tokens(text: str, until: int) -> list[_Token]:
    """Everything but comments, white space, numbers and the inside of regular expressions and templates.

    Only those are kept that an import can be made of, so that a large bundle costs little memory. What follows the statement
    that begins at `until` is not read: in most modules all imports stand at the top.
    """
    kept: list[_Token] = []
    opened: list[_Open] = []
    operand = True
    """A `/` here begins a regular expression."""
    last = ""
    at, end = 0, len(text)
    while at < end:
        if operand and text[at] == "/" and (match := _REGEX.match(text, at)):
            kept.append(_Token("regex", "/", at))
            at, operand, last = match.end(), False, "/"
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            break
        kind, word = match.lastgroup or "", match.group()
        if kind == "space":
            at = match.end()
            continue
        if word == "`" or (word == "}" and opened and opened[-1].mark == "`"):
            if word == "}":
                opened.pop()
            template = _TEMPLATE.match(text, match.end())
            assert template is not None
            hole = template.group(1) == "${"
            if hole:
                opened.append(_Open("`", True))
            kept.append(_Token("template", "`", at))
            at, operand, last = template.end(), hole, "`"
            continue
        kept.append(_Token(kind, word, at))
        if word == ";" and at > until:
            break
        operand = _after(kind, word, last, operand, opened)
        last = word
        at = match.end()
    return kept


def _after(kind: str, word: str, last: str, operand: bool, opened: list[_Open]) -> bool:
    """Whether an operand may begin after this token."""
    if kind == "word":
        return word in _BEFORE_OPERAND and last not in (".", "?.")
    if kind != "mark":
        return False
    if word == "(":
        opened.append(_Open("(", last in _CONDITION))
        return True
    if word == "{":
        # A block where no operand is expected, or after `)`, `;`, `{`, `}`, `=>`, and words as `else`; else an object.
        block = not operand or last in (";", "{", "}", ")", "=>", "", "else", "do", "try", "finally")
        opened.append(_Open("{", block))
        return True
    if word == "[":
        opened.append(_Open("[", False))
        return True
    if word in (")", "]", "}"):
        return opened.pop().operand if opened else word == "}"
    if word in ("++", "--"):
        return operand
    return True
