"""The rows above a request: how its name became an address, the address a connection, and the connection a secure one.

In: a lookup, a connection. Out: rows. Losers are drawn as well as winners.
"""

from __future__ import annotations

import re

from pellucid.anatomy.cells import clean
from pellucid.anatomy.drawing import Piece, Row
from pellucid.anatomy.figures import count_text, duration_text
from pellucid.journey import Attempt, Connection, Failure, Journey, Lookup

__all__ = ["arrival_rows", "days_text", "walk_text"]

_MOST_ATTEMPTS = 6
_MOST_ZONES = 8
_DOWNWARDS = ("priming", "servers of ")
"""What a question of the walk itself is for; the others fetch keys, or addresses of servers."""


def arrival_rows(journey: Journey, lookup: Lookup | None, connection: Connection | None, until: int) -> list[Row]:
    """The rows of one way to a server; `until` ends what never ended."""
    rows: list[Row] = []
    if lookup is not None and (lookup.how != "literal" or lookup.failure is not None):
        rows.append(_lookup_row(lookup, until))
    if connection is not None:
        rows += _attempt_rows(connection, until, lookup.failure if lookup is not None else None)
        if connection.tls is not None:
            rows.append(_tls_row(journey, connection, until))
    return rows


def _end(started: int, ended: int | None, until: int) -> int:
    return max(ended if ended is not None else until, started)


# Names


def walk_text(lookup: Lookup) -> str:
    """How a name was found: the zones that a walk passed, or who was asked."""
    name = clean(lookup.shown)
    if lookup.how == "walk":
        zones: list[str] = []
        for hop in lookup.hops:
            downwards = hop.purpose is None or hop.purpose.startswith(_DOWNWARDS)
            if hop.depth == 0 and hop.zone is not None and downwards and hop.zone not in zones:
                zones.append(hop.zone)
        names = [clean(zone) for zone in zones]
        if len(names) > _MOST_ZONES:
            names = [*names[:2], "…", *names[3 - _MOST_ZONES :]]
        target = f"{name}." if not name.endswith(".") else name
        return " → ".join([*names, *([target] if target not in names else []), *(clean(each) for each in lookup.aliases[:4])])
    sources = {
        "hosts": "from the hosts file",
        "override": "as told by --resolve",
        "reserved": "never asked for",
        "cache": "from the cache of this run",
    }
    asked = list(dict.fromkeys(hop.server for hop in lookup.hops if hop.server))
    told = f"asked {', '.join(clean(each) for each in asked[:2])}" if asked else "as the system does"
    source = sources.get(lookup.how, told)
    aliases = "".join(f" → {clean(alias)}" for alias in lookup.aliases[:4])
    return f"{name}{aliases}, {source}"


def _lookup_row(lookup: Lookup, until: int) -> Row:
    end = _end(lookup.started, lookup.ended, until)
    failed = lookup.failure is not None
    verdict = f"  {lookup.verdict}" if lookup.verdict is not None else ""
    hops = sum(1 for hop in lookup.hops if hop.transport in ("udp", "tcp"))
    aside = count_text(hops, "hop") if lookup.how == "walk" else _addresses(lookup.addresses)
    failure = lookup.failure.message if lookup.failure is not None else ""
    why = (lookup.verdict_says or "") if lookup.verdict == "bogus" else ""
    says = [clean(each) for each in (why if why not in failure else "", failure) if each]
    return Row(
        "lookup",
        lookup.id,
        lead="dns",
        label=f"{walk_text(lookup)}{verdict}",
        aside="" if failed else aside,
        duration=end - lookup.started,
        tone="bad" if failed or lookup.verdict == "bogus" else "plain",
        pieces=(Piece("dns", lookup.started, end),),
        note="; ".join(says),
        failed=failed,
    )


def _addresses(addresses: list[str]) -> str:
    if not addresses:
        return ""
    more = f" +{len(addresses) - 1}" if len(addresses) > 1 else ""
    return f"{clean(addresses[0])}{more}"


# Connections


