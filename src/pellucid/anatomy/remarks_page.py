"""Remarks on the page: what was found late, came uncompressed, cannot be kept, or had to wait for its turn.

In: a Journey. Out: a remark of each rule, or None.
"""

from __future__ import annotations

import re
import zlib

from pellucid.anatomy.cells import clean, fit_middle
from pellucid.anatomy.figures import count_text, duration_text, join_text, size_text
from pellucid.anatomy.phases import connection_of, crowded, end_of, visit_pieces
from pellucid.anatomy.remark import Remark, Rule, document_of, first_round, header, name_of, share
from pellucid.anatomy.waterfall import chain_of, found_late
from pellucid.journey import Journey, Kind, Visit

__all__ = ["RULES"]

MS = 1_000_000
_LATE = 10 * MS
_TEXT = re.compile(r"text/|(application|image)/([\w.+-]*\+)?(json|xml|javascript|ecmascript|wasm)\b|font/(ttf|otf)", re.I)
_SAMPLE = 256 * 1024
_LEAST_TEXT, _LEAST_SAVED = 2048, 4096
_MUCH = 50_000
"""Bytes: what is spared of a smaller page counts for less."""
_BIG_IMAGE = 500_000


def late_fonts(journey: Journey) -> Remark | None:
    """Fonts that nothing named before the stylesheet was there."""
    found = _late(journey, "font")
    if not found:
        return None
    late = max(late for _, late in found)
    text = f"{count_text(len(found), 'font')} found only after CSS, {duration_text(late)} late; a preload would spare that"
    return Remark(25 + 60 * share(journey, late), text)


def late_sheets(journey: Journey) -> Remark | None:
    """Stylesheets behind @import: each waits for the one before it, and the page for all."""
    found = _late(journey, "stylesheet")
    if not found:
        return None
    late = max(late for _, late in found)
    text = f"{count_text(len(found), 'stylesheet')} found only through @import, {duration_text(late)} late"
    return Remark(25 + 60 * share(journey, late), text)


def late_scripts(journey: Journey) -> Remark | None:
    """Scripts behind the imports of other scripts."""
    found = _late(journey, "script")
    if not found:
        return None
    late = max(late for _, late in found)
    what = f"{count_text(len(found), 'script')} found only after other scripts"
    text = f"{what}, {duration_text(late)} late; a modulepreload would spare that"
    return Remark(20 + 60 * share(journey, late), text)


def _late(journey: Journey, kind: Kind) -> list[tuple[Visit, int]]:
    visits = {visit.id: visit for visit in first_round(journey)}
    lates = [(visit, found_late(visits, visit)) for visit in visits.values() if visit.kind == kind]
    return [(visit, late) for visit, late in lates if late >= _LATE and visit.redirected_from is None]


def uncompressed(journey: Journey) -> Remark | None:
    """Text that came as it is, although it would be a third with gzip."""
    plain = [visit for visit in first_round(journey) if _could_be_smaller(visit)]
    saved = sum(_saved(visit) for visit in plain)
    whole = sum(visit.body.wire for visit in first_round(journey))
    if saved < _LEAST_SAVED:
        return None
    size = sum(visit.body.coded for visit in plain)
    what = name_of(plain[0]) if len(plain) == 1 else count_text(len(plain), "text file")
    text = f"{what} came uncompressed: gzip would save about {size_text(saved)} of {size_text(size)}"
    return Remark(20 + 50 * saved / max(whole, 1) * min(saved / _MUCH, 1), text[:1].upper() + text[1:])


def _could_be_smaller(visit: Visit) -> bool:
    body = visit.body
    kind = body.computed_type or body.supplied_type or header(visit, "content-type") or ""
    coded = bool(body.codings) or (header(visit, "content-encoding") or "identity").strip().lower() not in ("", "identity")
    return (
        visit.received is not None
        and visit.from_cache is None
        and not coded
        and body.coded >= _LEAST_TEXT
        and _TEXT.match(kind.strip()) is not None
    )


def _saved(visit: Visit) -> int:
    """Bytes that gzip would spare, from a sample of what was kept; a third is left where nothing was."""
    sample = visit.body.kept[:_SAMPLE]
    ratio = len(zlib.compress(sample, 6)) / len(sample) if len(sample) >= 512 else 1 / 3
    return max(round(visit.body.coded * (1 - ratio)), 0)


