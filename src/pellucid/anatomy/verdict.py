"""The journey in one sentence: how it ended, how long it took and on what, and what it cost.

In: a Journey. Out: a sentence, and whether that is good news.

    200 OK in 184 ms: 61 % waiting for the server (SQL 12 ms of 19 ms), 3 connections, 14 requests, 212 kB
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

import msgspec

from pellucid.anatomy.cells import clean
from pellucid.anatomy.drawing import Phase
from pellucid.anatomy.figures import count_text, duration_text, share_text, size_text
from pellucid.anatomy.inside import server_time, statements
from pellucid.anatomy.phases import connection_of, crowded, end_of, lookup_of, spans_of, visit_pieces
from pellucid.anatomy.waterfall import chain_of
from pellucid.journey import Journey, Visit, last_instant

__all__ = ["Verdict", "judge", "phase_shares", "span_of", "status_text"]


class Verdict(msgspec.Struct, frozen=True):
    """The sentence, whether it is good news, and where it is not, what would help."""

    text: str
    tone: Literal["good", "warning", "bad"]
    hint: str | None = None


_PREFIXES = {"name": "No address", "connection": "No connection", "connect": "No connection", "timeout": "No answer in time"}
_ACTS: dict[Phase, str] = {
    "queue": "waiting for a connection", "dns": "looking up names", "connect": "connecting", "tls": "in TLS handshakes",
    "send": "sending", "wait": "waiting for the server", "receive": "receiving",
}  # fmt: skip
_RANK: list[Phase] = ["receive", "wait", "send", "tls", "connect", "dns", "queue"]
"""What counts where several things happened at once: the one furthest on its way."""


def judge(journey: Journey, round: int = 1) -> Verdict:
    """The verdict on one round of a journey."""
    visits = [visit for visit in journey.visits if visit.round == round]
    chain = chain_of(visits)
    document = chain[-1] if chain else None
    failure = journey.failure or (document.failure if document is not None else None)
    start, end = span_of(journey, round)
    if failure is not None and (document is None or document.received is None):
        hint = clean(failure.hint) if failure.hint else None
        return Verdict(_failed(failure.slug, clean(failure.message), visits, end - start), "bad", hint)
    if document is None or document.received is None:
        return Verdict(f"No answer after {duration_text(end - start)}: nothing more was told", "bad")
    status = document.received.status
    head = f"{status_text(document)} in {duration_text(end - start)}"
    if document.body.complete is False or failure is not None:
        said = clean(failure.message) if failure is not None else "its body was cut short"
        return Verdict(f"{head}, but {said[:1].lower()}{said[1:]}: {', '.join(_costs(visits))}", "bad")
    parts = [part for part in (_longest(journey, visits, start, end),) if part]
    # A browser's question for an icon that no page named may be answered with "no".
    failed = sum(1 for visit in visits if visit.failure is not None and visit.initiator.what != "/favicon.ico")
    parts += [*_costs(visits), *([f"{count_text(failed, 'request')} failed"] if failed else [])]
    tone: Literal["good", "warning", "bad"] = "bad" if status >= 400 else "warning" if failed else "good"
    return Verdict(f"{head}: {', '.join(parts)}", tone)


def status_text(visit: Visit) -> str:
    """`200 OK`, `404 Not Found`: the reason as sent, or the registered one, since HTTP/2 sends none."""
    received = visit.received
    if received is None:
        return "no answer"
    reason = clean(received.reason)[:60]
    if not reason:
        try:
            reason = HTTPStatus(received.status).phrase
        except ValueError:
            reason = ""
    return f"{received.status} {reason}".strip()


def span_of(journey: Journey, round: int = 1) -> tuple[int, int]:
    """When a round began and ended."""
    visits = [visit for visit in journey.visits if visit.round == round]
    last = max((visit.round for visit in journey.visits), default=1)
    start = 0 if round == 1 else min((visit.discovered for visit in visits), default=0)
    end = max((end_of(visit) for visit in visits), default=start) if round < last else last_instant(journey)
    return start, max(end, start)


def _failed(slug: str, message: str, visits: list[Visit], elapsed: int) -> str:
    prefix = next((text for start, text in _PREFIXES.items() if slug.startswith(start)), None)
    if slug.startswith(("certificate", "tls")):
        sent = any(visit.sent_first is not None for visit in visits)
        return message if sent or "nothing was sent" in message else f"{message}: nothing was sent"
    head = message if prefix is None or message.startswith(prefix) else f"{prefix}: {message}"
    told = slug == "timeout" and message.endswith(" s")  # it has said when
    return f"{head}, after {duration_text(elapsed)}" if elapsed and not told else head


def _costs(visits: list[Visit]) -> list[str]:
    connections = len({visit.connection for visit in visits if visit.connection is not None})
    asked = sum(1 for visit in visits if visit.from_cache != "fresh")
    cached = len(visits) - asked
    parts = [count_text(connections, "connection"), count_text(asked, "request")]
    if cached:
        parts.append(f"{cached} from the cache")
    return [*parts, size_text(sum(visit.body.wire for visit in visits))]


def _longest(journey: Journey, visits: list[Visit], start: int, end: int) -> str:
    shares = phase_shares(journey, visits)
    if not shares or end <= start:
        return ""
    phase = max(shares, key=lambda each: shares[each])
    act = _ACTS[phase]
    if phase == "queue" and not any(crowded(journey, visit) for visit in visits):
        act = "reading the page here"  # a connection was free, and the request not yet written
    text = f"{share_text(shares[phase], end - start)} {act}"
    return f"{text}{_server_text(visits)}" if phase == "wait" else text


def _server_text(visits: list[Visit]) -> str:
    told = [visit.inside for visit in visits if visit.inside is not None and visit.inside.spans]
    if not told:
        return ""
    whole = sum(end - start for start, end in map(server_time, told))
    sql = sum(statement.duration for inside in told for statement in statements(inside))
    return f" (SQL {duration_text(sql)} of {duration_text(whole)})" if sql else f" ({duration_text(whole)} inside it)"


def phase_shares(journey: Journey, visits: list[Visit]) -> dict[Phase, int]:
    """Nanoseconds of wall time by phase; where several happened at once, the one furthest on its way counts."""
    stretches: list[tuple[int, int, int]] = []
    for visit in visits:
        pieces = [(piece.phase, piece.start, piece.end) for piece in visit_pieces(journey, visit)]
        if not visit.reused:
            pieces += spans_of(lookup_of(journey, visit), connection_of(journey, visit), end_of(visit))
        stretches += [(_RANK.index(phase), start, end) for phase, start, end in pieces if phase in _RANK and end > start]
    borders: list[tuple[int, int, int]] = sorted(
        [(start, 1, rank) for rank, start, _ in stretches] + [(end, -1, rank) for rank, _, end in stretches]
    )
    active = [0] * len(_RANK)
    sums: dict[Phase, int] = {}
    before = 0
    for at, change, rank in borders:
        now = next((number for number, count in enumerate(active) if count), None)
        if now is not None and at > before:
            sums[_RANK[now]] = sums.get(_RANK[now], 0) + at - before
        before = at
        active[rank] += change
    return sums