def _attempt_rows(connection: Connection, until: int, named: Failure | None) -> list[Row]:
    """One for each attempt; where there was none since the name failed (`named`), its row has said so already."""
    attempts = connection.attempts
    shown = attempts if len(attempts) <= _MOST_ATTEMPTS else [*attempts[: _MOST_ATTEMPTS - 1], attempts[-1]]
    rows = [_attempt_row(connection, attempt, len(attempts) == 1, until) for attempt in shown]
    if len(shown) < len(attempts):
        left = attempts[len(shown) - 1 : -1]
        pieces = tuple(Piece("lost", each.started, _end(each.started, each.ended, until)) for each in left)
        end = max(piece.end for piece in pieces)
        text = f"{count_text(len(left), 'more attempt')}, none won"
        rows.insert(-1, Row("attempt", connection.id, lead="tcp", label=text, duration=end - pieces[0].start, pieces=pieces))
    if not rows and connection.failure is not None and connection.failure != named:
        rows.append(Row("attempt", connection.id, lead="tcp", label=clean(connection.failure.message), tone="bad", failed=True))
    return rows


_OUTCOMES = {
    "won": "won", "lost": "lost", "refused": "refused", "unreachable": "unreachable", "timeout": "timed out", "failed": "failed",
    None: "given up",
}  # fmt: skip


def _attempt_row(connection: Connection, attempt: Attempt, alone: bool, until: int) -> Row:
    end = _end(attempt.started, attempt.ended, until)
    won = attempt.outcome == "won"
    address = f"[{clean(attempt.address)}]" if ":" in attempt.address else clean(attempt.address)
    usual = {"http": 80, "https": 443}.get(connection.scheme)
    place = address if attempt.port == usual else f"{address}:{attempt.port}"
    first = min(each.started for each in connection.attempts)
    delay = f"+{duration_text(attempt.started - first)}" if attempt.started > first else ""
    kernel = connection.kernel
    again = f", {count_text(kernel.retransmits, 'segment')} sent again" if kernel is not None and kernel.retransmits else ""
    asides = [f"round trip {duration_text(kernel.rtt * 1000)}{again}"] if won and kernel is not None else []
    if delay:
        asides.append(delay)
    failed = attempt.outcome in ("refused", "unreachable", "timeout", "failed") and connection.connected is None
    return Row(
        "attempt",
        connection.id,
        lead="tcp",
        label=place if alone and won else f"{place} {_OUTCOMES.get(attempt.outcome, 'given up')}",
        aside=", ".join(asides),
        duration=end - attempt.started,
        tone="bad" if failed else "plain" if won else "quiet",
        pieces=(Piece("connect" if won else "lost", attempt.started, end),),
        note=clean(attempt.says) if failed else "",
        failed=failed,
    )


def _tls_row(journey: Journey, connection: Connection, until: int) -> Row:
    tls = connection.tls
    assert tls is not None
    end = _end(tls.started, tls.ended, until)
    version = re.sub(r"^TLSv", "", tls.version or "")
    words = [clean(each) for each in (version, tls.alpn, tls.group) if each]
    parts = [" ".join(words)] if words else []
    if tls.resumed:
        parts.append("resumed")
    if sent := sum(1 for each in tls.chain if each.sent):
        parts.append(count_text(sent, "cert"))
    if tls.chain:
        parts.append(days_text(tls.chain[0].not_after, journey.began))
    if tls.failure is not None:
        parts.append("used without trust" if connection.ready is not None else "refused")
    return Row(
        "tls",
        connection.id,
        lead="tls",
        label=", ".join(parts) or "handshake",
        duration=end - tls.started,
        tone="plain" if tls.failure is None else "warning" if connection.ready is not None else "bad",
        pieces=(Piece("tls", tls.started, end),),
        note=clean(tls.failure.message) if tls.failure is not None else "",
        failed=tls.failure is not None and connection.ready is None,
    )


def days_text(not_after: float, now: float) -> str:
    """How long a certificate is good for: `41 days left`, `5 hours left`, `expired 3 days ago`."""
    left = not_after - now
    days, hours = int(abs(left) // 86_400), int(abs(left) // 3600)
    amount = count_text(days, "day") if days else count_text(hours, "hour") if hours else "minutes"
    return f"{amount} left" if left > 0 else f"expired {amount} ago"
