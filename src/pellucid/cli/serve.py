"""`pellucid dev` and `pellucid run`: sockets first, then who answers on them.

In: the project. Out: a server, until it is stopped. The sockets are made here, before any user code runs, so that an address
that is taken is said at once, and a reload never closes them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from pellucid.cli.logs import configure
from pellucid.cli.project import Asked, Project, app_argument, find_project, settings_options
from pellucid.server.listen import ListenError, listen, listen_unix
from pellucid.settings import Settings

__all__ = ["dev", "run"]

_RELOADS = (".py", ".env", "pyproject.toml")
"""Names that end so are the app's own; pages and templates are read anew for each request anyway."""


@click.command(epilog="Example: `pellucid dev shop.py --port 9000`. Every setting is a flag; `pellucid doctor` lists them.")
@app_argument
@click.option("--rename", "renames", multiple=True, metavar="OLD=NEW", help="A table, or TABLE.OLD=NEW for a field.")
@click.option("--allow-destructive", is_flag=True, help="Let a change of the models take data with it.")
@settings_options
def dev(app: str | None, renames: tuple[str, ...], allow_destructive: bool, **flags: object) -> None:
    """Serve APP for its developer: reload on change, every request seen.

    The database is brought up to the models, and the SQL that does it is shown. What looks like a rename, and what would lose
    data, is asked for at a terminal and refused elsewhere; --rename and --allow-destructive say so beforehand, for the change
    that waits when `dev` is started. APP is a file, shop.py, or a file and a variable, shop.py:app; without it, what
    pyproject.toml says, else app.py.
    """
    flags = {"mode": "dev", **flags}
    project = find_project(app, flags)
    configure(project.settings)
    _supervise(project, flags, watch=[project.file.parent], renames=renames, allow_destructive=allow_destructive)


@click.command(epilog="Example: `pellucid run shop.py --host 0.0.0.0 --workers 4`. Every setting is a flag; `doctor` lists them.")
@app_argument
@settings_options
def run(app: str | None, **flags: object) -> None:
    """Serve APP in production.

    The database must match the models: `pellucid migrate` brings it there. SIGTERM ends it gracefully: what is under way is
    answered, within the setting `grace`. With several workers a dead one is replaced, and SIGHUP exchanges all of them one by
    one without losing a request; a single one is this process itself.
    """
    flags = {"mode": "run", **flags}
    project = find_project(app, flags)
    configure(project.settings)
    if (project.settings.workers or _cores()) > 1:
        _supervise(project, flags)
    else:
        _alone(project)


def _supervise(
    project: Project,
    flags: Mapping[str, object],
    *,
    watch: Sequence[Path] = (),
    renames: tuple[str, ...] = (),
    allow_destructive: bool = False,
) -> None:
    """Serve with worker processes below a supervisor; in development that is one, which is exchanged when a file changes."""
    from pellucid.cli.worker import Changes, Order, command  # late: needed only once the settings are known to be right
    from pellucid.server.supervisor import Supervisor

    settings = project.settings
    sockets = _listen(settings)
    given = {name: value if isinstance(value, bool) else str(value) for name, value in flags.items() if value is not None}
    descriptor, marker = tempfile.mkstemp(prefix="pellucid-")
    os.close(descriptor)
    order = Order({**given, "app": f"{project.file}:{project.variable}"}, marker, Changes(renames, allow_destructive))
    try:
        supervisor = Supervisor(
            command(order),
            sockets,
            workers=1 if settings.mode == "dev" else settings.workers or _cores(),
            grace=settings.grace,
            watch=watch,
            suffixes=_RELOADS,
        )
        status = asyncio.run(supervisor.run())
    finally:
        Path(marker).unlink(missing_ok=True)
        _tidy(settings)
    if status:
        raise SystemExit(1)


def _alone(project: Project) -> None:
    """Serve in this process: nothing stands between it and whoever started it."""
    from pellucid.cli.worker import say_where, work

    began = time.perf_counter()
    sockets = _listen(project.settings)
    try:
        work(project, sockets, lambda app: say_where(project, app, sockets, time.perf_counter() - began))
    finally:
        for listening in sockets:
            listening.close()
        _tidy(project.settings)


def _listen(settings: Settings) -> list[socket.socket]:
    try:
        if settings.unix_socket is not None:
            return [listen_unix(settings.unix_socket)]
        return listen(settings.host, settings.port)
    except ListenError as error:
        raise Asked(str(error)) from None


def _tidy(settings: Settings) -> None:
    if settings.unix_socket is not None:
        Path(settings.unix_socket).unlink(missing_ok=True)
    if sys.stderr.isatty():
        click.echo(err=True)  # or the shell's prompt would stand behind the ^C


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
