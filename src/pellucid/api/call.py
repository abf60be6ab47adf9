"""One request as user code sees it: the request, who asks, the data, and the trace."""

from __future__ import annotations

from pellucid.api.data import Data
from pellucid.db.database import Transaction
from pellucid.http.messages import Request
from pellucid.http.negotiate import languages
from pellucid.schema.rules import NOBODY, Actor
from pellucid.spans import Trace

__all__ = ["Call"]


class Call:
    """What an endpoint or hook is handed.

    `data` reads and writes models with the rights of the server, not of the caller: an endpoint is trusted code, and
    checks the `actor` itself where it must. Its writes run the hooks of their models. Inside a hook, `data` works in the
    transaction of the write; in an endpoint, `async with call.data.transaction() as data:` makes several writes one.
    """

    __slots__ = ("actor", "data", "request")

    def __init__(self, request: Request, data: Data, actor: Actor = NOBODY) -> None:
        self.request = request
        self.data = data
        self.actor = actor
        data.call = self  # the writes of user code run the hooks of their models, and hooks are handed a Call

    def inside(self, transaction: Transaction) -> Call:
        """The same call, with its data in an open transaction."""
        return Call(self.request, self.data.inside(transaction), self.actor)

    @property
    def trace(self) -> Trace | None:
        """The trace of this request, or None where nobody watches; `call.trace.begin("name")` and `end()` add a span of
        your own.
        """
        return self.request.trace

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that the caller reads, most wanted first (Accept-Language); `*` may be among them."""
        return languages(self.request.headers)

    @property
    def id(self) -> str:
        """The request's id, as sent in `X-Request-Id`."""
        return self.request.id
