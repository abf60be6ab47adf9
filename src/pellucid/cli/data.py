"""`pellucid load` and `pellucid backup`: rows in, a copy out.

In: files and the project. Out: rows in the database or a copy of it, and a line that says so. The work is done by `cli/bulk.py`
and `db/`; this file asks for it and shows how it goes.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from pellucid.cli.line import size_text
from pellucid.cli.project import (
    Asked,
    Failed,
    Project,
    app_argument,
    database_option,
    find_project,
    import_app,
    migrations_folder,
)
from pellucid.errors import Problem

if TYPE_CHECKING:
    from pellucid.cli.bulk import Source
    from pellucid.schema.spec import Catalog

__all__ = ["backup", "load"]


@click.command(
    epilog="Example: `pellucid load app.py countries.csv cities.csv`, or `pellucid load app.py --model City --upsert new.jsonl`."
)
@click.argument("app")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", metavar="NAME", help="The model of all files; without it the file's name says which: cities.csv.")
@click.option("--upsert", is_flag=True, help="Let rows replace those with the same key or unique value.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@database_option
def load(app: str, files: tuple[Path, ...], model: str | None, upsert: bool, as_json: bool, database: str | None) -> None:
    """Load CSV, TSV or JSON Lines FILES into the database of APP: all of them, or nothing.

    Every row is checked as the API would check it; bad rows are named by file and line. The first line of a CSV file names the
    fields; an empty cell is null or the field's default. A column `country.code` finds the row that `country` refers to by its
    unique field `code`. Files are loaded in the order in which their models need each other. Hooks do not run.
    """
    from pellucid.cli.bulk import LoadFailed, plan_sources  # late: `pellucid load --help` needs none of it

    project = find_project(app, {"mode": "run", "database": database})
    catalog = import_app(project).catalog
    try:
        sources = plan_sources(catalog, files, model)
    except ValueError as error:
        raise Asked(str(error)) from None
    began = time.perf_counter()
    _bring_up(catalog, project)
    try:
        counts = asyncio.run(_load(project, catalog, sources, upsert))
    except LoadFailed as failed:
        if as_json:
            rows = [{"file": str(row.path), "line": row.line, "message": row.message} for row in failed.rows]
            click.echo(msgspec.json.encode({"loaded": 0, "errors": rows, "more": failed.more}))
        more = f"\nstopped after {len(failed.rows)} bad rows" if failed.more else ""
        raise Failed(f"nothing was loaded\n{failed}{more}") from None
    except Problem as problem:
        raise Failed(f"nothing was loaded: {problem.message}") from None
    took = time.perf_counter() - began
    if as_json:
        told = {
            "loaded": sum(counts.values()),
            "files": {str(path): count for path, count in counts.items()},
            "seconds": round(took, 3),
        }
        click.echo(msgspec.json.encode(told))
    else:
        parts = ", ".join(f"{count:,} from {path.name}" for path, count in counts.items())
        click.echo(f"Loaded {sum(counts.values()):,} rows in {took:.1f} s: {parts}")


def _bring_up(catalog: Catalog, project: Project) -> None:
    """Make the tables of a database that does not exist yet; one that does must match."""
    from pellucid.sql.migrate import MigrationError, update
    from pellucid.sql.migration_files import require_applied

    file = database_file(project)
    try:
        if file.exists():
            require_applied(catalog, migrations_folder(project), file)
        else:
            update(catalog, file)
    except MigrationError as error:
        raise Failed(str(error)) from None


async def _load(project: Project, catalog: Catalog, sources: list[Source], upsert: bool) -> dict[Path, int]:
    from pellucid.app import open_database
    from pellucid.cli.bulk import load_script

    # A batch may have to wait for the disk longer than any request would.
    database = await open_database(msgspec.structs.replace(project.settings, statement_timeout=600.0))
    try:
        with _progress([source.path for source in sources]) as read:
            return await database.write(load_script(catalog, sources, upsert=upsert, read=read))
    finally:
        await database.close()


@contextmanager
def _progress(paths: list[Path]) -> Iterator[Callable[[Path, int], object]]:
    """A bar for each file on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _, __: None
        return
    from rich.console import Console  # late: it takes longer to import than most files to load
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks = {path: progress.add_task(path.name, total=path.stat().st_size) for path in paths}
        done = dict.fromkeys(paths, 0)

        def read(path: Path, size: int) -> None:
            # The bar is redrawn ten times a second; telling it of every line would cost more than the line.
            done[path] += size
            if done[path] > 65_536:
                progress.advance(tasks[path], done[path])
                done[path] = 0

        yield read


def database_file(project: Project) -> Path:
    """The SQLite file of a project. Raises Asked where the database is none."""
    from pellucid.db.sqlite_connection import locate

    try:
        file = locate(project.settings.database)
    except Problem as problem:
        raise Asked(problem.message) from None
    if file is None or "://" in str(file):
        raise Asked(f"{project.settings.database} is not a SQLite file")
    return file


@click.command(epilog="Example: `pellucid backup backups/monday.db`; from cron, `pellucid backup --overwrite shop.bak shop.py`.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@app_argument
@click.option("--overwrite", is_flag=True, help="Replace FILE where it exists.")
@database_option
def backup(file: Path, app: str | None, overwrite: bool, database: str | None) -> None:
    """Copy the database into FILE while it is in use.

    The copy is of one moment, complete or not there at all; requests go on meanwhile.
    """
    from pellucid.db.sqlite_backup import backup as copy

    project = find_project(app, {"mode": "run", "database": database})
    source = database_file(project)
    if not source.exists():
        raise Failed(f"there is no database {source}")
    began = time.perf_counter()
    try:
        size = copy(source, file, overwrite=overwrite)
    except FileExistsError as error:
        raise Failed(f"{error}; --overwrite replaces it") from None
    except OSError as error:
        raise Failed(f"{os.fspath(file)} cannot be written: {error.strerror or error}") from None
    except Problem as problem:
        raise Failed(problem.message) from None
    click.echo(f"Copied {size_text(size)} into {file} in {time.perf_counter() - began:.1f} s")