def unkept(journey: Journey) -> Remark | None:
    """Files of which nothing says that they may be kept."""
    kinds = ("stylesheet", "script", "font", "image")
    files = [visit for visit in first_round(journey) if visit.kind in kinds and visit.received is not None]
    fetched = [visit for visit in files if visit.received is not None and visit.received.status == 200 and visit.method == "GET"]
    again = [visit for visit in fetched if _must_be_fetched_again(visit)]
    size = sum(visit.body.wire for visit in again)
    if len(again) < 3 and size < 50_000:
        return None
    whole = sum(visit.body.wire for visit in first_round(journey))
    what = f"{count_text(len(again), 'file')} ({size_text(size)})"
    text = f"{what} will be fetched whole on the next visit: nothing says how long they may be kept"
    return Remark(15 + 30 * size / max(whole, 1), text)


def _must_be_fetched_again(visit: Visit) -> bool:
    control = (header(visit, "cache-control") or "").lower()
    if "no-store" in control:
        return True
    return not control and not any(header(visit, name) for name in ("expires", "etag", "last-modified"))


def blocked_rendering(journey: Journey) -> Remark | None:
    """How long stylesheets and scripts held the first paint up after the page had begun to come."""
    document = document_of(journey)
    if document is None or document.first_byte is None:
        return None
    blocking = [visit for visit in first_round(journey) if visit.blocking]
    end = max((end_of(visit) for visit in blocking), default=0)
    held = end - max(document.last_byte or document.first_byte, document.first_byte)
    part = share(journey, held) if held > 0 else 0.0
    if held < 30 * MS or part < 0.3:
        return None
    kinds = [(kind, sum(1 for visit in blocking if visit.kind == kind)) for kind in ("stylesheet", "script")]
    what = join_text([count_text(count, kind) for kind, count in kinds if count])
    text = f"Nothing could be painted for {duration_text(held)} after the page was there: it waited for {what}"
    return Remark(18 + 40 * part, text)


def queued(journey: Journey) -> Remark | None:
    """Requests that waited for one of the six connections that HTTP/1.1 has per host."""
    waits: list[int] = []
    chain = chain_of(first_round(journey))
    for visit in first_round(journey):
        connection = connection_of(journey, visit)
        if visit in chain or visit.kind == "icon" or connection is None or connection.protocol == "h2":
            continue
        waited = sum(piece.end - piece.start for piece in visit_pieces(journey, visit) if piece.phase == "queue")
        if waited >= 5 * MS and crowded(journey, visit):
            waits.append(waited)
    longest = max(waits, default=0)
    part = share(journey, longest)
    if len(waits) < 3 or part < 0.1:
        return None
    what = f"{count_text(len(waits), 'request')} waited for a free connection"
    text = f"{what}, up to {duration_text(longest)}: HTTP/1.1 has six for a host"
    return Remark(20 + 50 * part, text)


def forbidden(journey: Journey) -> Remark | None:
    """Parts that the page names and a browser blocks: by the page's own policy, or as mixed content."""
    by_policy = [skipped for skipped in journey.skipped if (skipped.source or "").startswith("CSP 3")]
    mixed = [skipped for skipped in journey.skipped if (skipped.source or "").startswith("Mixed Content")]
    if by_policy:
        why = clean(by_policy[0].why).removeprefix("A browser blocks it: ")
        what = f"{count_text(len(by_policy), 'part')} of the page {'is' if len(by_policy) == 1 else 'are'}"
        return Remark(55, f"{what} forbidden by its own policy: {fit_middle(clean(by_policy[0].url), 60)}, since {why}")
    if mixed:
        more = f" (and {count_text(len(mixed) - 1, 'more part')})" if len(mixed) > 1 else ""
        return Remark(66, f"{clean(mixed[0].why)}: {fit_middle(clean(mixed[0].url), 60)}{more}")
    return None


def big_images(journey: Journey) -> Remark | None:
    """Images of half a megabyte and more."""
    big = [visit for visit in first_round(journey) if visit.kind == "image" and visit.body.wire >= _BIG_IMAGE]
    if not big:
        return None
    biggest = max(big, key=lambda visit: visit.body.wire)
    whole = sum(visit.body.wire for visit in first_round(journey))
    size = sum(visit.body.wire for visit in big)
    text = f"{name_of(biggest)} is {size_text(biggest.body.wire)}"
    if len(big) > 1:
        text = f"{count_text(len(big), 'big image')} make {size_text(size)} of {size_text(whole)}; {text}"
    return Remark(25 + 40 * size / max(whole, 1), text)


RULES: tuple[Rule, ...] = (
    late_fonts, late_sheets, late_scripts, uncompressed, unkept, blocked_rendering, queued, forbidden, big_images,
)  # fmt: skip
