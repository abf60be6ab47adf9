"""A worker process: the user's app behind listening sockets, until it is told to stop.

In: the project, and the sockets that listen. Out: an exit code. `python -m pellucid.cli.worker` is what a supervisor starts, with
an `Order` as JSON; `pellucid run` with one worker calls `work` itself, without a second process.

The database is looked at before the first request is taken: `dev` brings it up to the models and shows the SQL, `run` refuses
one that does not match.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from pellucid import __version__
from pellucid.anatomy.recorder import Recorder
from pellucid.cli.line import BOLD, GREEN, GREY, style
from pellucid.cli.logs import AccessLog, configure, readable_traceback, wants_colour
from pellucid.cli.project import Failed, Project, find_project, import_app, migrations_folder
from pellucid.errors import Problem
from pellucid.http.messages import Observer, Request, Response
from pellucid.server.connection import Limits
from pellucid.server.listen import ListenError, address_of, inherited, tls_context
from pellucid.server.service import Sampling
from pellucid.server.worker import announce_ready, run, serve, stop_on_signals
from pellucid.settings import SETTINGS, Settings, shown
from pellucid.web.folder import FolderError
from pellucid.web.router import RouteError

if TYPE_CHECKING:
    from pellucid.app import App

__all__ = ["Changes", "Order", "command", "say_where", "short_path", "work"]

HOPELESS = 3
"""The exit code of a worker that would fail again in the same way: its app, its settings or its database must be mended first."""


class Changes(msgspec.Struct, frozen=True):
    """What may be done to bring a database up to the models: renames as they are typed, and whether data may be lost."""

    renames: tuple[str, ...] = ()
    allow_destructive: bool = False


class Order(msgspec.Struct, frozen=True):
    """What a worker process is told: the flags of `dev` or `run`, and a file that the first worker to be ready removes.

    So only that one prints where everything is; those of a reload say in a line that they are there.
    """

    flags: dict[str, str | bool]
    marker: str
    changes: Changes = Changes()


def command(order: Order) -> list[str]:
    """The command line of a worker process."""
    return [sys.executable, "-m", "pellucid.cli.worker", msgspec.json.encode(order).decode()]


def main() -> None:
    """The entry point of a worker process."""
    began = time.perf_counter()
    order = msgspec.json.decode(sys.argv[1], type=Order)
    try:
        flags: dict[str, object] = {**order.flags}
        app = flags.pop("app", None)
        project = find_project(app if isinstance(app, str) else None, flags)
        configure(project.settings)
        sockets = inherited()

        def announce(app: App) -> None:
            announce_ready()
            try:
                os.unlink(order.marker)
            except FileNotFoundError:
                if project.settings.mode == "dev":
                    click.echo(f"Ready again after {(time.perf_counter() - began) * 1000:.0f} ms", err=True)
            else:
                say_where(project, app, sockets, time.perf_counter() - began)

        # What was allowed was allowed for the change that waited when the command was typed, not for all to come.
        work(project, sockets, announce, order.changes if os.path.exists(order.marker) else Changes())
    except click.ClickException as error:
        error.show()
        sys.exit(HOPELESS)
    except (KeyboardInterrupt, click.Abort):  # while the app was imported, or a question was asked
        sys.exit(130)


def work(
    project: Project, sockets: Sequence[socket.socket], on_ready: Callable[[App], None], changes: Changes | None = None
) -> None:
    """Serve the project's app on these sockets until SIGTERM or SIGINT. Raises Failed where it cannot start."""
    app = import_app(project)
    _prepare_database(app, project, changes or Changes())
    _allow_descriptors(project.settings.connections + 64)
    try:
        run(_serve(app, project.settings, sockets, lambda: on_ready(app)))
    except (ListenError, Problem) as error:
        raise Failed(str(error)) from None
    except (FolderError, RouteError) as error:
        raise Failed(f"{short_path(str(project.file))} cannot be served: {error}") from None
    except Exception as error:
        told = readable_traceback(error, colour=wants_colour(sys.stderr))
        raise Failed(f"{short_path(str(project.file))} cannot be served\n{told}") from None


