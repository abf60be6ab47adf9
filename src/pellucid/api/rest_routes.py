"""Which REST address does what: the routes of every resource, made once at start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pellucid.api.call import Call
from pellucid.api.data import Trusted
from pellucid.api.hooked import HookedWrites
from pellucid.api.hooks import Hooks
from pellucid.api.idempotency import Idempotency
from pellucid.api.rest import Reads, Who
from pellucid.api.rest_writes import Changes
from pellucid.db.database import Database
from pellucid.http.messages import Request, Response
from pellucid.resource.resource import Resources
from pellucid.resource.writes import Writes
from pellucid.web.router import Route

__all__ = ["ROOT", "rest_routes"]

ROOT: Final = "/api"
_INDEX: Final = b"content-type: application/json\r\ncache-control: no-cache\r\n"


def rest_routes(
    resources: Resources,
    database: Database,
    *,
    who: Who,
    hooks: Hooks,
    trusted: Trusted,
    make_call: Callable[[Request], Call],
    once: Idempotency,
) -> list[Route]:
    """The routes of all resources: `/api/<collection>` and `/api/<collection>/{key}`."""
    index = {model.collection: f"{ROOT}/{model.collection}" for model in resources.catalog.models.values()}
    page = msgspec.json.encode({"collections": index, "described": "/openapi.json"})

    def read_index(_: Request, __: tuple[str, ...]) -> Response:
        return Response(200, page, fixed=_INDEX)

    routes: list[Route] = [Route("GET", ROOT, read_index, "list the collections")]
    for resource in resources:
        model = resource.model
        path = f"{ROOT}/{model.collection}"
        reads = Reads(resource, database, who, path)
        writes = Writes(resource)
        hooked = HookedWrites(resource, writes, hooks, database, trusted, make_call)
        changes = Changes(resource, writes, hooked, database, who, path, once)
        key = f"{path}/{{{model.key.name}}}"
        routes += [
            Route("GET", path, reads.read_many, f"list {model.name}"),
            Route("POST", path, changes.post, f"create {model.name}"),
            Route("PATCH", path, changes.patch_many, f"change every {model.name} that fits"),
            Route("DELETE", path, changes.delete_many, f"delete every {model.name} that fits"),
            Route("GET", key, reads.read_one, f"read one {model.name}"),
            Route("PUT", key, changes.put, f"create or replace one {model.name}"),
            Route("PATCH", key, changes.patch_one, f"change one {model.name}"),
            Route("DELETE", key, changes.delete_one, f"delete one {model.name}"),
        ]
    return routes
