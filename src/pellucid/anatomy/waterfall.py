"""A journey made into a drawing: names and connections first, then every request below what revealed it.

In: a Journey. Out: a Drawing. The chain of redirects stands at the root, each link with the names and connections that it needed;
subresources hang below the document or the stylesheet that named them; a server's inside hangs below the request it answered.

Problem: a page of 300 images would bury what matters. So of each kind the most telling requests are drawn (failed, slowest,
biggest, first) with whatever they hang below, and the others of a parent share one row that counts them.
"""

from __future__ import annotations

from collections.abc import Iterable

from pellucid.anatomy.arrival import arrival_rows
from pellucid.anatomy.cells import clean
from pellucid.anatomy.drawing import Drawing, Piece, Row, Tone
from pellucid.anatomy.figures import count_text, duration_text
from pellucid.anatomy.inside import inside_rows, tells_more
from pellucid.anatomy.phases import connection_of, end_of, lookup_of, visit_pieces
from pellucid.journey import Journey, Kind, Visit, last_instant

__all__ = ["KINDS", "chain_of", "draw", "found_late", "rounds"]

KINDS: dict[Kind, tuple[str, str]] = {
    "document": ("html", "document"),
    "iframe": ("page", "frame"),
    "stylesheet": ("css", "stylesheet"),
    "script": ("js", "script"),
    "image": ("img", "image"),
    "font": ("font", "font"),
    "manifest": ("app", "manifest"),
    "media": ("av", "media file"),
    "icon": ("icon", "icon"),
    "preload": ("pre", "preload"),
    "fetch": ("data", "data request"),
    "other": ("", "other request"),
}
"""What a kind is called in a column of four letters, and in a sentence (singular)."""


def rounds(journey: Journey) -> list[int]:
    """The visits of the page that were made: `[1]`, or `[1, 2]` for a page that was visited twice."""
    return sorted({visit.round for visit in journey.visits}) or [1]


def chain_of(visits: list[Visit]) -> list[Visit]:
    """What was typed and every redirect from there, the document last."""
    chain: list[Visit] = []
    at = next((visit for visit in visits if visit.initiator.by == "user"), visits[0] if visits else None)
    while at is not None and at not in chain:
        chain.append(at)
        at = next((visit for visit in visits if visit.redirected_from == chain[-1].id), None)
    return chain


def draw(journey: Journey, round: int = 1, most: int | None = 20) -> Drawing:
    """Draw one round of a journey; of each kind at most `most` requests have a row of their own (None: all)."""
    visits = [visit for visit in journey.visits if visit.round == round]
    chain = chain_of(visits)
    end = _end(journey, visits, round)
    rows = _Forest(journey, visits, chain, most, _arrivals(journey, chain, end)).rows() if visits else _lonely(journey, end)
    start = min([piece.start for row in rows for piece in row.pieces], default=0)
    end = max([piece.end for row in rows for piece in row.pieces], default=start)
    return Drawing(clean(journey.shown or journey.url), min(start, 0) if round == 1 else start, end, rows)


def _end(journey: Journey, visits: list[Visit], round: int) -> int:
    own = max((end_of(visit) for visit in visits), default=0)
    return own if visits and round < max(rounds(journey)) else max(last_instant(journey), own)


def _arrivals(journey: Journey, chain: list[Visit], end: int) -> dict[int, list[Row]]:
    """The rows of names and connections above each link of the chain: those that it was the first to need."""
    rows: dict[int, list[Row]] = {}
    lookups: set[int] = set()
    connections: set[int] = set()
    for visit in chain:
        lookup, connection = lookup_of(journey, visit), connection_of(journey, visit)
        new = lookup if lookup is not None and lookup.id not in lookups else None
        own = connection if connection is not None and not visit.reused and connection.id not in connections else None
        rows[visit.id] = arrival_rows(journey, new, own, end)
        lookups |= {new.id} if new is not None else set()
        connections |= {own.id} if own is not None else set()
    return rows


def _lonely(journey: Journey, end: int) -> list[Row]:
    """A journey that ended before its first request: all names and connections that there are."""
    rows: list[Row] = []
    used: set[int | None] = {connection.lookup for connection in journey.connections}
    for lookup in journey.lookups:
        if lookup.id not in used:
            rows += arrival_rows(journey, lookup, None, end)
    for connection in journey.connections:
        found = next((each for each in journey.lookups if each.id == connection.lookup), None)
        rows += arrival_rows(journey, found, connection, end)
    return rows