def say_where(project: Project, app: App, sockets: Sequence[socket.socket], took: float) -> None:
    """Say what one wants to know first: where the page, the API and its description are, and where the data is."""
    settings = project.settings
    address = settings.public_url or address_of(sockets[0], "https" if settings.tls_certificate else "http")
    address = address.rstrip("/")
    collections = [model.collection for model in app.catalog.models.values()]
    places = {
        "page": f"{address}/" if app.static is not None else "",
        "API": f"{address}/api/{collections[0]}" if collections else "",
        "described": f"{address}/openapi.json",
        "requests": f"{address}/_pellucid/requests" if settings.mode == "dev" and settings.anatomy == "on" else "",
        "database": short_path(shown(SETTINGS["database"], settings.database)),
    }
    places = {name: place for name, place in places.items() if place}
    if settings.log_format == "json":
        logging.getLogger("pellucid").info("ready", extra={**places, "ready_ms": round(took * 1000), "version": __version__})
        return
    colour = wants_colour(sys.stderr)
    head = f"{style(f'Pellucid {__version__}', BOLD, colour)} serves {short_path(str(project.file))}"
    lines = [f"{head} {style(f'(ready after {took * 1000:.0f} ms, Ctrl+C stops it)', GREY, colour)}"]
    for name, place in places.items():
        others = f" {style(' '.join(collections[1:]), GREY, colour)}" if name == "API" and collections[1:] else ""
        lines.append(f"  {style(f'{name:<10}', GREY, colour)}{place}{others}")
    click.echo("\n".join(lines) + "\n", err=True)


def short_path(path: str) -> str:
    """A path as one would type it here, where it is below the current folder."""
    short = os.path.relpath(path) if os.path.isabs(path) else path
    return path if short.startswith("..") else short


async def _serve(app: App, settings: Settings, sockets: Sequence[socket.socket], on_ready: Callable[[], None]) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    tls = tls_context(settings.tls_certificate, settings.tls_key) if settings.tls_certificate else None
    backend = app.backend(settings)
    warming: asyncio.Future[None] | None = None

    def ready() -> None:
        nonlocal warming
        on_ready()
        warming = asyncio.get_running_loop().run_in_executor(None, _warm_up)

    try:
        await backend.start()
        await serve(
            backend.handler,
            sockets,
            stop=stop,
            limits=_limits(settings),
            observer=_observer(settings, backend.recorder),
            sampling=_sampling(settings),
            tls=tls,
            grace=settings.grace,
            on_ready=ready,
        )
    finally:
        if warming is not None:
            await warming
        await backend.stop()


def _warm_up() -> None:
    """Import, beside the first requests, what building the first statement needs; then tell the collector that all this stays."""
    import pellucid.sql.read
    import pellucid.sql.write  # noqa: F401

    gc.collect()
    gc.freeze()
    # A request makes no circles, so looking for them after every 700 objects finds nothing, at a tenth of the time.
    gc.set_threshold(20_000, 20, 20)


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
        parting_timeout=0.0 if settings.mode == "dev" else Limits().parting_timeout,  # a reload need not wait for a browser
    )


def _observer(settings: Settings, recorder: Recorder | None) -> Observer | None:
    """Who is told of finished requests: the log in any case, since it tells of slow and failed ones."""
    if recorder is None:
        return AccessLog(settings)
    record, log = recorder.observe, AccessLog(settings)
    slow = 0 if settings.access_log else int(settings.slow_request_ms * 1e6)

    def both(request: Request, response: Response, finished: int) -> None:
        record(request, response, finished)
        # The log decides for itself, but most requests are not worth a second call.
        if response.status >= 500 or request.trace is None or finished - request.trace.started >= slow:
            log(request, response, finished)

    return both


def _sampling(settings: Settings) -> Sampling:
    """How many requests are seen through: all in `dev` and where all are logged, as many as `anatomy_rate` says in production."""
    slow = settings.slow_request_ms / 1000
    if settings.access_log or (settings.mode == "dev" and settings.anatomy == "on"):
        return Sampling(slow=slow)
    return Sampling(settings.anatomy_rate if settings.anatomy == "on" else 0, slow)


def _prepare_database(app: App, project: Project, changes: Changes) -> None:
    from pellucid.cli.data import database_file
    from pellucid.cli.migrate import print_steps, settle
    from pellucid.sql.migrate import MigrationError, planned, update
    from pellucid.sql.migration_files import parse_rename, require_applied

    file = database_file(project)
    try:
        if project.settings.mode == "run":
            require_applied(app.catalog, migrations_folder(project), file)
            return
        existed = file.exists()
        renames = [parse_rename(text, app.catalog) for text in changes.renames]
        allowed = changes.allow_destructive
        if sys.stdin.isatty() and sys.stderr.isatty():
            question = "this loses data; do it all the same?"
            renames, allowed = settle(lambda known: planned(app.catalog, file, known), renames, allowed, question)
        steps = update(app.catalog, file, renames=renames, allow_destructive=allowed)
    except MigrationError as error:
        raise Failed(str(error)) from None
    if steps:
        what = "brought up to the models" if existed else "made"
        click.echo(f"{style(short_path(str(file)), GREEN, wants_colour(sys.stderr))} was {what}:", err=True)
        print_steps(steps)


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
