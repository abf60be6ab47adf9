"""A page and its parts: what its bytes name is asked for as soon as they arrive, what its sheets name once they apply.

In: a way to fetch, and the document's bytes as they come. Out: visits and reasons for what was left out, in the journey.

Problem: a browser finds resources in four ways at once: the preload scanner reads ahead in the document, sheets import sheets,
modules import modules, and layout asks for the images and fonts of what is displayed. An engine would give them all, and hide
why. Choice: the first three are read off the bytes at the instant they arrive. The fourth is computed once, when the document
and all its sheets are there, from the rules that match (`style.py`). Scripts are not run, and that is said.

The order: what waits for a connection goes by Chrome's priority, then by discovery (`client/pool`). What a browser leaves for the
end (prefetch, sheets for other media, the icon) begins when nothing else is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from pellucid.client.judge import judge_use, settle_type, text_of
from pellucid.client.page.aside import beside
from pellucid.client.page.findings import SILENT
from pellucid.client.page.found import Found
from pellucid.client.page.gate import Gate
from pellucid.client.session import Session, Want
from pellucid.http.fetching import Asking
from pellucid.http.fields import Pairs
from pellucid.http.referrer import policy_of
from pellucid.http.remark import Remark
from pellucid.http.url import Url, parse_url
from pellucid.journey import Kind, Note, Received, Skipped, Visit

if TYPE_CHECKING:
    from pellucid.client.page.scan import Scanner, StyleAttribute
    from pellucid.client.page.style import Styles

__all__ = ["Page"]

_PRESCAN = 1024
"""Bytes that are looked at for the charset before scanning begins (HTML, section 13.2.3.2)."""
_HTML = ("text/html", "application/xhtml+xml")


class Page:
    """One document, or the document of a frame (`top` is the page it stands in), while it loads."""

    def __init__(self, session: Session, visit: Visit, url: Url, top: Page | None = None) -> None:
        self.session = session
        self.journey = session.journey
        self.visit = visit
        self.url = url
        self.top = top
        self.ended = asyncio.Event()
        self._head: list[tuple[bytes, int]] = []
        self._body: list[bytes] = []
        self._scanner: Scanner | None = None
        self._settled = False
        self._gate: Gate | None = None
        self._heard = 0
        self._known: dict[str, asyncio.Task[None]] = {} if top is None else top._known
        self._brought: dict[str, Visit] = {} if top is None else top._brought
        self._own: set[str] = set()
        """What this document, and not another frame's, has named."""
        self._preloads: dict[str, Visit | None] = {} if top is None else top._preloads
        """What nothing but a preload has named so far, with its visit once that is over."""
        self._needed: dict[str, Found] = {} if top is None else top._needed
        """What is needed of the preloads that are still under way."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._sheets_coming: set[asyncio.Task[None]] = set()
        self._later: list[tuple[Found, int]] = []
        self._inline = 0
        """Sheets inside the document whose imports are known."""
        self._styles: Styles | None = None

    # -- the document's head and bytes ------------------------------------------------------------------------------------

    def hear(self, visit: Visit) -> None:
        """An interim answer or the head has come: both name resources before the document does (RFC 8297, RFC 8288)."""
        from pellucid.client.page.links import from_headers  # late: few answers have them

        for early in visit.early[self._heard :]:
            if early.status == 103:
                for found in from_headers(early.headers, self.url, visit.id, self.journey.viewport, early=True):
                    self.add(found, early.at)
        self._heard = len(visit.early)
        received = visit.received
        if received is None or self._gate is not None or 300 <= received.status < 400:
            return
        self._gate = self._policies(received.headers)
        at = visit.first_byte or self.session.clock()
        for found in from_headers(received.headers, self.url, visit.id, self.journey.viewport, early=False):
            self.add(found, at)

    def take(self, data: bytes, at: int) -> None:
        """The next decoded bytes of the document, and when they came; `b""` is its end."""
        if self._settled:
            self._scan(data, at)
        else:
            self._head.append((data, at))
            if not data or sum(len(piece) for piece, _ in self._head) >= _PRESCAN:
                self._settle()
                for piece, instant in self._head:
                    self._scan(piece, instant)
                self._head.clear()
        if not data:
            self.ended.set()

    def _settle(self) -> None:
        """What the document is, from its fields and its first bytes."""
        self._settled = True
        received = self.visit.received
        if received is None or (300 <= received.status < 400 and received.status != 304):
            return
        settle_type(self.visit, b"".join(piece for piece, _ in self._head))
        if self.visit.body.computed_type not in _HTML or not self._shown(received):
            return
        from pellucid.client.page.scan import Scanner  # late: a document that is no page needs none

        self.hear(self.visit)
        charset = self.visit.body.charset or "utf-8"
        self._scanner = Scanner(
            self.url,
            self.visit.id,
            self.journey.viewport,
            charset=charset,
            frame=self.top is not None,
            allows=self._allows,
        )

    def _shown(self, received: Received) -> bool:
        """Whether a browser would show it: it saves what is an attachment, and stays where it is for a 204."""
        if self.visit.method == "HEAD" or received.status in (204, 205):
            return False
        disposition = next((value for name, value in received.headers if name == "content-disposition"), "")
        if disposition.partition(";")[0].strip().lower() == "attachment":
            message = "It is an attachment, which a browser saves and does not show: what it names was not fetched"
            self.visit.notes.append(Note("type", "info", message, "RFC 6266, section 4.2"))
            return False
        return True

    def _scan(self, data: bytes, at: int) -> None:
        if self._scanner is None:
            return
        self._body.append(data)
        scanner = self._scanner
        named = scanner.feed(data) if data else scanner.end()
        if self._gate is not None:
            self._gate.heed(scanner.policies)
        for found in named:
            self.add(found, at)
        for sheet in scanner.sheets[self._inline :]:
            ahead = not sheet.counts
            self._imports(sheet.text, scanner.base, self.visit.id, at, offset=sheet.offset, line=sheet.line, ahead=ahead)
        self._inline = len(scanner.sheets)

    def _policies(self, headers: Pairs) -> Gate:
        return Gate(self.visit, self.url, self.url if self.top is None else self.top.url, headers)

    def _allows(self, kind: Kind, text: str, nonce: str, line: int) -> bool:
        """Whether the policies that were heard so far let a `<script>` or `<style>` of the document count."""
        if self._gate is None or self._scanner is None:
            return True
        self._gate.heed(self._scanner.policies)
        return self._gate.inline(kind, text, nonce, line)

    # -- what is named ----------------------------------------------------------------------------------------------------

    def add(self, found: Found, at: int) -> None:
        """A resource has become known at the instant `at`."""
        if found.url.scheme in SILENT:
            return
        if found.hint is not None:
            if found.hint == "preconnect":
                self.session.pool.preconnect(found.url, found.initiator)
            else:
                self._skip(found, "dns-prefetch asks for the address of its host alone", "Resource Hints, section 2.1")
            return
        if found.url.bare in self._known:
            self._use(found, at)
            return
        self._own.add(found.url.bare)
        if found.after_load:
            self._later.append((found, at))
        else:
            self._start(found, at)

    def _use(self, found: Found, at: int) -> None:
        """What was only preloaded so far, or is another frame's, is needed now: it takes its part without a second request."""
        bare = found.url.bare
        if bare not in self._own and found.kind == "stylesheet" and not found.after_load:
            self._own.add(bare)
            self._watch(asyncio.ensure_future(self._share(found, at)), found)
            return
        if found.preload or bare not in self._preloads:
            return
        visit = self._preloads.pop(bare)
        if visit is None:
            self._needed[bare] = found
        else:
            self._take_part(visit, found, at)

    def _start(self, found: Found, at: int) -> None:
        if found.url.bare in self._known:
            self._use(found, at)
            return
        allowed = (self._gate or self._policies(())).judge(found)  # early hints come before the head
        if isinstance(allowed, Remark):
            self._skip(found, allowed.message, allowed.source)
            return
        limit = self.session.options.limit
        if len(self._known) >= limit - 1:
            reached = f"the limit of {limit} requests was reached"
            note = Note("limit", "warning", f"{reached}; --limit raises it")
            if note not in self.journey.notes:
                self.journey.notes.append(note)
            self._skip(found, reached, None)
            return
        task = asyncio.ensure_future(self._bring(allowed[0], at, allowed[1]))
        self._known[found.url.bare] = task
        if found.preload:
            self._preloads[found.url.bare] = None
        self._watch(task, found)

    def _watch(self, task: asyncio.Task[None], found: Found) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if found.kind == "stylesheet":
            self._sheets_coming.add(task)
            task.add_done_callback(self._sheets_coming.discard)

    async def _share(self, found: Found, at: int) -> None:
        """A sheet that another frame of the page has asked for: its rules count here as well."""
        await asyncio.wait([self._known[found.url.bare]])
        visit = self._brought.get(found.url.bare)
        if visit is not None:
            self._take_part(visit, found, max(at, visit.last_byte or at))

    def _skip(self, found: Found, why: str, source: str | None) -> None:
        self.journey.skipped.append(Skipped(found.url.href, found.kind, found.initiator, why, source))

    # -- fetching it ------------------------------------------------------------------------------------------------------

    async def _bring(self, found: Found, at: int, notes: list[Note]) -> None:
        if found.note is not None:
            notes.append(Note("discovery", "info", found.note))
        asking = Asking(
            found.url,
            kind=found.kind,
            mode=found.mode,
            credentials=found.credentials,
            client=self.url,
            referrer=self._referrer(found),
            referrer_policy=found.referrer_policy or self._referrer_policy(found),
            priority=found.priority,
        )
        want = Want(asking, found.initiator, at, integrity=found.integrity, notes=tuple(notes), blocking=found.blocking)
        if found.kind == "iframe":
            await self._frame(want)
            return
        visit = await self.session.fetch(want)
        received = visit.received
        arrived = visit.last_byte or self.session.clock()
        usable = judge_use(visit, asking, found.integrity) and visit.failure is None
        good = usable and received is not None and 200 <= received.status < 300
        needed = self._needed.pop(found.url.bare, found)
        if good:
            self._brought[found.url.bare] = visit
        if good and needed.preload:
            self._preloads[found.url.bare] = visit
        elif good:
            self._take_part(visit, needed, arrived)
        elif found.kind == "font" and self._styles is not None:
            for other in self._styles.after_failure(found.url.href):
                self.add(other, arrived)

    def _take_part(self, visit: Visit, found: Found, at: int) -> None:
        """A sheet's rules and a module's imports count; those of what is only preloaded do not."""
        if found.kind == "stylesheet":
            self._sheet(visit, found, at)
        elif found.module:
            self._module(visit, found, at)

    def _referrer(self, found: Found) -> Url:
        if found.initiator.by in ("style", "script") and found.initiator.visit is not None:
            return parse_url(self.journey.visits[found.initiator.visit].url)
        return self.url

    def _referrer_policy(self, found: Found) -> str:
        """What the head of the answer that Referer tells of has set; a sheet's and a module's own count for what they name."""
        named = found.initiator.by in ("style", "script") and found.initiator.visit is not None
        source = self.journey.visits[found.initiator.visit or 0] if named else self.visit
        return policy_of(source.received.headers) if source.received is not None else ""

    def _sheet(self, visit: Visit, found: Found, at: int) -> None:
        """A sheet has come: what it imports is known from now on, what its rules name when they apply."""
        text = text_of(visit, self.visit.body.charset)
        url = parse_url(visit.url)
        if found.initiator.what == "@import":
            self._rules().add_imported(found.url, text, url, visit.id)
        elif not found.after_load:  # a sheet for other media decides nothing here
            self._rules().add(text, url, visit.id, None, (found.initiator.offset or 0,))
        self._imports(text, url, visit.id, at)

    def _imports(
        self, text: str, url: Url, visit: int, at: int, *, offset: int = 0, line: int = 1, ahead: bool = False
    ) -> None:
        if "@import" not in text.lower():
            return
        from pellucid.client.page.css import sheet_imports  # late: few sheets import others

        imported, left_out = sheet_imports(text, url, visit, self.journey.viewport, offset=offset, line=line)
        self.journey.skipped += left_out
        for each in imported:
            self.add(msgspec.structs.replace(each, preload=True) if ahead else each, at)

    def _rules(self) -> Styles:
        if self._styles is None:
            from pellucid.client.page.style import Styles  # late: a page without sheets needs no cascade

            self._styles = Styles(self.journey.viewport)
        return self._styles

    async def _apply_styles(self) -> None:
        """The document and its sheets are there: find the images and fonts of what is displayed."""
        scanner = self._scanner
        assert scanner is not None
        if self._styles is None and not scanner.sheets and not scanner.styled:
            return
        styles = self._rules()
        charset = self.visit.body.charset or "utf-8"
        for sheet in filter(lambda sheet: sheet.counts, scanner.sheets):
            styles.add(
                sheet.text, scanner.base, self.visit.id, sheet.media, (sheet.offset,), offset=sheet.offset, line=sheet.line
            )
        # In a thread, since the cascade takes as long as some answers: they must not be heard late for it.
        body = b"".join(self._body)
        attributes = not scanner.styled or self._gate is None or self._gate.style_attributes()
        base, visit = scanner.base, self.visit.id
        images, left_out = await beside(lambda: styles.used(body, charset, base, visit, attributes=attributes))
        at = self.session.clock()
        for found in images:
            self.add(_placed(found, scanner.styled), at)
        self.journey.skipped += left_out
        self.journey.notes += styles.notes

    def _module(self, visit: Visit, found: Found, at: int) -> None:
        from pellucid.client.page.modules import imports  # late: few pages have modules

        bare = self._scanner.import_map if self._scanner is not None else None
        told = imports(visit.body.kept, parse_url(visit.url), visit.id, import_map=bare)
        self.journey.skipped += told.skipped
        for imported in told.found:
            self.add(msgspec.structs.replace(imported, nonce=found.nonce), at)

    async def _frame(self, want: Want) -> None:
        """The document of a frame, with what it names; frames inside it are not followed."""
        inner: Page | None = None

        def take(data: bytes, at: int) -> None:
            nonlocal inner
            visit = self._newest(want.asking.url)
            if inner is None or inner.visit is not visit:
                inner = Page(self.session, visit, parse_url(visit.url), top=self)
            inner.take(data, at)

        last = await self.session.fetch(want, take)
        if inner is not None and inner.visit is last:
            await inner.finish()
        elif inner is not None:
            await inner.abandon()

    def _newest(self, url: Url) -> Visit:
        """The visit whose bytes are arriving for a frame: the last of its redirects."""
        chain = [visit for visit in self.journey.visits if visit.url == url.href and visit.kind == "iframe"][-1:]
        while chain:
            after = [visit for visit in self.journey.visits if visit.redirected_from == chain[-1].id]
            if not after:
                break
            chain.append(after[-1])
        return chain[-1]

    # -- to the end -------------------------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Wait for the document's sheets, find what their rules want, and fetch to the last byte."""
        try:
            if not self._settled:
                self.take(b"", self.session.clock())
            while self._sheets_coming:
                await asyncio.wait(self._sheets_coming)
            if self._scanner is not None:
                await self._apply_styles()
            await self._rest()
            later, self._later = self._later, []
            for found, at in later:
                self._start(found, at)
            await self._rest()
        finally:
            await self.abandon()
        if self._scanner is not None:
            self.journey.skipped += self._scanner.skipped
            notes = self.journey.notes if self.top is None else self.visit.notes
            notes += [note for note in self._scanner.notes if note not in notes]

    async def abandon(self) -> None:
        """Stop whatever is under way: the page is left."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _rest(self) -> None:
        """Until nothing is under way; a failure of ours is raised, one of theirs is in its visit."""
        while self._tasks:
            done, _ = await asyncio.wait(self._tasks)
            for task in done:
                task.result()


def _placed(found: Found, styled: Sequence[StyleAttribute]) -> Found:
    """A resource of a `style` attribute with the place of the first tag that names it, which the cascade does not know."""
    if found.initiator.offset is not None:
        return found
    name = found.url.path.rpartition("/")[2]
    tag = next((each for each in styled if name and name in each.text), None)
    if tag is None:
        return found
    initiator = msgspec.structs.replace(found.initiator, offset=tag.offset, line=tag.line)
    return msgspec.structs.replace(found, initiator=initiator)
