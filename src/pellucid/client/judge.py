"""What there is to say about an answer: its type, its charset, whether it may be kept, and who may use it.

In: a visit whose answer is there. Out: the same visit with its notes. The rules stand in `http/`; here they are only asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from pellucid.http.caching import explain
from pellucid.http.charset import decide, decode
from pellucid.http.cookies import Fate
from pellucid.http.cors import check as check_cors
from pellucid.http.fetching import Asking
from pellucid.http.integrity import check as check_integrity
from pellucid.http.remark import Remark
from pellucid.http.sites import same_origin
from pellucid.http.sniff import computed_type, is_javascript, is_json, is_nosniff, is_xml
from pellucid.journey import CookieFate, Note, Visit

__all__ = ["explain_caching", "fates_of", "judge_use", "notes_of", "settle_type"]


def notes_of(remarks: Iterable[Remark]) -> list[Note]:
    """Remarks as the journey keeps them."""
    return [Note(remark.topic, remark.level, remark.message, remark.source) for remark in remarks]


def fates_of(fates: Iterable[Fate]) -> list[CookieFate]:
    """What became of cookies, as the journey keeps it."""
    return [CookieFate(fate.name, fate.value, fate.fate, fate.says, fate.domain, fate.path, fate.source) for fate in fates]


def settle_type(visit: Visit, head: bytes, environment: str | None = None) -> None:
    """Say what a body is (MIME Sniffing) and in which characters (Encoding); `head` are its first bytes, once known it stays.

    `environment` is the charset of the page that named it.
    """
    body, received = visit.body, visit.received
    if received is None or body.computed_type is not None:
        return
    supplied = next((value for name, value in received.headers if name == "content-type"), None)
    if supplied is None and not head:
        return  # nothing was sent, so that it needs no name
    typed = computed_type(supplied, head, kind=visit.kind, nosniff=is_nosniff(received.headers))
    body.supplied_type, body.computed_type, body.type_rule = typed.supplied, typed.computed, typed.rule
    visit.notes += notes_of(typed.remarks)
    essence = typed.computed
    if essence.startswith("text/") or is_javascript(essence) or is_json(essence) or is_xml(essence):
        decided = decide(essence, supplied, head, environment=environment)
        body.charset, body.charset_rule = decided.name, decided.rule


def text_of(visit: Visit, environment: str | None = None) -> str:
    """The kept body as characters."""
    supplied = visit.body.supplied_type
    decided = decide(visit.body.computed_type or "text/plain", supplied, visit.body.kept, environment=environment)
    return decode(visit.body.kept, decided)


def explain_caching(visit: Visit, requested: float, received: float) -> None:
    """Whether and how long a browser may keep the answer, with the arithmetic (RFC 9111)."""
    if visit.received is None or visit.request is None:
        return
    verdict = explain(
        visit.method, visit.received.status, visit.request.headers, visit.received.headers, requested=requested, received=received
    )
    visit.caching += notes_of(verdict.remarks)


def judge_use(visit: Visit, asking: Asking, metadata: str | None) -> bool:
    """Whether the page may use what came: CORS and integrity. What is amiss becomes a note."""
    if visit.received is None:
        return False
    usable = True
    if asking.mode == "cors" and asking.client is not None:
        verdict = check_cors(asking, visit.received.headers)
        usable = verdict.passed
        visit.notes += notes_of([verdict.remark] if verdict.remark is not None else [])
    if metadata and usable:
        if len(visit.body.kept) < visit.body.decoded:
            visit.notes.append(Note("integrity", "warning", "It was too large to be kept, so that its integrity was not checked"))
            return usable
        readable = asking.mode == "cors" or asking.client is None or same_origin(asking.url, asking.client)
        remark = check_integrity(metadata, visit.body.kept, readable=readable)
        if remark is not None:
            visit.notes += notes_of([remark])
            usable = remark.level != "error"
    return usable
