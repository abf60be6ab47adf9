"""A journey as an HTTP archive (HAR 1.2), for DevTools and whatever else reads those.

In: a Journey, its secrets already cut out if they must be. Out: plain data for a JSON encoder. Chrome's names with an underscore
stand where the meaning is equal (`_initiator`, `_priority`, `_resourceType`, `_transferSize`, `_error`, `_connectionId`); ours
are `_dns`, `_tls`, `_chunks`, `_serverTiming`, `_anatomy`, `_connection`, `_notes`, and `_skipped` of a page.

http://www.softwareishard.com/blog/har-12-spec/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import unquote_plus

import msgspec

from pellucid.anatomy.phases import connection_of, end_of, lookup_of, visit_pieces
from pellucid.http.fetching import AGENT
from pellucid.journey import Journey, Visit, document_visit

__all__ = ["archive"]

_TYPES = {"iframe": "document", "icon": "image", "preload": "preload"}
_INITIATORS = {
    "parser": "parser",
    "style": "parser",
    "script": "script",
    "redirect": "redirect",
    "header": "preload",
    "early": "preload",
}
_VERSIONS = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "h2"}
_TEXT = re.compile(r"text/|[^/]+/(?:[^/]*\+)?(?:json|xml|javascript|ecmascript)\b|application/x-www-form-urlencoded")


def archive(journey: Journey) -> dict[str, object]:
    """The archive as plain data: one page for each round of a journey, one entry for each request."""
    name, _, version = AGENT.partition("/")
    rounds = sorted({visit.round for visit in journey.visits if visit.round}) or [1]
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": name, "version": version},
            "pages": [_page(journey, round) for round in rounds],
            "entries": [_entry(journey, visit) for visit in sorted(journey.visits, key=lambda visit: visit.discovered)],
            "comment": "JavaScript was not run",
        }
    }


def _page(journey: Journey, round: int) -> dict[str, object]:
    visits = [visit for visit in journey.visits if visit.round == round]
    started = min((visit.discovered for visit in visits), default=0)
    document = document_visit(journey.visits, round)
    loaded = max((end_of(visit) for visit in visits), default=started)
    content = end_of(document) if document is not None else None
    told: dict[str, object] = {
        "startedDateTime": _time(journey, started),
        "id": f"page_{round}",
        "title": journey.shown,
        "pageTimings": {"onContentLoad": -1 if content is None else _ms(content - started), "onLoad": _ms(loaded - started)},
        "_notes": journey.notes,
        "_skipped": journey.skipped,
    }
    return _plain(told)


def _entry(journey: Journey, visit: Visit) -> dict[str, object]:
    connection, lookup = connection_of(journey, visit), lookup_of(journey, visit)
    timings = _timings(journey, visit)
    told: dict[str, object] = {
        "pageref": f"page_{max(visit.round, 1)}",
        "startedDateTime": _time(journey, visit.discovered),
        "time": round(sum(value for name, value in timings.items() if name != "ssl" and value > 0), 3),
        "request": _request(visit),
        "response": _response(visit),
        "cache": {},
        "timings": timings,
        "_initiator": _initiator(journey, visit),
        "_priority": visit.priority,
        "_resourceType": _TYPES.get(visit.kind, visit.kind),
        "_chunks": [{"at": _ms(chunk.at), "size": chunk.size, "offset": chunk.offset} for chunk in visit.body.chunks],
        "_serverTiming": visit.timings,
        "_notes": [*visit.notes, *visit.caching],
    }
    if connection is not None:
        if connection.address is not None:
            told["serverIPAddress"] = connection.address
        told["connection"] = told["_connectionId"] = str(connection.id)
        told["_connection"] = {"reused": visit.reused, "attempts": connection.attempts, "kernel": connection.kernel}
        if connection.tls is not None and not visit.reused:
            told["_tls"] = connection.tls
    if lookup is not None and not visit.reused:
        told["_dns"] = lookup
    if visit.inside is not None:
        told["_anatomy"] = visit.inside
    if visit.from_cache is not None:
        told["_fromCache"] = "memory" if visit.from_cache == "fresh" else "validated"
    return _plain(told)


def _request(visit: Visit) -> dict[str, object]:
    sent = visit.request
    headers = [] if sent is None else sent.headers
    told: dict[str, object] = {
        "method": visit.method,
        "url": visit.url.partition("#")[0],
        "httpVersion": _version(visit),
        "cookies": _cookies([value for name, value in headers if name.lower() == "cookie"]),
        "headers": _pairs(headers),
        "queryString": _query(visit.url),
        "headersSize": len(sent.head) if sent is not None and sent.head else -1,
        "bodySize": 0 if sent is None else sent.body_size,
    }
    if sent is not None and sent.body_size:
        text, encoding = _text(sent.body, sent.body_type or "")
        told["postData"] = {"mimeType": sent.body_type or "", "params": _params(sent.body, sent.body_type), "text": text}
        if encoding is not None:
            told["postData"] = {"mimeType": sent.body_type or "", "params": [], "text": text, "_encoding": encoding}
    return told


def _response(visit: Visit) -> dict[str, object]:
    received, body = visit.received, visit.body
    if received is None:
        error = visit.failure.message if visit.failure is not None else "no answer"
        content: dict[str, object] = {"size": 0, "mimeType": "x-unknown"}
        return {
            "status": 0, "statusText": "", "httpVersion": "", "cookies": [], "headers": [], "content": content, "redirectURL": "",
            "headersSize": -1, "bodySize": -1, "_transferSize": 0, "_error": error,
        }  # fmt: skip
    unread = visit.from_cache is not None or received.status == 304
    content = {"size": body.decoded, "mimeType": body.supplied_type or body.computed_type or "x-unknown"}
    if not unread and body.decoded != body.coded:
        content["compression"] = body.decoded - body.coded
    if body.kept and len(body.kept) == body.decoded:
        text, encoding = _text(body.kept, body.computed_type or "")
        content["text"] = text
        if encoding is not None:
            content["encoding"] = encoding
    told: dict[str, object] = {
        "status": received.status,
        "statusText": received.reason,
        "httpVersion": _VERSIONS[received.version],
        "cookies": _set_cookies([value for name, value in received.headers if name == "set-cookie"]),
        "headers": _pairs(received.headers),
        "content": content,
        "redirectURL": visit.redirected_to or "",
        "headersSize": len(received.head) if received.head else -1,
        "bodySize": 0 if unread else body.wire,
        "_transferSize": 0 if visit.from_cache == "fresh" else len(received.head) + body.wire,
    }
    if visit.failure is not None:
        told["_error"] = visit.failure.message
    return told


def _timings(journey: Journey, visit: Visit) -> dict[str, float]:
    """Milliseconds; what was not is -1. `connect` holds `ssl`, as the format has it, and `blocked` all waiting before."""
    sums: dict[str, int] = {}
    for piece in visit_pieces(journey, visit):
        sums[piece.phase] = sums.get(piece.phase, 0) + piece.end - piece.start
    joined = sums.get("connect", 0) + sums.get("tls", 0)
    return {
        "blocked": _ms(sums["queue"]) if "queue" in sums else -1,
        "dns": _ms(sums["dns"]) if "dns" in sums else -1,
        "connect": _ms(joined) if joined else -1,
        "ssl": _ms(sums["tls"]) if "tls" in sums else -1,
        "send": _ms(sums.get("send", 0)),
        "wait": _ms(sums.get("wait", 0)),
        "receive": _ms(sums.get("receive", 0)),
    }


def _initiator(journey: Journey, visit: Visit) -> dict[str, object]:
    initiator = visit.initiator
    told: dict[str, object] = {"type": _INITIATORS.get(initiator.by, "other")}
    if initiator.visit is not None and 0 <= initiator.visit < len(journey.visits):
        told["url"] = journey.visits[initiator.visit].url
    if initiator.line is not None:
        told["lineNumber"] = initiator.line - 1  # Chrome counts from 0
    if initiator.what:
        told["_what"] = initiator.what
    if initiator.offset is not None:
        told["_offset"] = initiator.offset
    return told


# -- parts of messages ---------------------------------------------------------------------------------------------------------


def _version(visit: Visit) -> str:
    return "HTTP/1.1" if visit.received is None else _VERSIONS[visit.received.version]


def _pairs(headers: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _query(url: str) -> list[dict[str, str]]:
    text = url.partition("#")[0].partition("?")[2]
    parts = [part.partition("=") for part in text.split("&") if part]
    return [{"name": unquote_plus(name), "value": unquote_plus(value)} for name, _, value in parts]


def _params(body: bytes, media_type: str | None) -> list[dict[str, str]]:
    if not (media_type or "").startswith("application/x-www-form-urlencoded"):
        return []
    return _query("?" + body.decode("utf-8", "replace"))


def _cookies(values: Sequence[str]) -> list[dict[str, str]]:
    pairs = [part.strip().partition("=") for value in values for part in value.split(";")]
    return [{"name": name, "value": value} for name, _, value in pairs]


def _set_cookies(values: Sequence[str]) -> list[dict[str, object]]:
    told: list[dict[str, object]] = []
    for value in values:
        first, *attributes = (part.strip() for part in value.split(";"))
        name, _, text = first.partition("=")
        cookie: dict[str, object] = {"name": name, "value": text, "httpOnly": False, "secure": False}
        for attribute in attributes:
            word, _, said = attribute.partition("=")
            match word.lower():
                case "path" | "domain":
                    cookie[word.lower()] = said
                case "httponly":
                    cookie["httpOnly"] = True
                case "secure":
                    cookie["secure"] = True
                case "samesite":
                    cookie["sameSite"] = said
        told.append(cookie)
    return told


def _text(data: bytes, media_type: str) -> tuple[str, str | None]:
    """A body as JSON can hold it, and `base64` where it is no text."""
    if _TEXT.match(media_type) or not media_type:
        try:
            return data.decode("utf-8"), None
        except UnicodeDecodeError:
            pass
    return base64.b64encode(data).decode("ascii"), "base64"


def _time(journey: Journey, at: int) -> str:
    moment = datetime.fromtimestamp(journey.began + at / 1e9, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)


def _plain(told: dict[str, object]) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(told)
    return plain
