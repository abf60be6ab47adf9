"""The details of requests and answers: the exact bytes, every field with what it means, the body from the wire to characters.

In: a visit of a Journey. Out: sections.
"""

from __future__ import annotations

from pellucid.anatomy.figures import count_text, duration_text, share_text
from pellucid.anatomy.sections import Section, Tone
from pellucid.http.glosses import gloss, status_meaning
from pellucid.journey import Chunk, CookieFate, Visit

__all__ = ["body_section", "request_section", "response_section"]

_MOST_CHUNKS = 24
_FRAMINGS = {
    "none": ("no body", "RFC 9110, section 6.4.1"),
    "length": ("as long as Content-Length says", "RFC 9112, section 6.2"),
    "chunked": ("in chunks, each with its size before it", "RFC 9112, section 7.1"),
    "close": ("until the connection was closed", "RFC 9112, section 6.3"),
    "frames": ("in DATA frames", "RFC 9113, section 6.1"),
}
_FATES: dict[str, Tone] = {"sent": "good", "stored": "good", "withheld": "dim", "refused": "bad", "deleted": ""}


def request_section(visit: Visit) -> Section:
    """What was sent: the bytes as they left, and what each field says."""
    section = Section("request", f"Request {visit.method} {visit.url}", [])
    sent = visit.request
    if sent is None:
        section.add("nothing was sent", tone="bad")
        return section
    initiator = visit.initiator
    where = "" if initiator.offset is None else f" at byte {initiator.offset:,}, line {initiator.line}"
    section.add(f"{initiator.by}{f': {initiator.what}' if initiator.what else ''}{where}", "because of")
    section.add(f"{visit.priority}, as a {visit.kind}", "priority", "Chrome's table; it decides who gets a free connection first")
    if visit.connection is not None:
        section.add(f"{visit.connection}, {'used before' if visit.reused else 'new'}", "connection")
    if sent.head and not any(name.startswith(":") for name, _ in sent.headers):
        line = sent.head.split(b"\r\n", 1)[0].decode("latin-1")
        section.add(line, "line", "method, target and version", "RFC 9112, section 3", tone="code")
    for name, value in sent.headers:
        told = gloss(name, value)
        section.add(f"{name}: {value}", "", told.text, told.source, tone="code")
    if sent.head:
        section.add(f"{len(sent.head):,} bytes", "head")
    if sent.body_size:
        section.add(f"{sent.body_size:,} bytes of {sent.body_type or 'an unnamed type'}", "body")
        for line in sent.body[:2000].decode("utf-8", "replace").split("\r\n")[:20]:
            section.add(line, depth=1, tone="code")
    _cookies(section, visit.cookies, ("sent", "withheld"))
    return section


def _cookies(section: Section, cookies: list[CookieFate], fates: tuple[str, ...]) -> None:
    for cookie in cookies:
        if cookie.fate in fates:
            text = f"{cookie.name}: {cookie.fate}"
            section.add(text, "cookie", cookie.says, cookie.source, tone=_FATES[cookie.fate])


def response_section(visit: Visit) -> Section:
    """What was answered: interim answers, the status and what it means, each field, cookies, caching."""
    section = Section("response", f"Response to {visit.method} {visit.url}", [])
    for early in visit.early:
        meaning = status_meaning(early.status)
        section.add(f"{early.status} at {duration_text(early.at)}", "interim", meaning.text, meaning.source)
        for name, value in early.headers:
            section.add(f"{name}: {value}", depth=1, tone="code")
    received = visit.received
    if visit.failure is not None:
        section.add(visit.failure.message, visit.failure.slug, visit.failure.hint or "", tone="bad")
    if received is None:
        return section
    meaning = status_meaning(received.status)
    tone: Tone = "bad" if received.status >= 400 else "good" if received.status < 300 else ""
    section.add(f"{received.status} {received.reason}".strip(), "status", meaning.text, meaning.source, tone=tone)
    for name, value in received.headers:
        told = gloss(name, value)
        section.add(f"{name}: {value}", "", told.text, told.source, tone="code")
    if received.head:
        section.add(f"{len(received.head):,} bytes", "head")
    if visit.redirected_to is not None:
        section.add(visit.redirected_to, "led to")
    _cookies(section, visit.cookies, ("stored", "refused", "deleted"))
    if visit.from_cache is not None:
        how = "without asking" if visit.from_cache == "fresh" else "after asking whether it still holds (304)"
        section.add(f"the body came from the cache, {how}", "cache", tone="good")
    section.note(visit.caching)
    section.note(visit.notes)
    for timing in visit.timings:
        took = "" if timing.duration is None else f" {timing.duration:g} ms"
        section.add(f"{timing.name}{took}", "server", timing.description or "", "Server Timing", depth=0)
    return section


def body_section(visit: Visit) -> Section:
    """The body: framing, arrival, codings, type and characters."""
    body = visit.body
    section = Section("body", f"Body of {visit.url}", [])
    framing, source = _FRAMINGS[body.framing]
    section.add(framing, "framing", f"{count_text(body.chunk_count, 'piece')}" if body.chunk_count else "", source)
    section.add(f"{body.wire:,} bytes", "on the wire")
    if body.coded != body.wire:
        section.add(f"{body.coded:,} bytes", "without framing")
    if body.codings:
        share = share_text(body.coded, body.decoded) if body.decoded else ""
        note = f"{share} of what it unpacks to" if share else ""
        section.add(f"{body.decoded:,} bytes out of {', '.join(body.codings)}", "decoded", note, "RFC 9110, section 8.4")
    if not body.complete:
        section.add("it did not come whole", "incomplete", tone="bad")
    if body.computed_type is not None:
        section.add(body.computed_type, "type", body.type_rule or "", "MIME Sniffing")
        if body.supplied_type is not None and body.supplied_type.partition(";")[0].strip().lower() != body.computed_type:
            section.add(body.supplied_type, "but said", tone="warning")
    if body.charset is not None:
        section.add(body.charset, "characters", body.charset_rule or "", "HTML, section 13.2.3.2")
    for chunk in body.chunks[:_MOST_CHUNKS]:
        section.add(f"{chunk.size:,} bytes from {chunk.offset:,}", _since(visit, chunk), depth=1, tone="dim")
    if body.chunk_count > _MOST_CHUNKS:
        section.add(f"{body.chunk_count - _MOST_CHUNKS:,} more pieces", depth=1, tone="dim")
    for name, value in body.trailers:
        section.add(f"{name}: {value}", "trailer", "", "RFC 9110, section 6.5", tone="code")
    if body.sha256 is not None:
        section.add(body.sha256, "SHA-256")
    return section


def _since(visit: Visit, chunk: Chunk) -> str:
    return f"+{duration_text(chunk.at - (visit.first_byte or 0))}"
