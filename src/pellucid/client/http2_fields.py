"""What HTTP/2 says in fields and codes: a request's header list as Chrome orders it, an answer's as it came, errors in words.

In: an Outgoing and its visit, or what h2 has decoded. Out: lists of text. It holds no connection.
"""

from __future__ import annotations

from collections.abc import Iterable

from pellucid.client.outgoing import RANKS, Outgoing
from pellucid.journey import Visit

__all__ = ["fields_of", "priority_of", "read_fields", "read_trailers", "said_by"]

_AT_ONCE = frozenset({"stylesheet", "script", "font", "manifest"})
"""Kinds that are of no use in part; all others are sent interleaved (`i`)."""
_HOP = frozenset({"connection", "host", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings"})
_ERRORS = (
    ("NO_ERROR", "without an error"),
    ("PROTOCOL_ERROR", "it found a mistake in what was sent"),
    ("INTERNAL_ERROR", "something went wrong inside it"),
    ("FLOW_CONTROL_ERROR", "it was sent more than it had allowed"),
    ("SETTINGS_TIMEOUT", "its settings were not acknowledged in time"),
    ("STREAM_CLOSED", "it got a frame for a stream that was over"),
    ("FRAME_SIZE_ERROR", "it got a frame of a wrong size"),
    ("REFUSED_STREAM", "it had not begun to work on the request"),
    ("CANCEL", "the answer is not wanted or not to be had any more"),
    ("COMPRESSION_ERROR", "it could not unpack the fields"),
    ("CONNECT_ERROR", "the connection behind it was lost"),
    ("ENHANCE_YOUR_CALM", "it was asked too much in too short a time"),
    ("INADEQUATE_SECURITY", "TLS is too weak for it"),
    ("HTTP_1_1_REQUIRED", "it wants HTTP/1.1 for this"),
)
"""RFC 9113, section 7, in the order of their numbers."""

_Fields = Iterable[tuple[bytes | str, bytes | str]]


def priority_of(visit: Visit) -> str:
    """The value of the Priority field as Chrome sends it (RFC 9218); empty where everything is as by default."""
    urgency = RANKS[visit.priority]
    parts = [f"u={urgency}"] if urgency != 3 else []
    if visit.kind not in _AT_ONCE:
        parts.append("i")
    return ", ".join(parts)


def fields_of(request: Outgoing, visit: Visit) -> list[tuple[str, str]]:
    """The fields of a request in HTTP/2: pseudo-header fields first, as Chrome orders them, names in lower case."""
    url = request.url
    given = [(name.lower(), value) for name, value in request.headers]
    named = dict(given)
    fields = [
        (":method", request.method),
        (":authority", named.get("host", url.authority)),
        (":scheme", url.scheme),
        (":path", url.target),
    ]
    if "content-length" not in named and (request.body or request.method in ("POST", "PUT", "PATCH")):
        fields.append(("content-length", str(len(request.body))))
    fields += [(name, value) for name, value in given if name not in _HOP and not (name == "te" and value != "trailers")]
    if "priority" not in named and (priority := priority_of(visit)):
        fields.append(("priority", priority))
    return fields


def read_fields(fields: _Fields) -> tuple[int, list[tuple[str, str]]]:
    """The status and the fields of an answer."""
    pairs = read_trailers(fields)
    status = next((value for name, value in pairs if name == ":status"), "0")
    return int(status), [(name, value) for name, value in pairs if not name.startswith(":")]


def read_trailers(fields: _Fields) -> list[tuple[str, str]]:
    """Fields as text, decoded as ISO-8859-1."""
    return [(_text(name), _text(value)) for name, value in fields]


def said_by(code: int) -> tuple[str, str]:
    """An error code of RFC 9113, section 7: its name, and what the server means by it."""
    return _ERRORS[code] if 0 <= code < len(_ERRORS) else (f"error {code:#x}", "a code of its own")


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
