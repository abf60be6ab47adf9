"""The details of names and connections: every question, every attempt, every handshake message.

In: a Journey. Out: sections.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pellucid.anatomy.figures import count_text, duration_text, size_text
from pellucid.anatomy.sections import Section, Tone
from pellucid.journey import Certificate, Connection, Hop, Initiator, Journey, Lookup

__all__ = ["connect_sections", "dns_sections", "tls_sections", "why"]

_BAD = ("timeout", "unreachable", "malformed", "lame", "refused", "servfail", "formerr")
_VERDICTS: dict[str, Tone] = {"secure": "good", "insecure": "", "bogus": "bad", "indeterminate": "warning"}
_HOW = {
    "literal": "it is an address already",
    "override": "as --resolve says",
    "reserved": "this machine, and never asked for (RFC 6761, section 6.3)",
    "hosts": "from the hosts file",
    "system": "as the system asks",
    "walk": "from the root down",
    "server": "from one server",
    "cache": "known from before",
}


def dns_sections(journey: Journey) -> list[Section]:
    """Every name: who was asked, what they said, how long it took, and whether it can be believed."""
    return [_lookup(lookup, _tried(journey, lookup)) for lookup in journey.lookups]


def _tried(journey: Journey, lookup: Lookup) -> list[str]:
    """The addresses in the order in which they were tried, which is not the sorted one where a family came late."""
    first = next((each for each in journey.connections if each.lookup == lookup.id and each.attempts), None)
    return [] if first is None else [attempt.address for attempt in first.attempts]


def _lookup(lookup: Lookup, tried: list[str]) -> Section:
    name = lookup.name if lookup.name == lookup.shown else f"{lookup.shown} ({lookup.name})"
    took = "" if lookup.ended is None else f", {duration_text(lookup.ended - lookup.started)}"
    section = Section("dns", f"Name {name}: {_HOW[lookup.how]}{took}", [])
    for hop in lookup.hops:
        _hop(section, hop)
    for alias in lookup.aliases:
        section.add(alias, "alias")
    for address in lookup.addresses:
        place = f"tried as number {tried.index(address) + 1}" if address in tried else "not tried"
        section.add(address, "address", "" if len(lookup.addresses) == 1 or not tried else place)
    for record in lookup.services:
        section.add(f"{record.name} {record.type} {record.text}", "service", "shown, not acted upon", "RFC 9460")
    if lookup.ttl is not None:
        section.add(f"{lookup.ttl} s", "lasts", "the shortest time to live of what it was made of")
    if lookup.verdict is not None:
        section.add(lookup.verdict_says or "", f"DNSSEC {lookup.verdict}", tone=_VERDICTS[lookup.verdict])
    for link in lookup.chain:
        section.add(link.says, f"{link.name} {link.what}", depth=1, tone=_VERDICTS[link.verdict])
    if lookup.failure is not None:
        section.add(lookup.failure.message, "failed", lookup.failure.hint or "", tone="bad")
    return section


def _hop(section: Section, hop: Hop) -> None:
    took = duration_text(hop.ended - hop.started)
    why = hop.purpose or ""
    if why and why != "priming":
        why = f"for {'' if why.startswith('the ') else 'the '}{why}"
    size = f"{hop.transport}, {size_text(hop.sent)} asked, {size_text(hop.received)} answered" if hop.received else hop.transport
    flags = f", {' '.join(hop.flags)}" if hop.flags else ""
    tone: Tone = "bad" if hop.outcome in _BAD else ""
    section.add(hop.says, took, ", ".join(filter(None, (why, f"{size}{flags}"))), depth=hop.depth, tone=tone)
    for note in hop.notes:
        section.add(note, "note", depth=hop.depth + 1, tone="warning")
    for record in hop.records:
        text = f"{record.name} {record.ttl} {record.type} {record.text}"
        section.add(text, record.section, depth=hop.depth + 1, tone="dim")


def connect_sections(journey: Journey) -> list[Section]:
    """Every connection: who was tried, who won, and what the kernel measured on it."""
    return [_connection(journey, connection) for connection in journey.connections]


def _connection(journey: Journey, connection: Connection) -> Section:
    ready = connection.ready if connection.ready is not None else connection.connected
    took = "" if ready is None else f", ready after {duration_text(ready - connection.started)}"
    title = f"Connection {connection.id} to {connection.host}:{connection.port}{took}"
    section = Section("connect", title, [])
    if connection.ahead is not None:
        section.add(f"because of {why(journey, connection.ahead)}", "made ahead")
    for attempt in connection.attempts:
        lasted = "" if attempt.ended is None else duration_text(attempt.ended - attempt.started)
        tone: Tone = "good" if attempt.outcome == "won" else "dim" if attempt.outcome == "lost" else "bad"
        place = f"[{attempt.address}]" if ":" in attempt.address else attempt.address
        section.add(f"{place}:{attempt.port} {attempt.outcome or 'under way'}", lasted, attempt.says, tone=tone)
    if connection.local is not None:
        section.add(connection.local, "from")
    if connection.protocol is not None:
        section.add(connection.protocol, "speaks")
    if (kernel := connection.kernel) is not None:
        rate = "" if kernel.delivery_rate is None else f", {size_text(kernel.delivery_rate)}/s delivered"
        section.add(
            f"round trip {kernel.rtt / 1000:g} ms ± {kernel.rtt_variance / 1000:g}, "
            f"{count_text(kernel.retransmits, 'retransmit')}, "
            f"window {kernel.congestion_window} segments of {kernel.mss} bytes{rate}",
            "kernel",
            "as the kernel measured it on this connection, whatever the server did",
            "RFC 6298",
            tone="warning" if kernel.retransmits else "",
        )
    requests = [journey.visits[visit].url for visit in connection.visits if 0 <= visit < len(journey.visits)]
    section.add(count_text(len(requests), "request"), "carried", "; ".join(requests[:30]) + (" …" if len(requests) > 30 else ""))
    if connection.closed is not None:
        section.add(f"at {duration_text(connection.closed)}", "closed", connection.closed_why or "")
    if connection.failure is not None:
        section.add(connection.failure.message, "failed", connection.failure.hint or "", tone="bad")
    return section


def why(journey: Journey, initiator: Initiator) -> str:
    """What revealed a resource or a host, and where that stands."""
    if initiator.by == "user":
        return "it was typed"
    place = "" if initiator.offset is None else f" at byte {initiator.offset:,}"
    line = "" if initiator.line is None else f", line {initiator.line}"
    inside = ""
    if initiator.visit is not None and 0 <= initiator.visit < len(journey.visits):
        inside = f" of {journey.visits[initiator.visit].url}"
    return f"{initiator.what or initiator.by}{place}{line}{inside}"


def tls_sections(journey: Journey) -> list[Section]:
    """Every handshake: what was agreed on, each message, and the certificates."""
    told = [_tls(journey, connection) for connection in journey.connections if connection.tls is not None]
    return told or [Section("tls", "No TLS: nothing of this journey went over https", [])]


def _tls(journey: Journey, connection: Connection) -> Section:
    tls = connection.tls
    assert tls is not None
    took = "" if tls.ended is None else f", {duration_text(tls.ended - tls.started)}"
    section = Section("tls", f"TLS on connection {connection.id} to {connection.host}{took}", [])
    if tls.failure is not None:
        section.add(tls.failure.message, tls.failure.slug, tls.failure.hint or "", tone="bad")
    if tls.version is not None:
        section.add(" ".join(filter(None, (tls.version, tls.cipher, tls.group))), "agreed")
    section.add(
        tls.server_name or "none, since the host is an address",
        "server name",
        "what was asked for in the clear",
        "RFC 6066, section 3",
    )
    section.add(f"{tls.alpn or 'none'} out of {', '.join(tls.offered) or 'nothing'}", "protocol", "", "RFC 7301")
    if tls.resumed:
        section.add("an earlier session was resumed", "resumed", "", "RFC 8446, section 2.2")
    for message in sorted(tls.messages, key=lambda message: message.at):  # a ticket may come before our own Finished leaves
        arrow = "→" if message.sent else "←"
        section.add(f"{arrow} {message.name}, {size_text(message.size)}", duration_text(message.at - tls.started), depth=1)
    now = journey.began
    for number, certificate in enumerate(tls.chain):
        _certificate(section, certificate, now, number)
    if tls.chain:
        verified = "the chain leads to an authority that is trusted here, and the name fits"
        section.add(verified if tls.verified else "the chain was not verified", "verdict", tone="good" if tls.verified else "bad")
    return section


def _certificate(section: Section, certificate: Certificate, now: float, number: int) -> None:
    left = (certificate.not_after - now) / 86400
    tone: Tone = "bad" if left < 0 else "warning" if left < 14 else ""
    place = "the server's own" if number == 0 else "an authority's" if certificate.authority else "in between"
    found = place if certificate.sent else f"{place}, from the local store"
    section.add(certificate.subject, f"certificate {number + 1}", found)
    section.add(certificate.issuer, "issued by", depth=1)
    if certificate.names:
        section.add(", ".join(certificate.names[:20]), "for", depth=1)
    lasts = f"{left:.0f} days left" if left >= 0 else f"ended {-left:.0f} days ago"
    section.add(f"{_date(certificate.not_before)} to {_date(certificate.not_after)}", "valid", lasts, depth=1, tone=tone)
    section.add(
        f"{certificate.key}, {certificate.signature}, {size_text(certificate.size)}",
        "key",
        f"SHA-256 {certificate.fingerprint}",
        depth=1,
    )


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
