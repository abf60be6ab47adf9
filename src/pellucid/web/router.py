"""Which endpoint answers a path: patterns compiled once at start, looked up per request.

In: routes (method, pattern, endpoint) and one request. Out: the endpoint with the values of its parameters, or a `Problem` (404,
405 with `Allow`). It never calls an endpoint, never reads a body and knows no models.

Patterns: `/a/{name}/b` (one segment, never empty), `/a/{name:int}` (a whole number), `/a/{rest:path}` (all that is
left, last place only). What is written out beats a number, a number beats any text, any text beats the rest; the order
of declaration never matters.

Three ways, fastest first: a path without parameters is one dict lookup; `prefix/{x}` is one rpartition and one dict
lookup; everything else walks a tree with one node per segment. The walk visits a node at most once, so its cost is
bounded by the tree, whatever is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from difflib import get_close_matches
from urllib.parse import unquote

import msgspec

from pellucid.errors import METHOD_NOT_ALLOWED, NOT_FOUND, Problem
from pellucid.http.messages import Request, Response

__all__ = ["Endpoint", "Found", "Route", "RouteError", "Router", "parameters"]

Endpoint = Callable[[Request, tuple[str, ...]], "Response | Awaitable[Response]"]
"""Answers one route: the request, and the values of the pattern's parameters in order, decoded, as text."""

Found = tuple[Endpoint, tuple[str, ...]]

_Match = tuple[dict[str, "Route"], tuple[str, ...]]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""The order in which `Allow` names them."""


class RouteError(ValueError):
    """A route that cannot be: raised while the application starts, never while it serves."""


class Route(msgspec.Struct, frozen=True):
    """One route as declared. `name` says in messages and in `pellucid routes` what answers there."""

    method: str
    pattern: str
    endpoint: Endpoint
    name: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.pattern}" + (f" ({self.name})" if self.name else "")


class _Part(msgspec.Struct, frozen=True):
    """One segment of a pattern: `kind` is "text" (then `name` is the segment itself), "str", "int" or "path"."""

    kind: str
    name: str


class _Node:
    """A place in the tree: the ways on by segment, and what answers when the path ends here (`routes`) or goes on (`rest`)."""

    __slots__ = ("any", "number", "rest", "routes", "text")

    def __init__(self) -> None:
        self.text: dict[str, _Node] = {}
        self.number: _Node | None = None
        self.any: _Node | None = None
        self.routes: dict[str, Route] = {}
        self.rest: dict[str, Route] = {}


class Router:
    """All routes of an application, compiled.

    `fallback` answers what no pattern fits (static files); it gets the decoded path as its one value, for every
    method, and raises NOT_FOUND where it has nothing. `hints` adds near paths to a 404: for `dev`, since it tells
    strangers what exists.
    Raises RouteError for a malformed pattern and for two routes with the same method and shape.
    """

    def __init__(self, routes: Iterable[Route], *, fallback: Endpoint | None = None, hints: bool = False) -> None:
        self._routes = tuple(routes)
        self._fallback = fallback
        self._hints = hints
        self._root = _Node()
        self._plain: dict[str, dict[str, Found]] = {}
        self._single: dict[str, dict[str, Endpoint]] = {}
        for route in self._routes:
            self._add(route)
        _head_follows_get(self._root)
        self._lay_shortcuts()

    def routes(self) -> tuple[Route, ...]:
        """Every route as declared, in order."""
        return self._routes

    def resolve(self, request: Request) -> Found:
        """The endpoint for a request; `%2F` in its target stays inside its segment. Raises NOT_FOUND, METHOD_NOT_ALLOWED."""
        target = request.target
        if "%" in target:
            path = target.partition("?")[0]
            if "%2F" in path or "%2f" in path:
                return self._walk(request.method, request.path, [unquote(part) for part in path.split("/")][1:])
        return self.find(request.method, request.path)

    def find(self, method: str, path: str) -> Found:
        """The endpoint for a method and a decoded path, with the parameters' values. Raises NOT_FOUND, METHOD_NOT_ALLOWED."""
        plain = self._plain.get(path)
        if plain is not None:
            found = plain.get(method)
            if found is not None:
                return found
        prefix, _, last = path.rpartition("/")
        single = self._single.get(prefix)
        if single is not None and last:
            endpoint = single.get(method)
            if endpoint is not None:
                return endpoint, (last,)
        return self._walk(method, path, path.split("/")[1:])

    def missing(self, path: str) -> Problem:
        """The 404 for a path, with near ones in its hint where hints are on."""
        return Problem(NOT_FOUND, f"there is nothing at {path[:200]!r}", hint=self._near(path) if self._hints else None)

    def _walk(self, method: str, path: str, segments: list[str]) -> Found:
        allowed: dict[str, None] = {}
        for routes, values in _matches(self._root, segments, 0, ()):
            route = routes.get(method)
            if route is not None:
                return route.endpoint, values
            allowed.update(dict.fromkeys(routes))
        if allowed:
            return self._refuse(method, path, allowed)
        if path == "*" and method == "OPTIONS":
            return _options(_METHODS), ()
        other = segments[:-1] if segments and not segments[-1] else [*segments, ""]
        if segments and any(method in routes or method == "OPTIONS" for routes, _ in _matches(self._root, other, 0, ())):
            return _redirect, ()
        if self._fallback is not None:
            return self._fall_back, (path,)
        raise self.missing(path)

    def _refuse(self, method: str, path: str, allowed: Iterable[str]) -> Found:
        """The path exists, the method does not: OPTIONS is answered by us, everything else is a 405."""
        names = {*allowed, "OPTIONS"}
        ordered = [*(name for name in _METHODS if name in names), *sorted(names.difference(_METHODS))]
        if method == "OPTIONS":
            return _options(ordered), ()
        raise Problem(
            METHOD_NOT_ALLOWED,
            f"{method} is not offered at {path[:200]!r}",
            hint=f"use {', '.join(ordered)}",
            headers=[("allow", ", ".join(ordered))],
        )

    def _fall_back(self, request: Request, values: tuple[str, ...]) -> Response | Awaitable[Response]:
        assert self._fallback is not None
        try:
            return self._fallback(request, values)
        except Problem as problem:
            if problem.code is NOT_FOUND:
                raise self.missing(values[0]) from None
            raise

    def _add(self, route: Route) -> None:
        node = self._root
        parts = _parse(route)
        for part in parts:
            match part.kind:
                case "text":
                    node = node.text.setdefault(part.name, _Node())
                case "int":
                    node.number = node = node.number or _Node()
                case "str":
                    node.any = node = node.any or _Node()
        slot = node.rest if parts[-1].kind == "path" else node.routes
        other = slot.setdefault(route.method, route)
        if other is not route:
            raise RouteError(f"two routes answer the same requests: {other} and {route}; change the method or the path of one")

    def _lay_shortcuts(self) -> None:
        """Enter what the two fast ways may answer: only routes that nothing more specific could ever beat."""
        for path, node in _texts(self._root, ""):
            if node.routes:
                self._plain[path] = {method: (route.endpoint, ()) for method, route in node.routes.items()}
            if node.any is not None and node.number is None and node.any.routes:
                self._single[path] = {method: route.endpoint for method, route in node.any.routes.items()}

    def _near(self, path: str) -> str | None:
        asked = path.split("/")
        shapes: dict[str, str] = {}
        for route in self._routes:
            parts = route.pattern.split("/")
            # A parameter fits anything, so it is compared as if it were what was asked for.
            filled = [asked[i] if part.startswith("{") and i < len(asked) else part for i, part in enumerate(parts)]
            shapes.setdefault("/".join(filled), route.pattern)
        close = get_close_matches(path, shapes, n=3, cutoff=0.7)
        return f"did you mean {' or '.join(shapes[shape] for shape in close)}?" if close else None


