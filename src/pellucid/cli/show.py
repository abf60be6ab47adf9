"""`pellucid routes` and `pellucid openapi`: what is served, without serving it.

In: the project. Out: a table or JSON. The app is put together on an empty database in memory, so the real one is neither
needed nor touched, and nothing that the app wants run at its start is run.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from pellucid.cli.line import BOLD, GREY, style
from pellucid.cli.logs import wants_colour
from pellucid.cli.project import Failed, app_argument, find_project, import_app
from pellucid.errors import Problem

if TYPE_CHECKING:
    from pellucid.app import Backend

__all__ = ["openapi", "routes"]


@click.command(epilog="Example: `pellucid routes shop.py`, `pellucid routes --json | jq`.")
@app_argument
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def routes(app: str | None, as_json: bool) -> None:
    """List every route of APP: method, path, and what answers there."""
    backend = _put_together(app)
    rows = [(route.method, route.pattern, route.name) for route in backend.routes]
    if as_json:
        told = [{"method": method, "path": path, "name": name} for method, path, name in rows]
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
        return
    if backend.app.static is not None:
        rows.append(("GET", "/{path}", f"files in {backend.app.static.name}/"))
    colour = wants_colour(sys.stdout)
    together: dict[tuple[str, str], list[str]] = {}
    for method, path, name in rows:
        model = backend.app.catalog.by_collection(path.split("/")[2]) if path.startswith("/api/") else None
        together.setdefault((path, name if model is None else model.name), []).append(method)
    widest = max((len(path) for path, _ in together), default=0)
    longest = max((len(" ".join(methods)) for methods in together.values()), default=0)
    for (path, name), methods in together.items():
        said = style(f"{' '.join(methods):<{longest}}", BOLD, colour)
        click.echo(f"{said}  {path:<{widest}}  {style(name, GREY, colour)}".rstrip())


@click.command(epilog="Example: `pellucid openapi shop.py --output openapi.json`.")
@app_argument
@click.option("--output", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write it into this file instead.")
def openapi(app: str | None, output: Path | None) -> None:
    """Print the OpenAPI 3.1 description of APP, as it is served at /openapi.json."""
    from pellucid.api.openapi import openapi_document  # late: half of the start, and only needed here

    backend = _put_together(app)
    document = openapi_document(backend.app.catalog, backend.endpoints, title=backend.app.title, version=backend.app.version)
    text = msgspec.json.format(document, indent=2).decode() + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


def _put_together(app: str | None) -> Backend:
    project = find_project(app, {"mode": "run"})
    declared = import_app(project)
    declared.starting.clear()
    declared.stopping.clear()
    backend = declared.backend(msgspec.structs.replace(project.settings, database=":memory:"))

    async def lay_out() -> None:
        await backend.start()
        await backend.stop()

    try:
        asyncio.run(lay_out())
    except (Problem, ValueError) as error:  # a route that cannot be, or a folder that is not there
        raise Failed(str(error)) from None
    return backend
