"""The house's import table, held against the code: downwards only, and no circles. A type-only import is an import.

The table is DESIGN section 4. A package may import itself and what stands in its row; an entry may name one module of a package
(`plan.query`) where only that one is meant.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "pellucid"

GROUND = {"errors", "spans"}
TABLE: dict[str, set[str]] = {
    # 1: import nothing of ours
    "errors": set(),
    "spans": set(),
    # 2: know no socket
    "http": GROUND,
    "validation": GROUND,
    "dotenv": {"errors"},
    "settings_text": set(),
    "settings": {"errors", "dotenv", "settings_text"},
    "schema": GROUND,
    "db": GROUND,
    "journey": GROUND,
    # 3
    "server": GROUND | {"http"},
    "client": GROUND | {"http", "journey"},
    "anatomy": GROUND | {"http", "journey"},
    "plan": GROUND | {"schema"},
    # 4
    "web": GROUND | {"http", "validation"},
    "sql": GROUND | {"plan", "schema", "db.database"},
    # 5: knows no HTTP
    "resource": GROUND | {"plan", "sql", "db", "schema", "validation"},
    # 6: styles of asking, not one another; of a database they know the interface
    "api": GROUND | {"resource", "schema", "plan.query", "db.database", "web", "http", "validation"},
    "auth": GROUND | {"resource", "schema", "plan.query", "db.database", "web", "http", "validation"},
    "admin": GROUND | {"resource", "schema", "plan.query", "db.database", "web", "http", "validation"},
    # 7: everything below but the server
    "app": GROUND
    | {"settings", "http", "schema", "db", "client", "anatomy", "plan", "web", "sql", "resource", "api", "auth", "admin"},
    # 8
    "cli": GROUND
    | {"app", "settings", "http", "journey", "schema", "db", "server", "client", "anatomy", "sql", "resource", "api", "web"},
    "__main__": {"cli"},
    # what `from pellucid import ...` offers
    "": {"app", "schema", "api", "errors", "settings", "http", "web"},
}


def modules() -> dict[str, Path]:
    """Every module below `pellucid`, by its dotted name without that prefix."""
    found: dict[str, Path] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = modules()


def imports(module: str, file: Path) -> Iterator[tuple[str, int]]:
    """What a module imports of ours, wherever in the file: (module, line)."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "pellucid":
                    yield alias.name.partition(".")[2], node.lineno
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join(["pellucid", *filter(None, base), *filter(None, [source])])
            if source.split(".")[0] == "pellucid":
                inside = source.partition(".")[2]
                for alias in node.names:
                    deeper = f"{inside}.{alias.name}" if inside else alias.name
                    yield (deeper if deeper in MODULES else inside), node.lineno


GRAPH = {module: list(imports(module, file)) for module, file in MODULES.items()}


def station(module: str) -> str:
    return module.split(".")[0]


def allowed(importer: str, imported: str) -> bool:
    if imported == "":  # `from pellucid import __version__`
        return True
    if station(importer) == station(imported):
        return True
    return any(imported == entry or imported.startswith(f"{entry}.") for entry in TABLE[station(importer)])


def test_every_station_has_a_row_in_the_table() -> None:
    assert {station(module) for module in MODULES} <= set(TABLE)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_downwards(module: str) -> None:
    wrong = [
        f"{MODULES[module].relative_to(PACKAGE)}:{line} imports {imported}"
        for imported, line in GRAPH[module]
        if not allowed(module, imported)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_table_itself_points_downwards() -> None:
    order = list(TABLE)
    late = [
        (row, entry)
        for row, entries in TABLE.items()
        for entry in entries
        if row != "" and order.index(station(entry)) > order.index(row)
    ]
    assert not late


def circles() -> list[list[str]]:
    """The circles among modules: Tarjan's strongly connected components with more than one member."""
    edges = {
        module: {imported for imported, _ in GRAPH[module] if imported in MODULES and imported not in ("", module)}
        for module in MODULES
    }
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(edges[module]):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            at = stack.index(module)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for module in sorted(MODULES):
        if module not in index:
            visit(module)
    return found


def test_there_are_no_circles() -> None:
    assert not circles()
