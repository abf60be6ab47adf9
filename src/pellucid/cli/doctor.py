"""`pellucid doctor`: what holds, where it was set, and what is wrong.

In: the project. Out: a report for people or as JSON, and exit code 1 where something must be mended. It changes nothing: the
database is opened read-only, and no server is started.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import click
import msgspec

from pellucid import __version__
from pellucid.cli.line import GREEN, GREY, RED, YELLOW, size_text, style
from pellucid.cli.logs import wants_colour
from pellucid.cli.project import Failed, Project, app_argument, find_project, import_app, migrations_folder, settings_options
from pellucid.errors import Problem
from pellucid.settings import GROUPS, SETTINGS, Settings, shown

if TYPE_CHECKING:
    from pellucid.schema.spec import Catalog

__all__ = ["Finding", "doctor"]

State = Literal["ok", "warning", "problem"]

_LEAST_DISK = 100 << 20
_CHECKED_SIZE = 2 << 30  # a quick check of more takes longer than one wants to wait


class Finding(NamedTuple):
    """What one check found."""

    check: str
    state: State
    message: str


@click.command(epilog="Example: `pellucid doctor shop.py`, or for a monitor `pellucid doctor --json`.")
@app_argument
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@settings_options
def doctor(app: str | None, as_json: bool, **flags: object) -> None:
    """Show every setting with its source, the versions in use, and what is wrong.

    The exit code is 1 where something must be mended, else 0.
    """
    project = find_project(app, {"mode": "run", **flags})
    findings = [finding for check in _CHECKS for finding in check(project)]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_told(project, findings)), indent=2).decode())
    else:
        _print(project, findings, colour=wants_colour(sys.stdout))
    if any(finding.state == "problem" for finding in findings):
        raise SystemExit(1)


def _told(project: Project, findings: list[Finding]) -> dict[str, object]:
    settings, sources = project.settings, project.loaded.sources
    return {
        "pellucid": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "app": f"{project.file}:{project.variable}",
        "packages": _versions(),
        "settings": {
            name: {
                "value": shown(setting, getattr(settings, name)) if setting.secret else getattr(settings, name),
                "source": sources[name].where,
            }
            for name, setting in SETTINGS.items()
        },
        "findings": [finding._asdict() for finding in findings],
    }


def _print(project: Project, findings: list[Finding], *, colour: bool) -> None:
    implementation = platform.python_implementation()
    click.echo(
        f"Pellucid {__version__} on {implementation} {platform.python_version()}, {platform.platform()}, {os.cpu_count()} cores"
    )
    click.echo(style(", ".join(f"{name} {version}" for name, version in _versions().items()), GREY, colour))
    values = {name: shown(setting, getattr(project.settings, name)) for name, setting in SETTINGS.items()}
    longest = min(max(len(value) for value in values.values()), 48)
    for group, names in GROUPS.items():
        click.echo(f"\n{group}")
        for name in names:
            source = project.loaded.sources[name]
            where = style(source.where, GREY if source.kind == "default" else GREEN, colour)
            click.echo(f"  {name:<22} {values[name]:<{longest}}  {where}")
    click.echo("\nChecks")
    marks = {"ok": style("✓", GREEN, colour), "warning": style("!", YELLOW, colour), "problem": style("✗", RED, colour)}
    for finding in findings:
        message = finding.message.replace("\n", "\n" + " " * 15)
        click.echo(f"  {marks[finding.state]} {finding.check:<10} {message}")


def _versions() -> dict[str, str]:
    """The versions of what Pellucid requires, and of SQLite itself."""
    found: dict[str, str] = {}
    for requirement in metadata.requires("pellucid") or []:
        name = requirement.split(";")[0].strip().split(">")[0].split("<")[0].split("=")[0].split("[")[0].strip()
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # a marker excludes it here
    return dict(sorted(found.items()))


# -- the checks --------------------------------------------------------------------------------------------------------


def _check_app(project: Project) -> Iterator[Finding]:
    try:
        app = import_app(project)
    except Failed as error:
        yield Finding("app", "problem", error.message)
        return
    yield Finding("app", "ok", f"{project.file} can be imported")
    file = _file(project.settings)
    if file is not None and file.exists():
        yield _check_schema(app.catalog, migrations_folder(project), file)


def _check_schema(catalog: Catalog, folder: Path, file: Path) -> Finding:
    from pellucid.sql.migrate import MigrationError
    from pellucid.sql.migration_files import require_applied

    try:
        require_applied(catalog, folder, file)
    except MigrationError as error:
        return Finding("schema", "problem", str(error))
    return Finding("schema", "ok", "the database matches the models")


def _check_sqlite(_: Project) -> Iterator[Finding]:
    import apsw

    missing = {"ENABLE_FTS5", "ENABLE_RTREE"} - set(apsw.compile_options)
    if tuple(map(int, apsw.sqlite_lib_version().split(".")[:2])) < (3, 37):
        yield Finding("SQLite", "problem", f"SQLite {apsw.sqlite_lib_version()} is older than 3.37, which has no STRICT tables")
    else:
        without = f", without {', '.join(sorted(missing))}" if missing else ""
        yield Finding("SQLite", "ok", f"SQLite {apsw.sqlite_lib_version()} by apsw {apsw.apsw_version()}{without}")


def _check_database(project: Project) -> Iterator[Finding]:
    file = _file(project.settings)
    if file is None:
        yield Finding("database", "ok", "not a file")
        return
    free = shutil.disk_usage(next(folder for folder in file.parents if folder.exists())).free
    state: State = "ok" if free > _LEAST_DISK else "problem"
    yield Finding("disk", state, f"{size_text(free)} free{'' if state == 'ok' else ': too little to write safely'}")
    if not file.exists():
        yield Finding("database", "warning", f"{file} does not exist yet; `pellucid dev` and `pellucid migrate` make it")
        return
    try:
        yield from _look_into(file)
    except Problem as problem:
        yield Finding("database", "problem", problem.message)


def _look_into(file: Path) -> Iterator[Finding]:
    from pellucid.db.sqlite_connection import SQLiteOptions, connect

    size = sum(part.stat().st_size for part in (file, Path(f"{file}-wal")) if part.exists())
    database = connect(file, "reader", SQLiteOptions(busy_timeout=2.0))
    try:
        mode = str(database.pragma("journal_mode"))
        yield Finding("database", "ok" if mode == "wal" else "warning", f"{file}, {size_text(size)}, journal mode {mode}")
        if size > _CHECKED_SIZE:
            yield Finding("integrity", "warning", f"not checked: {size_text(size)} take a while; run PRAGMA quick_check yourself")
            return
        said = [str(row[0]) for row in database.execute("PRAGMA quick_check(5)")]
        yield Finding("integrity", "ok" if said == ["ok"] else "problem", "\n".join(said))
        orphans = [str(row[0]) for row in database.execute('SELECT DISTINCT "table" FROM pragma_foreign_key_check LIMIT 5')]
        if orphans:
            yield Finding("references", "problem", f"rows point to nothing in {', '.join(orphans)}")
    finally:
        database.close(True)


def _check_listening(project: Project) -> Iterator[Finding]:
    settings = project.settings
    if settings.unix_socket is not None:
        folder = Path(settings.unix_socket).parent
        writable = os.access(folder, os.W_OK)
        yield Finding("socket", "ok" if writable else "problem", f"{folder} can{'' if writable else 'not'} be written")
        return
    try:
        kind, _, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0][:5]
        with socket.socket(kind, socket.SOCK_STREAM, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        yield Finding("port", "problem", f"{settings.host}:{settings.port} cannot be listened on: {error.strerror or error}")
    else:
        yield Finding("port", "ok", f"{settings.host}:{settings.port} is free")


def _check_tls(project: Project) -> Iterator[Finding]:
    settings = project.settings
    if settings.tls_certificate is None or settings.tls_key is None:
        return
    import ssl

    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        yield Finding("TLS", "problem", f"the certificate and key cannot be used: {error}")
    else:
        yield Finding("TLS", "ok", f"{settings.tls_certificate} fits its key")


def _check_descriptors(project: Project) -> Iterator[Finding]:
    try:
        import resource
    except ImportError:  # not a Unix
        return
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = project.settings.connections + 64
    if soft != resource.RLIM_INFINITY and soft < wanted:
        yield Finding(
            "files", "warning", f"{soft} open files are allowed, fewer than {wanted} for all connections: see `ulimit -n`"
        )
    else:
        yield Finding("files", "ok", "enough open files are allowed for all connections")


def _file(settings: Settings) -> Path | None:
    """The database's file, or None for a server or memory."""
    from pellucid.db.sqlite_connection import locate

    if "://" in settings.database and not settings.database.startswith("sqlite:"):
        return None
    return locate(settings.database)


_CHECKS: tuple[Callable[[Project], Iterator[Finding]], ...] = (
    _check_app, _check_sqlite, _check_database, _check_listening, _check_tls, _check_descriptors,
)  # fmt: skip
