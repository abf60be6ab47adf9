"""Cross-origin requests (Fetch standard, CORS protocol): a step that is off unless origins are configured.

In: a request with an Origin. Out: the answer with the headers that let that origin's pages read it, or a preflight's answer. What
is not allowed gets an answer without those headers, so the browser keeps it from the page; it is no access control of ours.
"""

from __future__ import annotations

from collections.abc import Awaitable

import msgspec

from pellucid.errors import Problem
from pellucid.http.messages import Handler, Request, Response
from pellucid.http.negotiate import split_list

__all__ = ["Cors", "CorsStep"]

EXPOSED = ("ETag", "Link", "Content-Range", "Location", "Preference-Applied", "X-Request-Id", "Server-Timing", "Retry-After")
_VARY = (("vary", "Origin"),)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_SAFE_HEADERS = (
    "accept", "accept-language", "authorization", "content-language", "content-type", "idempotency-key", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "prefer", "range", "range-unit", "traceparent",
    "x-requested-with",
)  # fmt: skip


class Cors(msgspec.Struct, frozen=True):
    """Who may ask from elsewhere. `origins` are exact (`https://shop.example`), or "*" alone for anybody without credentials."""

    origins: tuple[str, ...]
    credentials: bool = False
    methods: tuple[str, ...] = _METHODS
    headers: tuple[str, ...] = _SAFE_HEADERS
    exposed: tuple[str, ...] = EXPOSED
    max_age: int = 7200
    """How long a browser may keep a preflight's answer, in seconds; none keeps it longer than this."""

    def __post_init__(self) -> None:
        if "*" in self.origins and (self.credentials or len(self.origins) > 1):
            raise ValueError('the CORS origin "*" stands alone and never with credentials; list the origins instead')
        for origin in self.origins:
            scheme, mark, host = origin.partition("://")
            if origin != "*" and (not (scheme and mark and host) or "/" in host or "*" in host):
                raise ValueError(f"the CORS origin {origin!r} is not of the form 'https://host' or 'https://host:port'")


class CorsStep:
    """The step for `web/pipeline`: put it outside of everything that may refuse, so that a page can read refusals too."""

    def __init__(self, cors: Cors) -> None:
        self._any = cors.origins == ("*",)
        self._origins = frozenset(origin.lower() for origin in cors.origins)
        self._methods = frozenset(cors.methods)
        self._headers = frozenset(header.lower() for header in cors.headers)
        common = [("access-control-allow-credentials", "true")] if cors.credentials else []
        self._plain = (*common, ("access-control-expose-headers", ", ".join(cors.exposed)))
        self._preflight = (
            *common,
            ("access-control-allow-methods", ", ".join(cors.methods)),
            ("access-control-max-age", str(cors.max_age)),
        )

    def __call__(self, request: Request, next: Handler) -> Response | Awaitable[Response]:
        """Answer a preflight, or let the request pass and add to its answer, be it a refusal."""
        origin = request.headers.get("origin")
        if origin is not None and request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            return self._answer_preflight(request, origin)
        added = self._added(origin)
        try:
            answer = next(request)
        except Problem as problem:
            problem.headers += added
            raise
        return _with(answer, added) if isinstance(answer, Response) else _with_later(answer, added)

    def _added(self, origin: str | None) -> tuple[tuple[str, str], ...]:
        """What an answer to this origin gets. Caches must know that an answer without an Origin differs from one with."""
        if self._any:
            return (("access-control-allow-origin", "*"), *self._plain) if origin is not None else ()
        if origin is None or not self._allowed(origin):
            return _VARY
        return (*_VARY, ("access-control-allow-origin", origin), *self._plain)

    def _allowed(self, origin: str) -> bool:
        return self._any or origin.lower() in self._origins

    def _answer_preflight(self, request: Request, origin: str) -> Response:
        response = Response(204, headers=[("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")])
        wanted = split_list(request.headers.get("access-control-request-headers", "") or "")
        if (
            self._allowed(origin)
            and request.headers["access-control-request-method"] in self._methods
            and all(name.lower() in self._headers for name in wanted)
        ):
            response.headers += [("access-control-allow-origin", "*" if self._any else origin), *self._preflight]
            if wanted:
                response.headers.append(("access-control-allow-headers", ", ".join(wanted)))
        return response


def _with(response: Response, added: tuple[tuple[str, str], ...]) -> Response:
    """A response with more fields: a new one, since an endpoint may give the same one to many requests."""
    if not added:
        return response
    return Response(
        response.status, response.body, headers=[*response.headers, *added], fixed=response.fixed, length=response.length
    )


async def _with_later(answer: Awaitable[Response], added: tuple[tuple[str, str], ...]) -> Response:
    try:
        return _with(await answer, added)
    except Problem as problem:
        problem.headers += added
        raise
