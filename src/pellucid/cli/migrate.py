"""`pellucid migrate`: the database brought up to the models, through files that can be read before they run.

In: the project. Out: files in `migrations/` beside the app, a changed database, or a report; exit code 1 where something
fails. Which steps there are is decided in `sql/`; here they are shown, and questions are asked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import TypeVar

import click

from pellucid.cli.line import GREEN, GREY, RED, YELLOW, style
from pellucid.cli.logs import wants_colour
from pellucid.cli.project import Asked, Failed, app_argument, database_option, find_project, import_app, migrations_folder
from pellucid.db.sqlite_connection import locate
from pellucid.errors import Problem
from pellucid.schema.spec import Catalog
from pellucid.sql import migration_files as files
from pellucid.sql.difference import Rename, Step
from pellucid.sql.migrate import MigrationError, reading, script

__all__ = ["migrate", "print_steps", "settle"]

Command = TypeVar("Command", bound=Callable[..., object])
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command works: the models, the folder of the files, the database."""

    catalog: Catalog
    folder: Path
    database: Path


def _place(app: str | None, database: str | None) -> Place:
    project = find_project(app, {"database": database} if database else {})
    url = project.settings.database
    if "://" in url and not url.startswith("sqlite:"):
        raise Asked(f"migrations are for SQLite files; {url.partition(':')[0]} databases are not supported yet")
    try:
        file = locate(url)
    except Problem as problem:
        raise Asked(problem.message) from None
    if file is None:
        raise Asked("a database in memory has no migrations; name a file with --database")
    return Place(import_app(project).catalog, migrations_folder(project), file)


