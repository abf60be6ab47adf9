"""The composition root: models, endpoints and settings become a backend. Steps, routes and databases are listed here, in order.

In: what the user's file declares. Out: `App`, which is also an ASGI application, and `Backend`, a running one. Everything below is
put together here and nowhere else; nothing below imports this file.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pellucid.anatomy.recorder import Recorder
from pellucid.api.call import Call
from pellucid.api.data import Data, Trusted
from pellucid.api.hooks import Action, Hook, Hooks, Phase
from pellucid.api.inside import Anatomy, inside_routes
from pellucid.api.openapi import document
from pellucid.api.rest import rest_routes
from pellucid.db.database import Database
from pellucid.db.sqlite import SQLite, SQLiteOptions
from pellucid.errors import DATABASE_UNAVAILABLE, Problem
from pellucid.http.messages import Request
from pellucid.resource.resource import Resources
from pellucid.schema.catalog import catalog
from pellucid.schema.model import Model
from pellucid.schema.rules import NOBODY, Actor
from pellucid.settings import Settings, load
from pellucid.web.asgi import Receive, Scope, Send, serve_http, serve_lifespan
from pellucid.web.compress import Compress
from pellucid.web.cors import Cors
from pellucid.web.endpoint import EndpointSpec, compile_endpoint
from pellucid.web.pipeline import Step, compose
from pellucid.web.router import Route, Router
from pellucid.web.static import Static
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
    """A backend as its file declares it: models, endpoints, pages, steps. It holds no sockets and no database until it is started.

    `static` and `templates` are folders beside the file that makes the App. `steps` are functions `(request, next) -> response` around every
    request, the first outermost. The App is an ASGI 3 application as well; under `pellucid run` it is served by Pellucid's own server.
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
        self._endpoints: list[_Declared] = []
        self._starting: list[Callable[[Data], Awaitable[None]]] = []
        self._stopping: list[Callable[[Data], Awaitable[None]]] = []
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
            self._endpoints.append(_Declared(method, pattern, function, options))
            return function

        return declare

    def before(self, model: type[Model], *actions: Action) -> Callable[[Hook], Hook]:
        """Run `async def hook(row, call)` before rows of `model` are written, in the same transaction; what it changes on `row` is written."""
        return self.hooks.declare("before", self.catalog, model, actions)

    def after(self, model: type[Model], *actions: Action) -> Callable[[Hook], Hook]:
        """Run `async def hook(row, call)` after rows of `model` were written, in the same transaction; an exception takes the write back."""
        return self.hooks.declare("after", self.catalog, model, actions)

    def on_start(self, function: Callable[[Data], Awaitable[None]]) -> Callable[[Data], Awaitable[None]]:
        """Run `async def function(data)` in each worker before it takes requests."""
        self._starting.append(function)
        return function

    def on_stop(self, function: Callable[[Data], Awaitable[None]]) -> Callable[[Data], Awaitable[None]]:
        """Run `async def function(data)` in each worker after its last request."""
        self._stopping.append(function)
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
    """A running App: `handler` and `observer` are for the server, `start` and `stop` around them."""

    def __init__(self, app: App, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.database: Database | None = None
        self.recorder = Recorder(settings.anatomy_keep, explain=self._explain) if settings.anatomy == "on" else None
        self.handler: Any = _not_started
        self.routes: tuple[Route, ...] = ()
        self._data: Data | None = None
        self._threads: Threads | None = None

    @property
    def observer(self) -> Recorder | None:
        """What is told of each finished request; None where nobody watches."""
        return self.recorder
