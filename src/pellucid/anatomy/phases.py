"""What a visit did from instant to instant: queued, looked up, connected, sent, waited, received.

In: a visit and the journey's lookups and connections. Out: pieces on the axis, in order, without overlaps. Phases follow the
browsers' names; what was going on when a visit failed reaches to its end.
"""

from __future__ import annotations

from pellucid.anatomy.drawing import Phase, Piece
from pellucid.journey import Connection, Journey, Lookup, Visit

__all__ = ["connection_of", "crowded", "end_of", "lookup_of", "request_pieces", "spans_of", "visit_pieces"]

_PER_HOST = 6


def connection_of(journey: Journey, visit: Visit) -> Connection | None:
    """The connection that carried it."""
    return next((each for each in journey.connections if each.id == visit.connection), None)


def lookup_of(journey: Journey, visit: Visit) -> Lookup | None:
    """The lookup that it waited for, or that its connection did."""
    connection = connection_of(journey, visit)
    ids = {visit.lookup, connection.lookup if connection is not None else None} - {None}
    return next((each for each in journey.lookups if each.id in ids), None)


def crowded(journey: Journey, visit: Visit) -> bool:
    """Whether it waited for its turn while all six connections that HTTP/1.1 has for a host carried other requests."""
    own = connection_of(journey, visit)
    if own is None or own.protocol == "h2" or visit.connection_ready is None:
        return False
    middle = (visit.discovered + visit.connection_ready) // 2
    hosts = {each.id for each in journey.connections if (each.host, each.port) == (own.host, own.port)}
    busy = {
        other.connection
        for other in journey.visits
        if other.connection in hosts and (other.queued_until or other.discovered) <= middle < end_of(other)
    }
    return len(busy) >= _PER_HOST


def end_of(visit: Visit) -> int:
    """The last instant known of it."""
    known = (visit.discovered, visit.queued_until, visit.connection_ready, visit.sent_last, visit.first_byte, visit.last_byte)
    return max([at for at in (*known, visit.finished) if at is not None])


def visit_pieces(journey: Journey, visit: Visit, *, setup: bool = True) -> list[Piece]:
    """All of it; without `setup` what is drawn elsewhere is left out: what came before it could be sent."""
    before = _setup_pieces(journey, visit) if setup else []
    return _chain([(piece.phase, piece.start, piece.end) for piece in (*before, *request_pieces(visit))])


def request_pieces(visit: Visit) -> list[Piece]:
    """From the first byte sent to the last byte received."""
    end = end_of(visit)
    if visit.sent_first is None:
        if visit.from_cache is not None or visit.first_byte is not None:
            return _chain([("receive", visit.first_byte or visit.discovered, visit.last_byte or end)])
        return []
    sent = visit.sent_last if visit.sent_last is not None else min(visit.first_byte or end, end)
    if visit.first_byte is None:
        return _chain([("send", visit.sent_first, sent), ("wait", sent, end)])
    last = visit.last_byte if visit.last_byte is not None else end
    return _chain([("send", visit.sent_first, sent), ("wait", sent, visit.first_byte), ("receive", visit.first_byte, last)])


def _setup_pieces(journey: Journey, visit: Visit) -> list[Piece]:
    ready = visit.connection_ready if visit.connection_ready is not None else visit.sent_first
    if ready is None:
        ready = end_of(visit)
        if visit.from_cache is not None:
            return []
    asked = min(visit.queued_until if visit.queued_until is not None else ready, ready)
    stretches: list[tuple[Phase, int, int]] = [("queue", visit.discovered, asked)]
    if not visit.reused:
        for phase, start, end in spans_of(lookup_of(journey, visit), connection_of(journey, visit), ready):
            stretches.append((phase, max(start, asked), min(end, ready)))
    pieces = _chain(stretches)
    filled: list[Piece] = []
    at = visit.discovered
    for piece in pieces:
        if piece.start > at:
            filled.append(Piece("queue", at, piece.start))
        filled.append(piece)
        at = piece.end
    until = visit.sent_first if visit.sent_first is not None else ready
    if until > at:
        filled.append(Piece("queue", at, until))
    return _merge(filled)


def spans_of(lookup: Lookup | None, connection: Connection | None, until: int) -> list[tuple[Phase, int, int]]:
    """What came between a URL and its connection: phase, start, end. What never ended lasts `until`."""
    found: list[tuple[Phase, int, int]] = []
    if lookup is not None and lookup.how != "literal":
        found.append(("dns", lookup.started, lookup.ended if lookup.ended is not None else until))
    if connection is None:
        return found
    if connection.attempts:
        start = min(attempt.started for attempt in connection.attempts)
        ends = [attempt.ended if attempt.ended is not None else until for attempt in connection.attempts]
        found.append(("connect", start, connection.connected if connection.connected is not None else max(ends)))
    if (tls := connection.tls) is not None:
        found.append(("tls", tls.started, tls.ended if tls.ended is not None else until))
    return found


def _chain(stretches: list[tuple[Phase, int, int]]) -> list[Piece]:
    """Stretches in order as pieces: each begins where the one before it ended or later; what takes no time is left out."""
    pieces: list[Piece] = []
    at: int | None = None
    for phase, start, end in stretches:
        begin = start if at is None else max(start, at)
        if end > begin:
            pieces.append(Piece(phase, begin, end))
            at = end
    return pieces


def _merge(pieces: list[Piece]) -> list[Piece]:
    merged: list[Piece] = []
    for piece in pieces:
        if merged and merged[-1].phase == piece.phase and merged[-1].end == piece.start:
            merged[-1] = Piece(piece.phase, merged[-1].start, piece.end)
        else:
            merged.append(piece)
    return merged