class _Default(click.Group):
    """A group that shows the status where no subcommand is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, with `status` put before anything that is no subcommand."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["status", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Default)
def migrate() -> None:
    """Bring the database up to the models. Alone it shows where things stand and what to do next.

    Usual order: change the models, `make` a file, read it, commit it, `apply` it where the database is.
    """


def _options(command: Command) -> Command:
    renames = click.option("--rename", "renames", multiple=True, metavar="OLD=NEW", help="a table, or TABLE.OLD=NEW for a field")
    losses = click.option("--allow-destructive", is_flag=True, help="let steps through that lose data")
    # Questions are for people: a script is told what is missing instead.
    ask = click.option("--ask/--no-ask", default=None, hidden=True)
    return renames(losses(ask(command)))


@migrate.command()
@click.argument("name", required=False)
@app_argument
@database_option
@_options
def make(
    name: str | None, app: str | None, database: str | None, renames: Sequence[str], allow_destructive: bool, ask: bool | None
) -> None:
    """Write a migration from what differs between the files so far and the models.

    `pellucid migrate make add_stock`; the name is made from the changes where none is given.
    """
    if app is None and name is not None and ".py" in name:
        name, app = None, name
    place = _place(app, database)
    known = _renames(renames, place)
    if ask if ask is not None else sys.stdin.isatty():
        known, allow_destructive = settle(
            lambda known: files.unfiled(place.catalog, place.folder, place.database, known),
            known,
            allow_destructive,
            "this loses data; write it all the same?",
        )
    made = _try(
        lambda: files.make(place.catalog, place.folder, place.database, name, renames=known, allow_destructive=allow_destructive)
    )
    if made is None:
        click.echo("nothing to do: the migrations lead to the models")
        return
    file, steps = made
    for step in steps:
        click.echo(_line(step))
    click.echo(f"wrote {_short(file)}; read it, then `pellucid migrate apply`")


def _renames(texts: Sequence[str], place: Place) -> list[Rename]:
    return [_try(lambda text=text: files.parse_rename(text, place.catalog)) for text in texts]  # type: ignore[misc]


def settle(
    find: Callable[[list[Rename]], tuple[list[Step], list[Rename]]], known: list[Rename], allow_destructive: bool, question: str
) -> tuple[list[Rename], bool]:
    """Ask of each pair that looks like a rename whether it is one, then whether the losses that remain are meant.

    `find` gives the steps with the renames that are known so far, and what among them may be renames. Questions go to stderr.
    """
    refused: set[Rename] = set()
    while True:
        try:
            steps, maybe = find(known)
        except MigrationError as error:
            steps, maybe = [], list(error.renames)
        rename = next((rename for rename in maybe if rename not in refused), None)
        if rename is None:
            break
        what = "table" if rename.table is None else f"field of {rename.table}"
        if click.confirm(f"is the {what} {rename.old} now called {rename.new}?", default=False, err=True):
            known = [*known, rename]
        else:
            refused.add(rename)
    losses = [step for step in steps if step.destructive]
    if losses and not allow_destructive:
        for step in losses:
            click.echo(_line(step), err=True)
        allow_destructive = click.confirm(question, default=False, err=True)
    return known, allow_destructive


@migrate.command("apply")
@app_argument
@database_option
def apply_(app: str | None, database: str | None) -> None:
    """Run the migrations that this database has not had, all in one transaction."""
    place = _place(app, database)
    applied = _try(lambda: files.apply(place.catalog, place.folder, place.database))
    for name in applied.found:
        click.echo(f"{name}: noted, the database was there already")
    for name in applied.ran:
        click.echo(f"{name}: {style('applied', GREEN, wants_colour(sys.stdout))}")
    rest, _ = _try(lambda: files.unfiled(place.catalog, place.folder, place.database))
    if rest:
        lines = "\n".join(f"  {step.description}" for step in rest)
        raise Failed(f"the models have changes that no migration has:\n{lines}\nwrite one with `pellucid migrate make`")
    if not applied.ran and not applied.found:
        click.echo("nothing to do: every migration has been applied")


_COLOURS = {
    files.State.APPLIED: GREEN,
    files.State.PENDING: YELLOW,
    files.State.CHANGED: RED,
    files.State.MISSING: RED,
}


@migrate.command()
@app_argument
@database_option
@click.option("--check", is_flag=True, help="exit with 1 unless files, database and models agree")
def status(app: str | None, database: str | None, check: bool) -> None:
    """Show every migration, what differs, and what to do next."""
    place = _place(app, database)
    told = _try(lambda: files.status(place.catalog, place.folder, place.database))
    colour = wants_colour(sys.stdout)
    click.echo(f"models    {len(place.catalog.models)}, fingerprint {place.catalog.fingerprint[:12]}")
    click.echo(f"database  {_short(place.database)}{'' if place.database.exists() else ' (does not exist yet)'}")
    click.echo(f"files     {_short(place.folder)}{'' if told.entries else ' (none yet)'}")
    for entry in told.entries:
        moment = f"  {style(entry.applied, GREY, colour)}" if entry.applied else ""
        click.echo(f"  {entry.name:<40} {style(entry.state.value, _COLOURS[entry.state], colour)}{moment}")
    for title, steps in (("no file has these changes:", told.unfiled), ("the database lacks:", told.pending)):
        if steps:
            click.echo(title)
            for step in steps:
                click.echo(_line(step))
    if told.undecided:
        click.echo(f"no file has the changes of the models, and something must be decided first:\n{indent(told.undecided, '  ')}")
    advice = _next(told, made_by_dev=not told.entries and place.database.exists())
    click.echo(f"next: {advice}" if advice else style("models, files and database agree", GREEN, colour))
    if check and advice:
        raise Failed("files, database and models do not agree")


def _next(told: files.Status, *, made_by_dev: bool) -> str | None:
    """What to do now. A database that was `made_by_dev`, without any file, is brought up to the models by it too."""
    flags, if_so = "".join(f" --rename {rename}" for rename in told.renames), ""
    if flags:
        if_so = ", if it was renamed,"
    elif any(step.destructive for step in (*told.unfiled, *told.pending)):
        flags, if_so = " --allow-destructive", ", if the loss is meant,"
    states = {entry.state for entry in told.entries}
    if files.State.CHANGED in states:
        return "put the changed file back as it was applied, and make a new migration"
    if files.State.MISSING in states:
        return "bring the missing file back from version control"
    if told.unfiled or told.undecided:
        if made_by_dev and (told.pending or told.undecided):
            return f"`pellucid dev{flags}`{if_so} brings this database to the models; then `pellucid migrate make`"
        return f"`pellucid migrate make{flags}`{if_so or ','} or `pellucid dev{flags}` while you develop"
    if files.State.PENDING in states:
        return "`pellucid migrate apply`"
    if told.pending:
        return f"the database was changed by hand; `pellucid migrate sql` shows what it lacks, `pellucid dev{flags}` mends it"
    return None


@migrate.command()
@app_argument
@database_option
@click.option("--yes", is_flag=True, help="do not ask")
def back(app: str | None, database: str | None, yes: bool) -> None:
    """Take the latest change back."""
    place = _place(app, database)

    def latest() -> tuple[int, str, str]:
        with reading(place.database) as connection:
            return files.last_change(connection, {each.name: each for each in files.read_folder(place.folder)})

    _, name, reverse = _try(latest)
    click.echo(reverse.rstrip())
    if not yes and not click.confirm(f"take {name} back? What it added is lost"):
        raise Failed("nothing was changed")
    _try(lambda: files.back(place.catalog, place.folder, place.database))
    click.echo(f"{name}: taken back")


@migrate.command()
@app_argument
@database_option
@_options
def sql(app: str | None, database: str | None, renames: Sequence[str], allow_destructive: bool, ask: bool | None) -> None:  # noqa: ARG001
    """Print the SQL from the database to the models, and run nothing."""
    from pellucid.sql.migrate import pending

    place = _place(app, database)
    known = _renames(renames, place)
    steps = _try(lambda: pending(place.catalog, place.database, known))
    click.echo(script(steps).rstrip() if steps else "-- nothing to do: the database matches the models")


def print_steps(steps: Sequence[Step]) -> None:
    """Show what was done, for `pellucid dev`: the SQL, each step below a line that says what it does."""
    colour = wants_colour(sys.stderr)
    for step in steps:
        click.echo(style(f"-- {step.description}", GREY, colour), err=True)
        for statement in step.sql:
            click.echo(f"{statement};", err=True)


def _line(step: Step) -> str:
    mark = style("loses data", RED, wants_colour(sys.stdout))
    return f"  {step.description}{f' ({mark})' if step.destructive else ''}"


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _try(action: Callable[[], T]) -> T:
    try:
        return action()
    except MigrationError as error:
        raise Failed(str(error)) from None
