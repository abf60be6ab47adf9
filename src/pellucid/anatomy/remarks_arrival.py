"""Remarks on the way to the server: names, connections, TLS, redirects.

In: a Journey. Out: a remark of each rule, or None.
"""

from __future__ import annotations

from pellucid.anatomy.arrival import days_text
from pellucid.anatomy.cells import clean
from pellucid.anatomy.expect import METRICS
from pellucid.anatomy.figures import count_text, duration_text, share_text
from pellucid.anatomy.phases import connection_of
from pellucid.anatomy.remark import Remark, Rule, document_of, first_round, is_loopback, share
from pellucid.anatomy.verdict import span_of
from pellucid.anatomy.waterfall import chain_of
from pellucid.journey import Journey

__all__ = ["RULES"]

MS = 1_000_000
_SOON = 21
"""Days: whoever renews by hand needs them."""


def slow_names(journey: Journey) -> Remark | None:
    """Looking names up took a good part of the time."""
    took = int(METRICS["dns"][1](journey) or 0)
    part = share(journey, took)
    if took < 20 * MS or part < 0.15 or journey.failure is not None:
        return None
    start, end = span_of(journey)
    walked = any(lookup.how == "walk" for lookup in journey.lookups)
    hint = "; a resolver that knows the answer would not walk there" if walked else ""
    text = f"Looking the name up took {duration_text(took)}, {share_text(took, end - start)} of the time{hint}"
    return Remark(20 + 60 * part, text)


def bogus_name(journey: Journey) -> Remark | None:
    """A signature in the DNS does not hold."""
    bogus = next((lookup for lookup in journey.lookups if lookup.verdict == "bogus"), None)
    if bogus is None or journey.failure is not None:  # the verdict says it then
        return None
    why = f": {clean(bogus.verdict_says)}" if bogus.verdict_says else ""
    return Remark(96, f"The signatures of {clean(bogus.shown)} in the DNS do not hold{why}")


def distrusted(journey: Journey) -> Remark | None:
    """A connection was used although its certificate is wrong."""
    for connection in journey.connections:
        if connection.tls is not None and connection.tls.failure is not None and connection.ready is not None:
            return Remark(95, f"{clean(connection.tls.failure.message)}; the connection was used all the same, as asked")
    return None


def certificate_ends(journey: Journey) -> Remark | None:
    """A certificate is about to expire."""
    ends = [
        (connection.tls.chain[0].not_after, connection.host)
        for connection in journey.connections
        if connection.tls is not None and connection.tls.chain and connection.tls.failure is None
    ]
    if not ends:
        return None
    not_after, host = min(ends)
    days = (not_after - journey.began) / 86_400
    if not 0 < days < _SOON:
        return None
    return Remark(90 - 2 * days, f"The certificate of {clean(host)} is about to expire: {days_text(not_after, journey.began)}")


def lost_packets(journey: Journey) -> Remark | None:
    """The kernel had to send segments again."""
    lossy = [each for each in journey.connections if each.kernel is not None and each.kernel.retransmits]
    count = sum(each.kernel.retransmits for each in lossy if each.kernel is not None)
    if not count:
        return None
    segments = f"{count_text(count, 'segment')} had to be sent again"
    return Remark(45 + min(count, 20), f"The network lost packets on the way to {clean(lossy[0].host)}: {segments}")


def waited_for_family(journey: Journey) -> Remark | None:
    """An address that did not answer held the connection up."""
    for visit in chain_of(first_round(journey)):
        connection = next((each for each in journey.connections if each.id == visit.connection), None)
        attempts = connection.attempts if connection is not None else []
        won = next((each for each in attempts if each.outcome == "won"), None)
        if won is None or won is attempts[0]:
            continue
        delay = won.started - attempts[0].started
        if delay >= 50 * MS:
            first = attempts[0]
            said = "refused" if first.outcome == "refused" else "did not answer"
            text = f"{clean(first.address)} {said}, so connecting began {duration_text(delay)} later with {clean(won.address)}"
            return Remark(30 + 50 * share(journey, delay), text)
    return None


def redirected(journey: Journey) -> Remark | None:
    """Redirects cost time before the page was even asked for."""
    chain = chain_of(first_round(journey))
    if len(chain) < 2:
        return None
    took = chain[-1].discovered - chain[0].discovered
    part = share(journey, took)
    if (took < 5 * MS or part < 0.05) and len(chain) < 4:
        return None
    text = f"{count_text(len(chain) - 1, 'redirect')} cost {duration_text(took)} before the page was asked for"
    return Remark(15 + 60 * part + len(chain), text)


def plain_http(journey: Journey) -> Remark | None:
    """The page came over http, not from this machine."""
    document = document_of(journey)
    if document is None or not document.url.startswith("http://") or is_loopback(document.url):
        return None
    connection = connection_of(journey, document)
    if connection is not None and is_loopback(f"http://[{connection.address}]/"):
        return None  # a name of its own for this machine
    return Remark(54, "The page came over http: whoever is on the way can read and change it")


RULES: tuple[Rule, ...] = (
    slow_names, bogus_name, distrusted, certificate_ends, lost_packets, waited_for_family, redirected, plain_http,
)  # fmt: skip
