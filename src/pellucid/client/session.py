"""Fetching one URL as a browser does: upgrades, cookies, the private cache, redirects (Fetch, section 4).

In: what is wanted, and why. Out: visits in the journey, one for each request; the last one is what came of it. How bytes
travel is the pool's business, what an answer means is `judge`'s.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

import msgspec

from pellucid.client.judge import explain_caching, fates_of, notes_of, settle_type
from pellucid.client.options import TraceOptions
from pellucid.client.outgoing import Outgoing, Taker
from pellucid.client.pool import Pool
from pellucid.client.resolve import Resolver
from pellucid.http.cookies import Context, Jar
from pellucid.http.fetching import Asking, request_headers
from pellucid.http.hsts import Hsts
from pellucid.http.private_cache import Cache, Stored
from pellucid.http.redirects import Halt, next_request
from pellucid.http.referrer import policy_of
from pellucid.http.sites import same_origin, same_site, trustworthy
from pellucid.http.url import Url, parse_url
from pellucid.journey import Clock, Failure, Initiator, Journey, Note, Received, Visit

__all__ = ["Session", "Want"]

Heard = Callable[[Visit], None]
_KEPT = 8 * 1024 * 1024
"""Bytes kept of a body whose content matters."""


class Want(msgspec.Struct, frozen=True):
    """What is to be fetched, and on whose behalf."""

    asking: Asking
    initiator: Initiator
    discovered: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    content_type: str | None = None
    integrity: str | None = None
    notes: tuple[Note, ...] = ()
    blocking: bool = False


class Session:
    """What lasts for a whole trace: names, connections, cookies, promises of TLS, and with `--twice` a cache."""

    def __init__(self, journey: Journey, clock: Clock, options: TraceOptions, jar: Jar | None = None) -> None:
        self.journey = journey
        self.clock = clock
        self.options = options
        self.jar = jar if jar is not None else Jar()
        self.hsts = Hsts()
        self.cache = Cache() if options.twice else None
        self.round = 1
        self.resolver = Resolver(clock, journey.lookups, options.resolve)
        self.pool = Pool(clock, journey.connections, self.resolver, options.connect, timeout=options.timeout, limit=_KEPT)
        self._bodies: dict[str, Visit] = {}
        self._spans = int.from_bytes(os.urandom(8), "big") | 1

    async def close(self) -> None:
        """Close every connection and every socket of the resolver."""
        await self.pool.close()
        await self.resolver.close()

    def token_for(self, url: Url) -> list[tuple[str, str]]:
        """The token as a field, where it may be shown: to the server that was typed and over a way that nobody listens to.

        A redirect of that server to itself over https is such a way; one to anybody else is not.
        """
        typed = parse_url(self.journey.url)
        upgraded = (typed.host, typed.port, url.port) == (url.host, 80, 443)
        if self.options.token is None or not (same_origin(url, typed) or upgraded):
            return []
        if trustworthy(url):
            return [("Pellucid-Token", self.options.token)]
        message = f"The token was not sent to {url.origin}, since anybody on the way could read it; over https it is sent"
        if all(note.message != message for note in self.journey.notes):
            self.journey.notes.append(Note("limit", "warning", message))
        return []

    def time(self) -> float:
        """Now, in seconds since 1970, on the clock of the journey."""
        return self.journey.began + self.clock() / 1e9

    async def fetch(
        self, want: Want, take: Taker | None = None, heard: Heard | None = None, *, after: Visit | None = None
    ) -> Visit:
        """Fetch with all redirects; gives the last visit. `heard` is called when an interim answer or a head has come. `after` is
        the visit that led here, where it was no answer that did.
        """
        redirected_from = after.id if after is not None else None
        while True:
            want, upgrades = self._upgraded(want)
            visit = self._visit(want, upgrades, redirected_from)
            await self._ask(visit, want, take, heard)
            onward = self._onward(visit, want)
            if onward is None:
                return visit
            visit.redirected_to = onward.asking.url.href
            limit = self.options.limit
            if sum(each.round == self.round for each in self.journey.visits) > limit:
                hint = "--limit raises it"
                visit.failure = Failure("limit", f"The redirect was not followed: the limit of {limit} requests is reached", hint)
                return visit
            redirected_from = visit.id
            want = onward

    def _upgraded(self, want: Want) -> tuple[Want, list[Note]]:
        upgraded = self.hsts.upgrade(want.asking.url, self.time())
        if upgraded is None:
            return want, []
        url, remark = upgraded
        return msgspec.structs.replace(want, asking=msgspec.structs.replace(want.asking, url=url)), notes_of([remark])

    def _visit(self, want: Want, notes: list[Note], redirected_from: int | None) -> Visit:
        asking = want.asking
        initiator = want.initiator if redirected_from is None else Initiator(redirected_from, "redirect", "Location")
        visit = Visit(
            len(self.journey.visits),
            asking.url.href,
            asking.method,
            asking.kind,  # type: ignore[arg-type]
            initiator,
            want.discovered if redirected_from is None else self.clock(),
            asking.priority,  # type: ignore[arg-type]
            blocking=want.blocking,
            first_party=asking.client.origin if asking.client is not None else asking.url.origin,
            redirected_from=redirected_from,
            notes=[*want.notes, *notes],
            round=self.round,
        )
        self.journey.visits.append(visit)
        return visit

    # -- one request ------------------------------------------------------------------------------------------------------

    async def _ask(self, visit: Visit, want: Want, take: Taker | None, heard: Heard | None) -> None:
        asking = want.asking
        context = Context.of(asking)
        cookie, fates = self.jar.pick(asking.url, context, self.time())
        visit.cookies += fates_of(fates)
        extra = list(want.headers)
        if same_site(asking.url, asking.client or (asking.passed[0] if asking.passed else asking.url)):
            extra.append(("traceparent", f"00-{self.journey.trace_id}-{self._next_span()}-01"))
            extra += self.token_for(asking.url)
        headers = request_headers(asking, cookie=cookie, extra=extra, content_type=want.content_type)
        stored: Stored | None = None
        if self.cache is not None:
            found = self.cache.lookup(asking.method, asking.url, headers, self.time())
            visit.caching += notes_of(found.remarks)
            stored = found.stored
            if found.fate == "fresh" and stored is not None:
                self._from_cache(visit, stored, "fresh", take)
                return
            headers += found.conditions
        await self._exchange(visit, Outgoing(asking.url, asking.method, tuple(headers), want.body), want, stored, take, heard)

    async def _exchange(
        self, visit: Visit, request: Outgoing, want: Want, stored: Stored | None, take: Taker | None, heard: Heard | None
    ) -> None:
        requested = self.time()
        tell = None if heard is None else lambda _: heard(visit)
        await self.pool.send(visit, request, take if stored is None else _unless_304(visit, take), tell, head=tell)
        received = visit.received
        if received is None:
            return
        now = self.time()
        visit.notes += notes_of(self.hsts.hear(request.url, received.headers, now, secure=not self._distrusted(visit)))
        visit.cookies += fates_of(self.jar.store(request.url, received.headers, Context.of(want.asking), now))
        if received.status == 304 and stored is not None and self.cache is not None:
            fresh = self.cache.freshen(stored, received.headers, requested=requested, received=now)
            self._from_cache(visit, fresh, "validated", take)
            return
        settle_type(visit, visit.body.kept)
        explain_caching(visit, requested, now)
        if self.cache is not None and visit.failure is None:
            self._keep(visit, request, requested, now)

    def _distrusted(self, visit: Visit) -> bool:
        """Whether the connection was used in spite of its certificate, as asked."""
        used = next((each for each in self.journey.connections if each.id == visit.connection), None)
        return used is not None and used.tls is not None and used.tls.failure is not None

    def _keep(self, visit: Visit, request: Outgoing, requested: float, now: float) -> None:
        assert self.cache is not None
        assert visit.received is not None
        sent = visit.request.headers if visit.request is not None else list(request.headers)
        status, headers = visit.received.status, visit.received.headers
        if request.method not in ("GET", "HEAD", "OPTIONS", "TRACE"):
            self.cache.invalidate(request.method, request.url, status, headers)
            return
        body = visit.body.kept
        self.cache.store(
            request.method, request.url, sent, status, visit.received.reason, headers, body, requested=requested, received=now
        )
        self._bodies[request.url.bare] = visit

    def _from_cache(self, visit: Visit, stored: Stored, how: Literal["fresh", "validated"], take: Taker | None) -> None:
        """The answer is what the cache has: no byte, or only the head, came over the wire."""
        at = self.clock()
        visit.from_cache = how
        before = self._bodies.get(stored.url)
        if how == "fresh":
            visit.queued_until = visit.connection_ready = visit.sent_first = visit.sent_last = visit.first_byte = at
            visit.last_byte = visit.finished = at
            visit.received = Received(stored.status, stored.reason, "1.1", list(stored.headers))
        if before is not None:
            wire = visit.body.wire
            visit.body = msgspec.structs.replace(before.body, wire=wire, coded=0, chunks=[], chunk_count=0)
        if take is not None:
            if stored.body:
                take(stored.body, at)
            take(b"", at)

    def _next_span(self) -> str:
        self._spans = (self._spans * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        return f"{self._spans or 1:016x}"

    # -- redirects --------------------------------------------------------------------------------------------------------

    def _onward(self, visit: Visit, want: Want) -> Want | None:
        """What an answer leads to: the next request, or None where it is the last word."""
        received, asking = visit.received, want.asking
        if received is None or visit.failure is not None:
            return None
        taken = len(asking.passed)
        onward = next_request(asking.url, asking.method, received.status, received.headers, taken=taken, asking=asking)
        if onward is None:
            return None
        visit.notes += notes_of(onward.remarks)
        if isinstance(onward, Halt):
            visit.failure = Failure(onward.slug, onward.message, onward.hint)
            return None
        headers = tuple((name, value) for name, value in want.headers if name.lower() not in onward.drop)
        return msgspec.structs.replace(
            want,
            asking=msgspec.structs.replace(
                asking,
                url=onward.url,
                method=onward.method,
                passed=(*asking.passed, asking.url),
                referrer_policy=policy_of(received.headers) or asking.referrer_policy,
            ),
            headers=headers,
            body=want.body if onward.keep_body else b"",
            content_type=want.content_type if onward.keep_body else None,
            notes=(),
        )


def _unless_304(visit: Visit, take: Taker | None) -> Taker | None:
    """Passes a body on, unless it turns out that the cache has it."""
    if take is None:
        return None

    def passed(data: bytes, at: int) -> None:
        if visit.received is None or visit.received.status != 304:
            take(data, at)

    return passed
