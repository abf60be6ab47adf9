"""`trace`: what happens under the hood when somebody types a URL, from the name to the last byte of the page.

In: what was typed. Out: a Journey, whole or as far as it came: whatever went wrong is in it, nothing is raised for it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import Sequence
from importlib import import_module
from urllib.parse import unquote

from pellucid.client import connect, resolve
from pellucid.client.options import TraceOptions
from pellucid.client.outgoing import Outgoing
from pellucid.client.page.loader import Page
from pellucid.client.session import Session, Want
from pellucid.http.cookies import Jar
from pellucid.http.fetching import AGENT, Asking
from pellucid.http.sites import registrable
from pellucid.http.url import BadUrl, Url, parse_typed, parse_url
from pellucid.journey import Clock, Failure, Initiator, Journey, Note, Visit, document_visit
from pellucid.spans import boot_id, new_trace_id

__all__ = ["begin", "prepare", "trace"]

_ALWAYS = ("decode",)
_FOR_PAGES = ("inside", "page.css", "page.javascript", "page.links", "page.modules", "page.scan", "page.style")
_FOR_TLS = ("certificates", "http2", "tls")
_LIBRARIES_FOR_PAGES = ("html.entities", "selectolax.lexbor", "tinycss2.color4", "webencodings")


def prepare(urls: Sequence[str], options: TraceOptions) -> None:
    """Import what these journeys will need, before their clocks run: the time that Python takes is none of theirs."""
    wanted: tuple[str, ...] = _ALWAYS if options.only_document else _ALWAYS + _FOR_PAGES
    if not all(url.lower().startswith("http://") for url in urls):
        wanted += _FOR_TLS
    for name in wanted:
        import_module(f"pellucid.client.{name}")
    for name in () if options.only_document else _LIBRARIES_FOR_PAGES:
        import_module(name)
    if "tls" in wanted:
        connect.prepare("https", options.connect)
    for typed in urls:
        with contextlib.suppress(BadUrl):
            host = parse_typed(typed)[0].host
            resolve.prepare(host, options.resolve)
            registrable(host)  # loads the list of public suffixes (40 ms), if it is a name that has one


def begin(typed: str, options: TraceOptions) -> tuple[Journey, Clock, bool]:
    """A journey that has not left yet, its clock, and whether the scheme was assumed. Raises BadUrl."""
    url, assumed = parse_typed(typed)
    clock = Clock()
    journey = Journey(
        typed, url.href, url.shown, time.time(), clock.started, new_trace_id(), boot=boot_id(), viewport=options.viewport
    )
    return journey, clock, assumed


async def trace(journey: Journey, clock: Clock, options: TraceOptions, *, assumed: bool = False, jar: Jar | None = None) -> None:
    """Make the journey: fill it until the page is there or the time is up."""
    session = Session(journey, clock, options, jar)
    try:
        async with asyncio.timeout(options.timeout):
            await _rounds(session, parse_url(journey.url), assumed)
    except TimeoutError:
        seconds = f"{options.timeout:g} s"
        _give_up(journey, clock, Failure("timeout", f"the trace was given up after {seconds}", "--timeout gives it more"))
    except asyncio.CancelledError:
        _give_up(journey, clock, Failure("interrupted", "The trace was interrupted"))
        raise
    finally:
        await session.close()
        journey.finished = max([0, *(visit.finished or 0 for visit in journey.visits)]) or clock()


async def _rounds(session: Session, url: Url, assumed: bool) -> None:
    journey, options = session.journey, session.options
    last = await _round(session, url)
    if assumed and url.scheme == "https" and last.received is None and options.method == "GET":
        # As browsers do: https was only a guess, so http is tried where nobody answers to it.
        plain = parse_url(f"http{url.href.removeprefix('https')}")
        why = last.failure.message if last.failure is not None else "nothing answered"
        journey.notes.append(Note("upgrade", "warning", f"https was assumed, and failed: {why}. Then http was tried"))
        journey.url, journey.shown = plain.href, plain.shown
        last.redirected_to = plain.href
        last = await _round(session, plain, after=last)
    if options.twice and last.received is not None:
        session.round = 2
        await _round(session, url)
    if last.received is None and last.failure is not None:
        journey.failure = last.failure
    if options.inside:
        await _look_inside(session)


async def _round(session: Session, url: Url, after: Visit | None = None) -> Visit:
    """One visit: the document with its redirects, then what it names. `after` is the visit instead of which it is made."""
    options = session.options
    asking = Asking(url, method=options.method)
    headers = list(options.headers)
    if (url.username or url.password) and not any(name.lower() == "authorization" for name, _ in headers):
        pair = f"{unquote(url.username)}:{unquote(url.password)}"
        headers.append(("Authorization", "Basic " + base64.b64encode(pair.encode()).decode()))
    want = Want(asking, Initiator(None, "user", "typed"), session.clock(), tuple(headers), options.body, options.content_type)
    pages: list[Page] = []

    def take(data: bytes, at: int) -> None:
        page = _page_of(session, pages)
        if page is not None:
            page.take(data, at)

    def heard(visit: Visit) -> None:
        page = _page_of(session, pages)
        if page is not None:
            page.hear(visit)

    last = await session.fetch(want, None if options.only_document else take, heard, after=after)
    for page in pages:
        if page.visit is last and not options.only_document:
            await page.finish()
        else:
            await page.abandon()
    return last


def _page_of(session: Session, pages: list[Page]) -> Page | None:
    """The page that the newest document visit may become: one for each hop of the redirects, since each may send early hints."""
    visit = next((visit for visit in reversed(session.journey.visits) if visit.kind == "document"), None)
    if visit is None or session.options.only_document:
        return None
    if not pages or pages[-1].visit is not visit:
        pages.append(Page(session, visit, parse_url(visit.url)))
    return pages[-1]


async def _look_inside(session: Session) -> None:
    """Ask a Pellucid server what went on behind its answers. Nothing of this is drawn."""
    from pellucid.client.inside import look_inside, timings  # late: most answers have nothing to tell

    journey = session.journey
    connections, lookups = len(journey.connections), len(journey.lookups)
    room = asyncio.Semaphore(6)

    async def ask(url: Url) -> tuple[int, bytes]:
        async with room:
            # A document, since of those the whole body is kept.
            unseen = Visit(-1, url.href, "GET", "document", Initiator(None, "browser"), session.clock())
            headers = [("Accept", "application/json"), ("User-Agent", AGENT)]
            headers += session.token_for(url)
            await session.pool.send(unseen, Outgoing(url, "GET", tuple(headers)))
            return (unseen.received.status if unseen.received is not None else 0), unseen.body.kept

    for visit in journey.visits:
        if visit.received is not None and visit.from_cache != "fresh":
            visit.timings = timings(visit.received.headers)
    looks = [look_inside(visit, parse_url(visit.url), ask, session.clock, journey) for visit in journey.visits if visit.timings]
    await asyncio.gather(*looks)
    del journey.connections[connections:], journey.lookups[lookups:]
    for connection in journey.connections:
        connection.visits = [id for id in connection.visits if id >= 0]


def _give_up(journey: Journey, clock: Clock, failure: Failure) -> None:
    """The time is up, or nobody wants to wait for more: what is still under way is marked so."""
    at = clock()
    for visit in journey.visits:
        if visit.last_byte is None and visit.failure is None:
            visit.finished = visit.finished or at
            visit.failure = failure
            visit.body.complete = False
    document = document_visit(journey.visits)
    if document is None or document.received is None:
        journey.failure = failure
    else:
        journey.notes.append(Note("limit", "warning", f"{failure.message}; {failure.hint}" if failure.hint else failure.message))
