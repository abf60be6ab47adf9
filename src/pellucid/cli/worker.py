"""A worker process: the user's app behind listening sockets, until it is told to stop.

In: the project, and the sockets that listen. Out: an exit code. `python -m pellucid.cli.worker` is what a supervisor starts, with
the flags of the command as JSON; `pellucid run` with one worker calls `work` itself, without a second process.

The database is looked at before the first request is taken: `dev` brings it up to the models and shows the SQL, `run` refuses
one that does not match.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from pellucid.anatomy.recorder import Recorder
from pellucid.cli.line import GREEN, GREY, style
from pellucid.cli.logs import AccessLog, configure, wants_colour
from pellucid.cli.project import Failed, Project, find_project, import_app
from pellucid.errors import Problem
from pellucid.http.messages import Observer, Request, Response
from pellucid.server.connection import Limits
from pellucid.server.listen import ListenError, inherited, tls_context
from pellucid.server.worker import announce_ready, run, serve, stop_on_signals
from pellucid.settings import Settings

if TYPE_CHECKING:
    from pellucid.app import App

__all__ = ["command", "work"]

HOPELESS = 3
"""The exit code of a worker that would fail again in the same way: its app, its settings or its database must be mended first."""


def command(project_flags: dict[str, object]) -> list[str]:
    """The command line of a worker process for these flags of `dev` or `run`."""
    return [sys.executable, "-m", "pellucid.cli.worker", msgspec.json.encode(project_flags).decode()]


def main() -> None:
    """The entry point of a worker process."""
    try:
        flags = msgspec.json.decode(sys.argv[1], type=dict[str, object])
        app = flags.pop("app", None)
        project = find_project(app if isinstance(app, str) else None, flags)
        configure(project.settings)
        work(project, inherited())
    except click.ClickException as error:
        error.show()
        sys.exit(HOPELESS)


def work(project: Project, sockets: Sequence[socket.socket], on_ready: Callable[[], None] = announce_ready) -> None:
    """Serve the project's app on these sockets until SIGTERM or SIGINT. Raises Failed where it cannot start."""
    app = import_app(project)
    _prepare_database(app, project)
    _allow_descriptors(project.settings.connections + 64)
    try:
        run(_serve(app, project.settings, sockets, on_ready))
    except (ListenError, Problem) as error:
        raise Failed(str(error)) from None


async def _serve(app: App, settings: Settings, sockets: Sequence[socket.socket], on_ready: Callable[[], None]) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    tls = tls_context(settings.tls_certificate, settings.tls_key) if settings.tls_certificate else None
    backend = app.backend(settings)
    try:
        await backend.start()
        # What is here now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        await serve(
            backend.handler,
            sockets,
            stop=stop,
            limits=_limits(settings),
            observer=_observer(settings, backend.recorder),
            tls=tls,
            grace=settings.grace,
            on_ready=on_ready,
        )
    finally:
        await backend.stop()


def _limits(settings: Settings) -> Limits:
    return Limits(
        request_line=settings.request_line_bytes,
        header_count=settings.header_count,
        header_bytes=settings.header_bytes,
        body_bytes=settings.max_body_bytes,
        header_timeout=settings.header_timeout,
        body_timeout=settings.body_timeout,
        keepalive_timeout=settings.keepalive_timeout,
        connections=settings.connections,
    )


def _observer(settings: Settings, recorder: Recorder | None) -> Observer | None:
    """Who is told of finished requests. With anatomy and access log off nobody is, and no request is timed."""
    if recorder is None:
        return AccessLog(settings) if settings.access_log else None
    record, log = recorder.observe, AccessLog(settings)

    def both(request: Request, response: Response, finished: int) -> None:
        record(request, response, finished)
        log(request, response, finished)

    return both


def _prepare_database(app: App, project: Project) -> None:
    from pellucid.cli.data import database_file
    from pellucid.sql.migrate import MigrationError, require_match, update

    file = database_file(project)
    try:
        if project.settings.mode == "run":
            require_match(app.catalog, file)
            return
        existed = file.exists()
        steps = update(app.catalog, file)
    except MigrationError as error:
        raise Failed(str(error)) from None
    if steps:
        colour = wants_colour(sys.stderr)
        what = "brought up to the models" if existed else "made"
        lines = [f"{style(file.name, GREEN, colour)} {what}:"]
        for step in steps:
            lines.append(f"  {step.description}")
            sql = "".join(f"{statement};\n" for statement in step.sql)
            lines += [style(f"    {line}", GREY, colour) for line in sql.splitlines()]
        click.echo("\n".join(lines), err=True)


def _allow_descriptors(wanted: int) -> None:
    """Raise the limit of open files as far as that is allowed: every connection is one."""
    try:
        import resource  # not on every platform
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


if __name__ == "__main__":
    main()