class _Forest:
    """The visits of a round as a tree by initiator, and their rows."""

    def __init__(
        self, journey: Journey, visits: list[Visit], chain: list[Visit], most: int | None, arrivals: dict[int, list[Row]]
    ) -> None:
        self.journey = journey
        self.most = most
        self.length = max((end_of(visit) for visit in visits), default=0) - min((visit.discovered for visit in visits), default=0)
        self.arrivals = arrivals
        self.chain = chain
        self.origin = _origin(chain[-1].url) if chain else ""
        self.children: dict[int, list[Visit]] = {}
        self.by_id = {visit.id: visit for visit in visits}
        self.roots = list(chain)
        roots = {visit.id for visit in chain}
        for visit in visits:
            parent = visit.redirected_from if visit.redirected_from is not None else visit.initiator.visit
            if visit.id in roots:
                continue
            if parent is None or parent not in self.by_id:
                self.roots.append(visit)
            else:
                self.children.setdefault(parent, []).append(visit)
        self._cut_circles(visits)
        self.hidden = self._choose_hidden(visits, most)

    def _cut_circles(self, visits: list[Visit]) -> None:
        """Make a root of whatever no root leads to: a client that was wrong must not make a visit vanish."""
        reached: set[int] = set()
        ahead = [visit.id for visit in self.roots]
        pending = [visit.id for visit in visits]
        while True:
            while ahead:
                id = ahead.pop()
                reached.add(id)
                kept = [child for child in self.children.get(id, []) if child.id not in reached]
                if id in self.children:
                    self.children[id] = kept
                reached |= {child.id for child in kept}
                ahead += [child.id for child in kept]
            lost = next((id for id in pending if id not in reached), None)
            if lost is None:
                return
            self.roots.append(self.by_id[lost])
            ahead.append(lost)

    def _choose_hidden(self, visits: list[Visit], most: int | None) -> set[int]:
        if most is None:
            return set()
        hidden: set[int] = set()
        roots = {visit.id for visit in self.roots}
        kinds: dict[Kind, list[Visit]] = {}
        for visit in visits:
            kinds.setdefault(visit.kind, []).append(visit)
        for group in kinds.values():
            if len(group) <= most:
                continue
            free = [visit for visit in group if visit.id not in roots and visit.failure is None]
            room = max(most - 1 - (len(group) - len(free)), 3)
            kept = {visit.id for visit in _telling(free, room)}
            hidden |= {visit.id for visit in free if visit.id not in kept}
        above = {child.id: id for id, children in self.children.items() for child in children}
        for visit in visits:
            at = above.get(visit.id) if visit.id not in hidden else None
            while at is not None and at in hidden:  # what is shown hangs below something that is
                hidden.discard(at)
                at = above.get(at)
        return hidden

    def _below(self, visit: Visit) -> list[Visit]:
        """A visit that is hidden, and everything below it, which is hidden as well."""
        found = [visit]
        for each in found:
            found += self.children.get(each.id, [])
        return found

    def rows(self) -> list[Row]:
        rows: list[Row] = []
        stack: list[tuple[Visit, tuple[bool, ...]] | Row] = [(visit, ()) for visit in reversed(self.roots)]
        while stack:
            entry = stack.pop()
            if isinstance(entry, Row):
                rows.append(entry)
                continue
            visit, tree = entry
            rows += [*self.arrivals.get(visit.id, []), self._visit_row(visit, tree)]
            below = self.children.get(visit.id, [])
            shown = [child for child in below if child.id not in self.hidden]
            bundles = _bundles([each for child in below if child.id in self.hidden for each in self._below(child)])
            if self.most is None or visit in self.chain or tells_more(visit, self.length):
                rows += inside_rows(visit, tree, bool(below))
            for at, bundle in reversed(list(enumerate(bundles))):
                stack.append(self._more_row(bundle, (*tree, at + 1 < len(bundles))))
            for at, child in reversed(list(enumerate(shown))):
                stack.append((child, (*tree, at + 1 < len(shown) or bool(bundles))))
        return rows

    def _visit_row(self, visit: Visit, tree: tuple[bool, ...]) -> Row:
        received = visit.received
        pieces = visit_pieces(self.journey, visit, setup=visit not in self.chain)
        if not pieces and visit not in self.chain:
            pieces = [Piece("queue", visit.discovered, end_of(visit))]
        redirected = visit.redirected_from is not None and visit not in self.chain
        size = None if visit.from_cache == "fresh" or received is None else visit.body.wire
        return Row(
            "visit",
            visit.id,
            tree=tree,
            lead="→" if redirected else clean(visit.method) if not tree or visit.method != "GET" else "",
            label=self._label(visit),
            kind=KINDS[visit.kind][0] if visit not in self.chain else "",
            status=str(received.status) if received is not None else "–",
            size=size,
            duration=pieces[-1].end - pieces[0].start if pieces else None,
            tone=_tone(visit),
            pieces=tuple(pieces),
            note=self._note(visit),
            failed=visit.failure is not None,
            visits=(visit.id,),
        )

    def _label(self, visit: Visit) -> str:
        origin = _origin(visit.url)
        text = visit.url.partition("#")[0]
        if origin == self.origin:
            return clean(text[len(origin) :] or "/")
        if visit.url.startswith("data:"):
            return clean(text[:64])
        scheme, _, rest = text.partition("://")
        return clean(text if visit in self.chain or not rest or scheme != self.origin.partition("://")[0] else rest)

    def _note(self, visit: Visit) -> str:
        notes: list[str] = []
        if visit.failure is not None:
            connection = connection_of(self.journey, visit)
            told = visit in self.chain and connection is not None and connection.failure == visit.failure
            notes.append(clean(visit.failure.message) if not told else "never sent" if visit.sent_first is None else "failed")
        if visit.redirected_to is not None:
            notes.append(f"→ {clean(visit.redirected_to)}")
        if visit.from_cache is not None:
            notes.append("from the cache" if visit.from_cache == "fresh" else "not changed, from the cache")
        if (late := found_late(self.by_id, visit)) > 0 and visit.kind == "font":
            notes.append(f"found {duration_text(late)} late")
        if not visit.body.complete and visit.failure is None:
            notes.append("cut short")
        return "; ".join(notes)

    def _more_row(self, bundle: list[Visit], tree: tuple[bool, ...]) -> Row:
        start, end = min(visit.discovered for visit in bundle), max(end_of(visit) for visit in bundle)
        short, name = KINDS[bundle[0].kind]
        count = len(bundle)
        return Row(
            "more",
            tree=tree,
            label=count_text(count, f"more {name}"),
            kind=short,
            size=sum(visit.body.wire for visit in bundle),
            duration=end - start,
            tone="quiet",
            pieces=(Piece("more", start, end),),
            visits=tuple(visit.id for visit in bundle),
        )


