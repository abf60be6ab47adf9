"""The habits of the house that a machine can check: contracts, docstrings, sizes, and documentation that leaves nothing out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pellucid.errors import CODES
from pellucid.settings import IN_DEV, SETTINGS, shown

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "src" / "pellucid").rglob("*.py"))
MOST_LINES = 450
MOST_FUNCTION_LINES = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_file_opens_with_its_contract(file: Path) -> None:
    docstring = ast.get_docstring(tree(file))
    assert docstring, "no module docstring"
    assert re.search(r"[.:!?)`]$", docstring.split("\n\n")[0]), "it begins with a sentence"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_files_and_functions_are_short_enough_to_be_read_at_once(file: Path) -> None:
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES
    long = [
        f"{node.name} has {length} lines"
        for node in ast.walk(tree(file))
        if isinstance(node, Function) and (length := (node.end_lineno or 0) - node.lineno + 1) > MOST_FUNCTION_LINES
    ]
    assert not long


def public(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """The public functions, classes and methods of a file; a protocol's methods (typing's or asyncio's) explain themselves."""
    for child in node.body:
        if not isinstance(child, Function | ast.ClassDef) or child.name.startswith("_"):
            continue
        decorators = {ast.unparse(decorator) for decorator in child.decorator_list}
        if decorators & {"overload", "override", "typing.overload"} or any(each.endswith(".setter") for each in decorators):
            continue
        yield prefix + child.name, child
        if isinstance(child, ast.ClassDef) and not any(re.search(r"Protocol\b", ast.unparse(base)) for base in child.bases):
            yield from public(child, f"{prefix}{child.name}.")


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_public_names_have_docstrings(file: Path) -> None:
    bare = [name for name, node in public(tree(file)) if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert not bare


def test_no_file_has_a_name_that_says_nothing() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}
    assert not [name_of(file) for file in FILES if file.stem in vague or file.parent.name in vague]


def rows(file: str) -> dict[str, list[str]]:
    """The rows of the Markdown tables in a file, by the text of their first cell."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "docs" / file).read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            found[cells[0].strip("`")] = cells
    return found


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.id)
def test_every_error_code_is_documented(code: object) -> None:
    from pellucid.errors import Code

    assert isinstance(code, Code)
    row = rows("errors.md").get(code.id)
    assert row is not None, f"docs/errors.md has no row for {code.id}"
    assert row[1:3] == [f"`{code.slug}`", str(code.status)]
    assert row[3], "what to do?"


def test_no_code_is_documented_that_does_not_exist() -> None:
    assert {id for id in rows("errors.md") if re.fullmatch(r"PL\d+", id)} == {code.id for code in CODES}


def test_codes_are_unique() -> None:
    assert len({code.id for code in CODES}) == len({code.slug for code in CODES}) == len(CODES)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    row, setting = rows("settings.md").get(name), SETTINGS[name]
    assert row is not None, f"docs/settings.md has no row for {name}"
    assert row[2] == setting.description
    for value in (setting.default, IN_DEV.get(name)):
        said = f"`{value:g}`" if isinstance(value, float) else f"`{shown(setting, value)}`"
        assert said in row[1] or value is None or value == ()


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert set(rows("settings.md")) == set(SETTINGS)
