"""The addresses that every backend has: health, its own description, and in dev what happened to recent requests.

In: functions that tell. Out: routes. It draws nothing and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, cast
from urllib.parse import parse_qsl

import msgspec

from pellucid.errors import BAD_QUERY, NOT_FOUND, Problem, near, shorten
from pellucid.http.messages import Request, Response
from pellucid.web.router import Route

__all__ = ["Anatomy", "inside_routes"]

JSON: Final = b"content-type: application/json\r\ncache-control: no-store\r\n"
OPENAPI: Final = b"content-type: application/vnd.oai.openapi+json;version=3.1\r\ncache-control: no-cache\r\n"

Order = Literal["latest", "slowest", "failed"]
Recent = Callable[[Order, int], list[dict[str, object]]]
Find = Callable[[str], Awaitable[Mapping[str, object] | None]]


_ORDERS: Final[tuple[Order, ...]] = ("latest", "slowest", "failed")


class Anatomy(msgspec.Struct, frozen=True):
    """Where recorded requests can be asked for: `recent(order, limit)` and `find(id)`."""

    recent: Recent
    find: Find


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
    def recent(request: Request, _: tuple[str, ...]) -> Response:
        asked = dict(parse_qsl(request.query))
        order = asked.get("order", "latest")
        if order not in _ORDERS:
            message = f"order={shorten(order)} is none of {', '.join(_ORDERS)}"
            raise Problem(BAD_QUERY, message, hint=near(order, _ORDERS))
        limit = asked.get("limit", "100")
        return _json(anatomy.recent(order, int(limit) if limit.isascii() and limit.isdecimal() and len(limit) < 6 else 100))

    async def one(_: Request, values: tuple[str, ...]) -> Response:
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