def _telling(visits: list[Visit], room: int) -> list[Visit]:
    """The visits that tell most: in turn the slowest, the biggest and the first of those that are left."""
    orders = [
        sorted(visits, key=lambda visit: visit.discovered - end_of(visit)),
        sorted(visits, key=lambda visit: -visit.body.wire),
        list(visits),
    ]
    kept: dict[int, Visit] = {}
    places = [iter(order) for order in orders]
    turn = 0
    while len(kept) < min(room, len(visits)):
        found = next((visit for visit in places[turn % 3] if visit.id not in kept), None)
        if found is not None:
            kept[found.id] = found
        turn += 1
    return list(kept.values())


def _bundles(visits: Iterable[Visit]) -> list[list[Visit]]:
    kinds: dict[Kind, list[Visit]] = {}
    for visit in visits:
        kinds.setdefault(visit.kind, []).append(visit)
    return list(kinds.values())


def found_late(visits: dict[int, Visit], visit: Visit) -> int:
    """Nanoseconds between when the page named the stylesheet, script or frame that led to a resource and when that named it:
    what it would have been found sooner, had the page named it as well."""
    above, seen = visit, {visit.id}
    while (parent := visits.get(above.initiator.visit if above.initiator.visit is not None else -1)) is not None:
        if parent.id in seen or parent.kind not in ("stylesheet", "script", "iframe"):
            break
        seen.add(parent.id)
        above = parent
    return max(visit.discovered - above.discovered, 0)


def _origin(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0].partition('#')[0]}" if separator else ""


def _tone(visit: Visit) -> Tone:
    if visit.failure is not None:
        return "bad"
    status = visit.received.status if visit.received is not None else 0
    return "plain" if not status else "good" if status < 300 else "moved" if status < 400 else "bad"


