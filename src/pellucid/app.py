"""The composition root: models, endpoints and settings become a backend. Steps, routes and databases are listed here,
in order.

In: what the user's file declares. Out: `App`, which is also an ASGI application, and `Backend`, a running one.
Everything below is put together here and nowhere else; nothing below imports this file.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pellucid.anatomy.recorder import Recorder, is_quiet, server_timing
from pellucid.api.call import Call
from pellucid.api.data import Data, Trusted, encode_value
from pellucid.api.hooks import Action, Hook, Hooks
from pellucid.api.idempotency import Idempotency
from pellucid.api.inside import Allows, Anatomy, anatomy_link, inside_routes, token_check
from pellucid.api.rest_routes import rest_routes
from pellucid.db.database import Database
from pellucid.db.sqlite import SQLite
from pellucid.db.sqlite_connection import SQLiteOptions
from pellucid.errors import DATABASE_UNAVAILABLE, Problem
from pellucid.http.messages import Handler, Observer, Request, Response
from pellucid.resource.resource import Resources
from pellucid.schema.catalog import catalog
from pellucid.schema.model import Model
from pellucid.schema.rules import NOBODY, Actor
from pellucid.settings import Settings, load
from pellucid.web.asgi import Receive, Scope, Send, serve_http, serve_lifespan
from pellucid.web.compress import Compress
from pellucid.web.cors import Cors, CorsStep
from pellucid.web.endpoint import EndpointSpec, compile_endpoint
from pellucid.web.pipeline import Step, compose
from pellucid.web.router import Route, Router
from pellucid.web.static import StaticFiles
from pellucid.web.templates import Templates
from pellucid.web.threads import Threads

__all__ = ["App", "Backend"]

F = TypeVar("F", bound=Callable[..., Any])
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
_log = logging.getLogger("pellucid")


class _Declared:
    """One endpoint as its decorator saw it."""

    __slots__ = ("function", "method", "options", "pattern")

    def __init__(self, method: str, pattern: str, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self.method = method
        self.pattern = pattern
        self.function = function
        self.options = options


class App:
    """A backend as its file declares it: models, endpoints, pages, steps. It holds no sockets and no database until it
    is started.

    `static` and `templates` are folders beside the file that makes the App. `steps` are functions `(request, next) ->
    response` around every request, the first outermost. The App is an ASGI 3 application as well; under `pellucid run`
    it is served by Pellucid's own server.
    """

    def __init__(
        self,
        *,
        models: Sequence[type[Model]] = (),
        static: str | os.PathLike[str] | None = None,
        templates: str | os.PathLike[str] | None = None,
        title: str | None = None,
        version: str = "1.0.0",
        description: str | None = None,
        steps: Sequence[Step] = (),
    ) -> None:
        caller = sys._getframe(1).f_globals.get("__file__")
        self.folder = Path(caller).resolve().parent if caller else Path.cwd()
        self.file = Path(caller).resolve() if caller else None
        self.catalog = catalog(models)
        self.title = title or (self.file.stem if self.file and self.file.stem != "app" else self.folder.name)
        self.version = version
        self.description = description
        self.static = None if static is None else self.folder / static
        self.templates = None if templates is None else self.folder / templates
        self.steps = tuple(steps)
        self.hooks = Hooks()
        self.declared: list[_Declared] = []
        self.starting: list[Callable[[Data], Awaitable[None]]] = []
        self.stopping: list[Callable[[Data], Awaitable[None]]] = []
        self._asgi: Backend | None = None

    # Declaring

    def get(self, pattern: str, **options: Any) -> Callable[[F], F]:
        """Answer GET (and HEAD) at `pattern` with this function; see docs/endpoints.md for what it may take and return."""
        return self._endpoint("GET", pattern, options)

    def post(self, pattern: str, **options: Any) -> Callable[[F], F]:
        """Answer POST at `pattern` with this function."""
        return self._endpoint("POST", pattern, options)

    def put(self, pattern: str, **options: Any) -> Callable[[F], F]:
        """Answer PUT at `pattern` with this function."""
        return self._endpoint("PUT", pattern, options)

    def patch(self, pattern: str, **options: Any) -> Callable[[F], F]:
        """Answer PATCH at `pattern` with this function."""
        return self._endpoint("PATCH", pattern, options)

    def delete(self, pattern: str, **options: Any) -> Callable[[F], F]:
        """Answer DELETE at `pattern` with this function."""
        return self._endpoint("DELETE", pattern, options)

    def _endpoint(self, method: Method, pattern: str, options: dict[str, Any]) -> Callable[[F], F]:
        def declare(function: F) -> F:
            self.declared.append(_Declared(method, pattern, function, options))
            return function

        return declare

    def before(self, model: type[Model], *actions: Action) -> Callable[[Hook], Hook]:
        """Run `async def hook(row, call)` before rows of `model` are written, in the same transaction; what it changes
        on `row` is written.
        """
        return self.hooks.declare("before", self.catalog, model, actions)

    def after(self, model: type[Model], *actions: Action) -> Callable[[Hook], Hook]:
        """Run `async def hook(row, call)` after rows of `model` were written, in the same transaction; an exception
        takes the write back.
        """
        return self.hooks.declare("after", self.catalog, model, actions)

    def on_start(self, function: Callable[[Data], Awaitable[None]]) -> Callable[[Data], Awaitable[None]]:
        """Run `async def function(data)` in each worker before it takes requests."""
        self.starting.append(function)
        return function

    def on_stop(self, function: Callable[[Data], Awaitable[None]]) -> Callable[[Data], Awaitable[None]]:
        """Run `async def function(data)` in each worker after its last request."""
        self.stopping.append(function)
        return function

    # Running

    def backend(self, settings: Settings) -> Backend:
        """A backend with these settings, not started yet."""
        return Backend(self, settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI 3 interface: HTTP and lifespan, with the settings of the environment."""
        if self._asgi is None:
            self._asgi = Backend(self, load({}, app_file=self.file, environ=os.environ).settings)
        backend = self._asgi
        if scope["type"] == "lifespan":
            await serve_lifespan(backend.start, backend.stop, receive, send)
            return
        if scope["type"] != "http":
            raise NotImplementedError(f"Pellucid answers HTTP, not {scope['type']}")
        await backend.start()
        await serve_http(backend.handler, scope, receive, send, most=backend.settings.max_body_bytes)