def parameters(pattern: str) -> tuple[str, ...]:
    """The names of a pattern's parameters, in order. Raises RouteError where the pattern is malformed."""
    parts = _parse(Route("GET", pattern, _redirect))
    return tuple(part.name for part in parts if part.kind != "text")


def _parse(route: Route) -> list[_Part]:
    if not route.pattern.startswith("/"):
        raise RouteError(f"{route}: a path begins with a slash: {'/' + route.pattern!r}")
    parts = [_part(route, segment) for segment in route.pattern[1:].split("/")]
    names = [part.name for part in parts if part.kind != "text"]
    if len(set(names)) < len(names):
        raise RouteError(f"{route}: a parameter's name stands in the path twice")
    if any(part.kind == "path" for part in parts[:-1]):
        raise RouteError(f"{route}: a {{…:path}} parameter takes all that is left, so it must be the last one")
    return parts


def _part(route: Route, segment: str) -> _Part:
    if "{" not in segment and "}" not in segment:
        return _Part("text", segment)
    name, _, kind = segment[1:-1].partition(":")
    if not (segment[0] == "{" and segment[-1] == "}" and name.isidentifier()):
        raise RouteError(f"{route}: {segment!r} is not a parameter, which is a whole segment such as {{name}} or {{name:int}}")
    if kind not in ("", "str", "int", "path"):
        raise RouteError(f"{route}: {segment!r} has an unknown kind {kind!r}; there is str, int and path")
    return _Part(kind or "str", name)


def _matches(node: _Node, segments: list[str], at: int, values: tuple[str, ...]) -> Iterator[_Match]:
    """Every pattern that fits the segments from `at` on, most specific first."""
    if at == len(segments):
        if node.routes:
            yield node.routes, values
        return
    segment = segments[at]
    following = node.text.get(segment)
    if following is not None:
        yield from _matches(following, segments, at + 1, values)
    if segment:
        if node.number is not None and _is_number(segment):
            yield from _matches(node.number, segments, at + 1, (*values, segment))
        if node.any is not None:
            yield from _matches(node.any, segments, at + 1, (*values, segment))
    if node.rest:
        yield node.rest, (*values, "/".join(segments[at:]))


def _is_number(segment: str) -> bool:
    digits = segment.removeprefix("-")
    return digits.isascii() and digits.isdigit()


def _texts(node: _Node, path: str) -> Iterator[tuple[str, _Node]]:
    """Every node that is reached without a parameter, with its path."""
    yield path, node
    for segment, following in node.text.items():
        yield from _texts(following, f"{path}/{segment}")


def _head_follows_get(node: _Node) -> None:
    """HEAD is answered wherever GET is (RFC 9110, section 9.3.2); the server leaves the body out."""
    for routes in (node.routes, node.rest):
        if "GET" in routes:
            routes.setdefault("HEAD", routes["GET"])
    for following in (*node.text.values(), node.number, node.any):
        if following is not None:
            _head_follows_get(following)


def _options(allowed: Iterable[str]) -> Endpoint:
    allow = ", ".join(allowed)

    def answer_options(_request: Request, _values: tuple[str, ...]) -> Response:
        return Response(204, headers=[("allow", allow)])

    return answer_options


def _redirect(request: Request, _values: tuple[str, ...]) -> Response:
    """308 to the same address with or without its last slash: the method and the body stay (RFC 9110, section 15.4.9)."""
    path, mark, query = request.target.partition("?")
    # "//host" and "/\host" would lead to another site.
    local = "/" + path.lstrip("/\\").replace("\\", "%5C")
    other = local[:-1] if local.endswith("/") else local + "/"
    return Response(308, headers=[("location", f"{other}{mark}{query}")])
