"""What a JavaScript module imports (ECMAScript, section 16.2) and where its specifiers lead (WHATWG HTML, section 8.1.6.2).

In: the source of a module and the import map of its page. Out: the modules that are fetched before it runs. It runs nothing: what
`import()` asks for is known only when it is called, and is left out with that reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from pellucid.client.page.found import Found
from pellucid.http.url import BadUrl, Url, parse_url
from pellucid.journey import Initiator, Kind, Skipped

if TYPE_CHECKING:
    from pellucid.client.page.javascript import Import

__all__ = ["ImportMap", "Imports", "imports", "inline_imports"]

_SOURCE = "WHATWG HTML, section 8.1.6.2"
By = Literal["parser", "script"]


class Imports(NamedTuple):
    """The modules that are fetched, and those that are not."""

    found: list[Found]
    skipped: list[Skipped]


class ImportMap:
    """The import maps of a page, merged: bare specifiers to URLs."""

    def __init__(self) -> None:
        self._top: dict[str, str | None] = {}
        self._scopes: dict[str, dict[str, str | None]] = {}

    def add(self, text: str, base: Url) -> str | None:
        """Take the text of a `<script type=importmap>`; what is there already stays. Returns what is wrong with it."""
        try:
            read = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return "The import map is not JSON"
        if not isinstance(read, dict):
            return "The import map is not a JSON object"
        for key, address in _addresses(read.get("imports"), base).items():
            self._top.setdefault(key, address)
        scopes = read.get("scopes")
        for prefix, entries in scopes.items() if isinstance(scopes, dict) else ():
            try:
                scope = self._scopes.setdefault(parse_url(prefix, base).href, {})
            except BadUrl:
                continue
            for key, address in _addresses(entries, base).items():
                scope.setdefault(key, address)
        return None

    def resolve(self, specifier: str, base: Url) -> Url | None:
        """The URL that a specifier in a module at `base` stands for; None where it stands for none."""
        url = _url_like(specifier, base)
        name = specifier if url is None else url.href
        for prefix in sorted(self._scopes, reverse=True):
            if prefix == base.href or (prefix.endswith("/") and base.href.startswith(prefix)):
                known, mapped = _mapped(name, self._scopes[prefix])
                if known:
                    return mapped
        known, mapped = _mapped(name, self._top)
        return mapped if known else url


def _addresses(entries: object, base: Url) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for key, address in entries.items() if isinstance(entries, dict) else ():
        if not isinstance(key, str) or not key:
            continue
        url = _url_like(key, base)
        target = _url_like(address, base) if isinstance(address, str) else None
        if target is not None and key.endswith("/") and not target.href.endswith("/"):
            target = None
        found[key if url is None else url.href] = None if target is None else target.href
    return found


def _url_like(specifier: str, base: Url) -> Url | None:
    try:
        if specifier.startswith(("/", "./", "../")):
            return parse_url(specifier, base)
        return parse_url(specifier)
    except BadUrl:
        return None


def _mapped(name: str, entries: dict[str, str | None]) -> tuple[bool, Url | None]:
    """Whether a map has something to say of a specifier, and what."""
    if name in entries:
        address = entries[name]
        return True, None if address is None else parse_url(address)
    for key in sorted(entries, reverse=True):
        if key.endswith("/") and name.startswith(key):
            address = entries[key]
            if address is None:
                return True, None
            try:
                url = parse_url(name[len(key) :], parse_url(address))
            except BadUrl:
                return True, None
            return True, url if url.href.startswith(address) else None
    return False, None


def imports(source: bytes, url: Url, visit: int, *, import_map: ImportMap | None = None) -> Imports:
    """The imports of a module in a file, in the order of its text. Modules are UTF-8 whatever their page is (section 8.1.4.2)."""
    return inline_imports(source.decode("utf-8", "replace"), url, visit, import_map or ImportMap())


def inline_imports(
    text: str, url: Url, visit: int, import_map: ImportMap, *, offset: int | None = 0, line: int = 1, by: By = "script"
) -> Imports:
    """The same of a module's text. `url` is what they are relative to; `offset` and `line` say where the text begins."""
    from pellucid.client.page.javascript import imports_of  # late: few pages have modules

    result = Imports([], [])
    seen: set[str] = set()
    counted = 0
    for each in imports_of(text):
        before = text[counted : each.at]
        counted, line = each.at, line + before.count("\n")
        if offset is not None:
            offset += len(before.encode("utf-8", "replace"))
        initiator = Initiator(visit, by, each.what, offset, line)
        _one(each, import_map, url, initiator, result, seen)
    return result


def _one(each: Import, resolver: ImportMap, url: Url, initiator: Initiator, result: Imports, seen: set[str]) -> None:
    if each.specifier is None:
        result.skipped.append(Skipped("import(...)", "script", initiator, "what it asks for is computed when it runs", _SOURCE))
        return
    target = resolver.resolve(each.specifier, url)
    shown = each.specifier[:500] if target is None else target.href
    if each.what == "import()":
        result.skipped.append(Skipped(shown, "script", initiator, "import() asks for it when it runs", _SOURCE))
    elif target is None:
        why = "its specifier is bare, and no import map says what it stands for"
        result.skipped.append(Skipped(shown, "script", initiator, why, _SOURCE))
    elif target.scheme in ("http", "https") and target.bare not in seen:
        seen.add(target.bare)
        kind: Kind = "fetch" if each.type == "json" else "stylesheet" if each.type == "css" else "script"
        result.found.append(
            Found(target, kind, initiator, "High", mode="cors", credentials="same-origin", module=kind == "script")
        )