class Backend:
    """An App with its settings: `handler` and `observer` are for the server, `start` and `stop` go around them."""

    def __init__(self, app: App, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.database: Database | None = None
        self.recorder = Recorder(settings.anatomy_keep, explain=self._explain) if settings.anatomy == "on" else None
        self.handler: Handler = _not_started
        self.routes: tuple[Route, ...] = ()
        self.endpoints: tuple[EndpointSpec, ...] = ()
        self._once = Idempotency(settings.idempotency_hours)
        self._data: Data | None = None
        self._threads: Threads | None = None

    @property
    def observer(self) -> Observer | None:
        """What is told of each finished request; None where nobody watches."""
        return self.recorder

    async def start(self) -> None:
        """Open the database and put everything together; a second call does nothing. Raises DATABASE_UNAVAILABLE,
        RouteError.
        """
        if self.database is not None:
            return
        database = await open_database(self.settings)
        self.database = database
        await self._once.prepare(database)
        trusted = Trusted(self.app.catalog, database)
        self._data = Data(trusted, database, self.app.hooks)
        self.handler = self._compose(database, trusted)
        for function in self.app.starting:
            await function(self._data)

    async def stop(self) -> None:
        """Run what the App wants run at the end, then close the database: every acknowledged write is on disk already."""
        if self.database is None or self._data is None:
            return
        for function in self.app.stopping:
            await function(self._data)
        database, self.database = self.database, None
        self.handler = _not_started
        if self._threads is not None:
            self._threads.close()
        await database.close()

    def _compose(self, database: Database, trusted: Trusted) -> Handler:
        """The order in which a request meets things is written down here."""
        app, settings = self.app, self.settings
        resources = Resources(app.catalog, database, settings.max_rows)
        make_call = call_maker(trusted, database, app.hooks)
        anatomy = self._anatomy()
        routes = [
            *rest_routes(
                resources, database, who=nobody_yet, hooks=app.hooks, trusted=trusted, make_call=make_call, once=self._once
            ),
            *self._user_routes(make_call),
            *inside_routes(database.ready, self._describe, anatomy),
        ]
        files = None if app.static is None else StaticFiles(app.static, dev=settings.mode == "dev")
        router = Router(routes, fallback=files, hints=settings.mode == "dev")
        self.routes = router.routes()
        steps: list[Step] = []
        if anatomy is not None:
            steps.append(show_timing if anatomy.allows is None else show_timing_to(anatomy.allows))
        if settings.cors_origins:
            steps.append(CorsStep(Cors(settings.cors_origins)))
        steps.extend(app.steps)
        return compose(router, steps, Compress(least=settings.compress_min_bytes), log_error)

    def _user_routes(self, make_call: Callable[[Request], Call]) -> list[Route]:
        settings = self.settings
        self._threads = threads = Threads(settings.threads)
        templates = None if self.app.templates is None else Templates(self.app.templates, reload=settings.mode == "dev")
        routes: list[Route] = []
        specs: list[EndpointSpec] = []
        for declared in self.app.declared:
            endpoint, spec = compile_endpoint(
                declared.function,
                declared.method,
                declared.pattern,
                call_type=Call,
                make_call=make_call,
                threads=threads,
                templates=templates,
                encode=encode_value,
                **declared.options,
            )
            routes.append(Route(declared.method, declared.pattern, endpoint, spec.name))
            specs.append(spec)
        self.endpoints = tuple(specs)
        return routes

    def _describe(self) -> bytes:
        # Written once, when first asked for; its import would slow down every start.
        from pellucid.api.openapi import openapi_document

        return openapi_document(
            self.app.catalog, self.endpoints, title=self.app.title, version=self.app.version, description=self.app.description
        )

    def _anatomy(self) -> Anatomy | None:
        """Who may look: under `dev` anybody who can reach the server, which listens on this machine only; in production
        those who have the token, if there is one.
        """
        token = self.settings.anatomy_token
        if self.recorder is None or (self.settings.mode != "dev" and token is None):
            return None
        allows = None if self.settings.mode == "dev" or token is None else token_check(token)
        return Anatomy(self.recorder.recent, self.recorder.find, allows)

    async def _explain(self, text: str) -> list[str]:
        return [] if self.database is None else await self.database.explain(text)


async def open_database(settings: Settings) -> Database:
    """The engine that the setting `database` names: one row per URL scheme. Raises DATABASE_UNAVAILABLE."""
    scheme, separator, _ = settings.database.partition("://")
    if separator and scheme != "sqlite":
        raise Problem(DATABASE_UNAVAILABLE, f"there is no engine for {scheme}://", hint="sqlite:///file.db, or a plain path")
    options = SQLiteOptions(
        busy_timeout=settings.busy_timeout,
        statement_timeout=settings.statement_timeout,
        inline_budget=settings.inline_read_budget_ms / 1000,
        readers=settings.readers,
        write_queue=settings.write_queue,
    )
    return await SQLite.open(settings.database, options)


def call_maker(trusted: Trusted, database: Database, hooks: Hooks) -> Callable[[Request], Call]:
    """What makes the Call of a request."""

    def make_call(request: Request) -> Call:
        return Call(request, Data(trusted, database, hooks, request.trace), nobody_yet(request))

    return make_call


def nobody_yet(_: Request) -> Actor:
    """Who asks. There are no accounts yet, so nobody does: only rules that let anyone in say yes."""
    return NOBODY


def show_timing(request: Request, next: Handler) -> Response | Awaitable[Response]:
    """Add `Server-Timing` to every answer, for the browser's network panel, and a link to all that happened."""
    answer = next(request)
    if isinstance(answer, Response):
        return _timed(request, answer)
    return _timed_later(request, answer)


def show_timing_to(allows: Allows) -> Step:
    """The same for those who may see; a cache in between must not show it to others."""

    async def later(request: Request, waiting: Awaitable[Response]) -> Response:
        return shown(request, await waiting)

    def shown(request: Request, response: Response) -> Response:
        response.headers.append(("vary", "Pellucid-Token"))
        return _timed(request, response)

    def show_timing_to_some(request: Request, next: Handler) -> Response | Awaitable[Response]:
        answer = next(request)
        if not allows(request):
            return answer
        return shown(request, answer) if isinstance(answer, Response) else later(request, answer)

    return show_timing_to_some


async def _timed_later(request: Request, waiting: Awaitable[Response]) -> Response:
    return _timed(request, await waiting)


def _timed(request: Request, response: Response) -> Response:
    if request.trace is not None:
        response.headers.append(("server-timing", server_timing(request.trace, request.id[16:])))
        if not is_quiet(request.path):
            response.headers.append(anatomy_link(request.id))
    return response


def log_error(request: Request, error: BaseException) -> None:
    """Log an exception that is a bug, with the id that its answer carries."""
    _log.error("%s %s failed: %r", request.method, request.path, error, exc_info=error, extra={"request_id": request.id})


def _not_started(_: Request) -> Response:
    raise RuntimeError("the backend has not been started")
