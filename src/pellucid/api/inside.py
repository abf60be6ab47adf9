"""The addresses that every backend has: health, its own description, and in dev what happened to recent requests.

In: functions that tell. Out: routes. It draws nothing and keeps nothing. In production what happened is told to those alone who
send the token that the settings name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from hmac import compare_digest
from typing import Final, Literal, cast
from urllib.parse import parse_qsl

import msgspec

from pellucid.errors import BAD_QUERY, FORBIDDEN, NOT_FOUND, Problem, near, shorten
from pellucid.http.messages import Request, Response
from pellucid.web.router import Route

__all__ = ["Allows", "Anatomy", "anatomy_link", "inside_routes", "token_check"]

JSON: Final = b"content-type: application/json\r\ncache-control: no-store\r\n"
OPENAPI: Final = b"content-type: application/vnd.oai.openapi+json;version=3.1\r\ncache-control: no-cache\r\n"

Order = Literal["latest", "slowest", "failed"]
Recent = Callable[[Order, int], list[dict[str, object]]]
Find = Callable[[str], Awaitable[Mapping[str, object] | None]]
Allows = Callable[[Request], bool]
"""Whether who asks may see."""


_ORDERS: Final[tuple[Order, ...]] = ("latest", "slowest", "failed")


class Anatomy(msgspec.Struct, frozen=True):
    """Where recorded requests can be asked for: `recent(order, limit)` and `find(id)`, and who may; None is everybody."""

    recent: Recent
    find: Find
    allows: Allows | None = None


def token_check(token: str) -> Allows:
    """Whether a request carries this token as `Pellucid-Token`; the time that takes does not tell how much of it was right."""
    wanted = token.encode()

    def allows(request: Request) -> bool:
        sent = request.headers.get("pellucid-token")
        return sent is not None and compare_digest(sent.encode("latin-1"), wanted)

    return allows


def anatomy_link(id: str) -> tuple[str, str]:
    """The field that leads from an answer to what happened (RFC 8288); the relation is an extension one, named by a URN."""
    return "link", f'</_pellucid/requests/{id}>; rel="urn:pellucid:rel:anatomy"'


def _json(value: object) -> Response:
    return Response(200, msgspec.json.encode(value), fixed=JSON)


def inside_routes(ready: Callable[[], Awaitable[None]], describe: Callable[[], bytes], anatomy: Anatomy | None) -> list[Route]:
    """`/healthz` (the process answers), `/readyz` (so does the database), `/openapi.json`, and with `anatomy`
    `/_pellucid/requests`.

    `describe` gives the OpenAPI document; it is asked once, on the first request for it.
    """
    document: list[bytes] = []

    def healthz(_: Request, __: tuple[str, ...]) -> Response:
        return _json({"status": "ok"})

    async def readyz(_: Request, __: tuple[str, ...]) -> Response:
        await ready()
        return _json({"status": "ready"})

    def openapi(_: Request, __: tuple[str, ...]) -> Response:
        if not document:
            document.append(describe())
        return Response(200, document[0], fixed=OPENAPI)

    routes = [
        Route("GET", "/healthz", healthz, "health: the process answers"),
        Route("GET", "/readyz", readyz, "health: the database answers"),
        Route("GET", "/openapi.json", openapi, "the API's description (OpenAPI 3.1)"),
    ]
    if anatomy is not None:
        routes += _anatomy_routes(anatomy)
    return routes


def _anatomy_routes(anatomy: Anatomy) -> list[Route]:
    def check(request: Request) -> None:
        if anatomy.allows is not None and not anatomy.allows(request):
            hint = "send the setting anatomy_token as Pellucid-Token"
            raise Problem(FORBIDDEN, "what happened is told to those alone who have the token", hint=hint)

    def recent(request: Request, _: tuple[str, ...]) -> Response:
        check(request)
        asked = dict(parse_qsl(request.query))
        order = asked.get("order", "latest")
        if order not in _ORDERS:
            message = f"order={shorten(order)} is none of {', '.join(_ORDERS)}"
            raise Problem(BAD_QUERY, message, hint=near(order, _ORDERS))
        limit = asked.get("limit", "100")
        return _json(anatomy.recent(order, int(limit) if limit.isascii() and limit.isdecimal() and len(limit) < 6 else 100))

    async def one(request: Request, values: tuple[str, ...]) -> Response:
        check(request)
        found = await anatomy.find(values[0])
        if found is None:
            raise Problem(
                NOT_FOUND, f"no request {values[0]} is recorded", hint="only the latest, the slowest and the failed are kept"
            )
        return _json(cast("object", found))

    return [
        Route("GET", "/_pellucid/requests", recent, "recent requests, seen through"),
        Route("GET", "/_pellucid/requests/{id}", one, "one request, from the first byte to the last"),
    ]
