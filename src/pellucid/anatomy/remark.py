"""What a remark is, and the words that several rules need.

In: visits. Out: short names, shares of the time.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pellucid.anatomy.cells import clean, fit_middle
from pellucid.anatomy.verdict import span_of
from pellucid.anatomy.waterfall import chain_of
from pellucid.journey import Journey, Visit

__all__ = ["Remark", "Rule", "document_of", "first_round", "header", "is_loopback", "name_of", "share"]


class Remark(msgspec.Struct, frozen=True):
    """A sentence, and how much it matters: 0 to 100."""

    score: float
    text: str


Rule = Callable[[Journey], "Remark | None"]


def first_round(journey: Journey) -> list[Visit]:
    """The visits of the first round: what a stranger meets."""
    return [visit for visit in journey.visits if visit.round == 1]


def document_of(journey: Journey) -> Visit | None:
    """The document, where it was answered."""
    chain = chain_of(first_round(journey))
    return chain[-1] if chain and chain[-1].received is not None else None


def share(journey: Journey, nanoseconds: int) -> float:
    """The part of the whole time, 0 to 1."""
    start, end = span_of(journey)
    return min(nanoseconds / (end - start), 1.0) if end > start else 0.0


def name_of(visit: Visit) -> str:
    """A short name of a resource: the end of its path; of a host's root `the page`, or the host."""
    host, _, path = visit.url.partition("#")[0].partition("?")[0].partition("://")[2].partition("/")
    name = path.rstrip("/").rpartition("/")[2]
    return fit_middle(clean(name or ("the page" if visit.kind == "document" or not host else host)), 40)


def header(visit: Visit, name: str) -> str | None:
    """The first field of that name (lower case) in the answer."""
    headers = visit.received.headers if visit.received is not None else []
    return next((value for key, value in headers if key == name), None)


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine."""
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name == "::1" or name.startswith("127.") or name == "localhost" or name.endswith(".localhost")
