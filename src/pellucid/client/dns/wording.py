"""What is said of a question of the walk: one sentence, past tense, whom we asked and what they said.

In: the question and its answer, understood. Out: text.
"""

from __future__ import annotations

import dns.rdatatype

from pellucid.client.dns.answers import listed, target_of
from pellucid.client.dns.asking import Ask, Reply
from pellucid.client.dns.reading import Reading, alias_of, take_chain

__all__ = ["failed_words", "told"]


def failed_words(reply: Reply) -> str:
    """Why there is no answer."""
    if reply.trouble == "malformed":
        return f"what came could not be read ({reply.why})"
    if reply.trouble == "unreachable":
        return f"it could not be reached ({reply.why})"
    return f"it did not answer ({reply.why})"


def told(ask: Ask, server_name: str, reading: Reading) -> str:
    """The sentence for a Hop."""
    over = " over TCP" if ask.transport == "tcp" else ""
    return f"Asked {server_name.rstrip('.') or '.'} ({ask.server}){over} for {ask.name} {ask.type}: {_said(ask, reading)}"


def _said(ask: Ask, reading: Reading) -> str:
    if reading.cut is not None:
        names = [name.to_text().rstrip(".") for name in reading.cut.servers]
        servers = "1 server" if len(names) == 1 else f"{len(names)} servers"
        return f"it referred us to {servers} of {reading.cut.name} ({listed(names, 3)})"
    if reading.kind in ("cname", "dname"):
        return _alias(ask, reading)
    if reading.kind == "answer":
        return f"it answered {_values(reading, ask)}"
    if reading.kind == "nodata":
        return f"the name exists, but has no {ask.type} record"
    if reading.kind == "nxdomain":
        return "there is no such name (NXDOMAIN)"
    if reading.kind == "truncated":
        return "the answer did not fit into a datagram, so it was asked again over TCP"
    if reading.kind == "refused":
        return "it refused (REFUSED)"
    if reading.kind == "formerr" and ask.payload:
        return f"{reading.words}, so it was asked again without EDNS"
    return reading.words


def _values(reading: Reading, ask: Ask) -> str:
    wanted = dns.rdatatype.from_text(ask.type)
    found = [each for each in take_chain(reading.answer, ask.name, ask.type) if each.rdtype == wanted]
    texts = [rdata.to_text() for each in found for rdata in each]
    if ask.type in ("DNSKEY", "DS") or sum(map(len, texts)) > 300:
        return f"with {len(texts)} {ask.type} record{'' if len(texts) == 1 else 's'}"
    return listed([text[:100] for text in texts])


def _alias(ask: Ask, reading: Reading) -> str:
    found = alias_of(reading.answer, ask.name, ask.type)
    if found is None or found[1] is None:
        return "a DNAME leads to a name that is too long"
    kind, target, records = found
    if kind == "cname":
        return f"it is an alias of {target}"
    return f"all below {records[0].name} is below {target_of(records[0])} (DNAME), so it is an alias of {target}"
