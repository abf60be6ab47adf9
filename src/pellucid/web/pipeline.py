"""A whole request in one short function: find the endpoint, ask it, and turn whatever went wrong into an answer.

In: the compiled router and an ordered list of steps. Out: one `Handler` for the server. It knows no models and no
sockets.

A step is a function `(request, next) -> response` and its place in a list; steps are composed once, at start. An
endpoint may answer at once or later; the first costs neither a coroutine nor a task.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from pellucid.errors import INTERNAL, Problem
from pellucid.http.messages import Handler, Request, Response
from pellucid.web.router import Endpoint

__all__ = ["ErrorLog", "Finish", "Step", "compose", "problem_response"]

Step = Callable[[Request, Handler], "Response | Awaitable[Response]"]

ErrorLog = Callable[[Request, BaseException], None]
"""Told of every exception that is a bug, with the request that met it."""

PROBLEM = b"content-type: application/problem+json\r\ncache-control: no-store\r\n"


class Finder(Protocol):
    """What the pipeline needs of a router."""

    def find(self, method: str, path: str) -> tuple[Endpoint, tuple[str, ...]]: ...
    def resolve(self, request: Request) -> tuple[Endpoint, tuple[str, ...]]: ...


class Finish(Protocol):
    """The last station before the bytes: may compress a body; `least` is the size in bytes from which it wants to be
    asked.
    """

    least: int

    def __call__(self, request: Request, response: Response) -> Response: ...


def problem_response(problem: Problem, request: Request) -> Response:
    """A Problem as `application/problem+json` (RFC 9457), with the request's id as `trace_id`."""
    headers = problem.headers
    if problem.status == 401 and not any(name.lower() == "www-authenticate" for name, _ in headers):
        headers = (*headers, ("www-authenticate", 'Bearer realm="pellucid"'))  # RFC 9110, section 15.5.2: a 401 must name a way
    return Response(problem.status, problem.as_json(request.id), headers=list(headers), fixed=PROBLEM)


def compose(router: Finder, steps: Sequence[Step], finish: Finish, log_error: ErrorLog) -> Handler:
    """Compose router, steps and finish into one handler that never raises.

    The steps enclose the router in the order given: the first sees the request first and the response last. What goes
    wrong inside reaches a step as a response, so that every step sees every answer.
    """
    return _Pipeline(router, steps, finish, log_error).handle


class _Pipeline:
    """What `compose` makes, read from the bottom up: the request's way in, and its answer's way out."""

    __slots__ = ("_find", "_finish", "_inner", "_least", "_log_error", "_resolve")

    def __init__(self, router: Finder, steps: Sequence[Step], finish: Finish, log_error: ErrorLog) -> None:
        self._find = router.find
        self._resolve = router.resolve
        self._finish = finish
        self._least = finish.least
        self._log_error = log_error
        inner: Handler = self._guarded if steps else self._routed
        for step in reversed(steps):
            inner = _around(step, inner)
        self._inner = inner

    def _routed(self, request: Request) -> Response | Awaitable[Response]:
        plain = "%" not in request.target
        endpoint, values = self._find(request.method, request.path) if plain else self._resolve(request)
        if request.trace is not None:
            request.trace.mark("route")
        return endpoint(request, values)

    def _guarded(self, request: Request) -> Response | Awaitable[Response]:
        try:
            answer = self._routed(request)
        except Exception as error:
            return self._failed(request, error)
        return answer if isinstance(answer, Response) else self._settled(request, answer)

    async def _settled(self, request: Request, waiting: Awaitable[Response]) -> Response:
        try:
            return await waiting
        except Exception as error:
            return self._failed(request, error)

    def _failed(self, request: Request, error: Exception) -> Response:
        if isinstance(error, Problem):
            if error.status >= 500 and error.__cause__ is not None:
                self._log_error(request, error)
            station, problem = "refuse", error
        else:
            self._log_error(request, error)
            station, problem = "fail", Problem(INTERNAL, hint="the server's log has the details under this trace id")
        response = problem_response(problem, request)
        if request.trace is not None:
            request.trace.mark(station, f"{problem.code.id} {problem.code.slug}")
        return response

    def _finished(self, request: Request, response: Response) -> Response:
        body = response.body
        if not isinstance(body, bytes) or len(body) >= self._least:
            response = self._finish(request, response)
            if request.trace is not None:
                request.trace.mark("finish")
        return response

    async def _later(self, request: Request, waiting: Awaitable[Response]) -> Response:
        try:
            return self._finished(request, await waiting)
        except Exception as error:
            return self._failed(request, error)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer one request, at once where its endpoint does."""
        try:
            answer = self._inner(request)
            return self._finished(request, answer) if isinstance(answer, Response) else self._later(request, answer)
        except Exception as error:
            return self._failed(request, error)


def _around(step: Step, inner: Handler) -> Handler:
    def stepped(request: Request) -> Response | Awaitable[Response]:
        return step(request, inner)

    return stepped
