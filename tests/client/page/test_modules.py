"""Imports of modules, found without running them, and import maps."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.client.page.javascript import imports_of
from pellucid.client.page.modules import ImportMap, imports
from pellucid.http.url import parse_url

URL = parse_url("https://example.org/js/app.js")
ROOT = Path(__file__).parents[3]

SOURCE = r"""
#!no shebang here
import a from "./a.js"; import {b as c, "s" as d} from './b.js'; import * as e from"./e.js";import"./f.js"
// import "no"
/* import "no" */ const s = "import 'no'"; const t = `import "no" ${ `x${1}` } ${ import("./dyn.js") } import "no"`;
const r = /import "no"[/]"/g; a = b / c; d = (x) / 2; if (x) /import"no"/.test(y); n = 1 / 2; m = a[0] / /import "no"/.x
export * from "./g.js"; export * as ns from './h.js'; export { q } from "./i.js"; export { z }; export default function () {}
/import "no"/; import j from "./j.json" with { type: "json" }; import.meta.url; x.import("no"); foo({import: 1}); import(what)
import k, {l} from "./k\x2ejs"; export const from = "no"; let v = {} / 2; function f() {} /re'/.x; import { type } from "./l.js"
return /import "no"/ ; import {a,} from "./m.js"; x = y++ / import.meta / z; import { import as i } from "./n.js"; ({}).export
"""


def test_imports_and_nothing_that_only_looks_like_one() -> None:
    found = [(each.what, each.specifier) for each in imports_of(SOURCE)]
    assert [specifier for what, specifier in found if what == "import"] == [
        "./a.js", "./b.js", "./e.js", "./f.js", "./j.json", "./k.js", "./l.js", "./m.js", "./n.js",
    ]  # fmt: skip
    assert [specifier for what, specifier in found if what == "export from"] == ["./g.js", "./h.js", "./i.js"]
    assert [specifier for what, specifier in found if what == "import()"] == ["./dyn.js", None]


def test_real_modules() -> None:
    folder = ROOT / "examples" / "atlas" / "public"
    files = sorted(folder.rglob("*.js"))
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        ours = [each.specifier for each in imports_of(text) if each.what != "import()"]
        said = [line.rpartition("from ")[2].strip(" \";'\n") for line in text.replace("\n}", "}").splitlines()
                if line.startswith(("import ", "} from ", "export {")) and '"' in line]  # fmt: skip
        assert set(said) <= set(filter(None, ours)), file


@given(st.text(st.sampled_from("import export from{}()[]*,;'\"`$/\\.\n\tax=+-!#@"), max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_text_is_an_error(text: str) -> None:
    imports_of("import " + text)


@pytest.mark.parametrize(
    "text",
    ["`${" * 30_000, "import {" + "a," * 50_000, ("import " + "a," * 20) * 3_000, "/[a" * 30_000, "import a " * 20_000, "(" * 99],
    ids=range(6),
)
def test_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    imports_of(text + "import")


def test_what_is_fetched_and_what_is_not() -> None:
    source = 'import "./x.js";\nimport "bare"; import d from "./d.json" with {type: "json"}; import "./x.js"; import("./late.js")'
    result = imports(source.encode(), URL, 4)
    assert [(each.url.href, each.kind, each.mode, each.module) for each in result.found] == [
        ("https://example.org/js/x.js", "script", "cors", True),
        ("https://example.org/js/d.json", "fetch", "cors", False),
    ]
    initiators = [each.initiator for each in result.found]
    assert [(each.visit, each.offset, each.line) for each in initiators] == [(4, 0, 1), (4, 32, 2)]
    assert [(each.url, each.why) for each in result.skipped] == [
        ("bare", "its specifier is bare, and no import map says what it stands for"),
        ("https://example.org/js/late.js", "import() asks for it when it runs"),
    ]


def test_import_maps() -> None:
    known = ImportMap()
    page = parse_url("https://example.org/page.html")
    assert known.add("[1", page) == "The import map is not JSON"
    assert known.add("[1]", page) == "The import map is not a JSON object"
    text = """{"imports": {"a": "./lib/a.js", "b/": "/b/", "b/c": "./special.js", "/js/old.js": "/js/new.js",
                            "no": null, "bad": "bare"},
               "scopes": {"/js/": {"a": "/scoped/a.js"}}}"""
    assert known.add(text, page) is None
    assert known.add('{"imports": {"a": "./later.js", "z": "./z.js"}}', page) is None
    resolved = {
        name: found and found.path
        for name in ("a", "b/x.js", "b/c", "./old.js", "no", "bad", "z", "q", "https://other.org/x", "b/../../up.js")
        for found in [known.resolve(name, URL)]
    }
    assert resolved == {
        "a": "/scoped/a.js", "b/x.js": "/b/x.js", "b/c": "/special.js", "./old.js": "/js/new.js", "no": None, "bad": None,
        "z": "/z.js", "q": None, "https://other.org/x": "/x", "b/../../up.js": None,
    }  # fmt: skip
    elsewhere = known.resolve("a", page)
    assert elsewhere is not None
    assert elsewhere.path == "/lib/a.js"
