"""What can go wrong for a caller: one `Problem` class and the table of its codes.

In: a code from the table below, a sentence about this case, and what would be right. Out: an exception that
`web/pipeline.py` turns into an `application/problem+json` answer (RFC 9457). This file knows nothing of HTTP
messages, models or databases, and imports nothing of ours.

Codes are numbered by station, so that the number alone says how far a request came: 1xx the bytes, 2xx the
route and its negotiation, 3xx the query, 4xx the body, 5xx the data, 6xx the actor, 9xx a bug of ours. A retired
number is never given out again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import msgspec

__all__ = ["CODES", "Code", "FieldError", "Problem", "near", "shorten"]


class Code(msgspec.Struct, frozen=True):
    """One row of the table: a stable id, a stable slug, the HTTP status and a title that never varies."""

    id: str
    slug: str
    status: int
    title: str


class FieldError(msgspec.Struct, frozen=True):
    """One bad part of a body: where (a JSON path such as `$[3].name`), which kind, and what would be right."""

    path: str
    code: str
    message: str


# 1xx: the bytes (http/parse, server)
BAD_REQUEST = Code("PL100", "bad-request", 400, "The request is not valid HTTP")
URI_TOO_LONG = Code("PL101", "uri-too-long", 414, "The request line is too long")
HEADERS_TOO_LARGE = Code("PL102", "headers-too-large", 431, "The header section is too large")
BODY_TOO_LARGE = Code("PL103", "body-too-large", 413, "The body is larger than allowed")
REQUEST_TIMEOUT = Code("PL104", "request-timeout", 408, "The request did not arrive in time")
EXPECTATION_FAILED = Code("PL105", "expectation-failed", 417, "The expectation cannot be met")
TOO_MANY_CONNECTIONS = Code("PL106", "too-many-connections", 503, "The server has no room for another connection")
SHUTTING_DOWN = Code("PL107", "shutting-down", 503, "The server is shutting down")
VERSION_NOT_SUPPORTED = Code("PL108", "version-not-supported", 505, "This HTTP version is not supported")
NOT_IMPLEMENTED = Code("PL109", "not-implemented", 501, "The server does not know this method or coding")

# 2xx: the route and its negotiation (web, http/negotiate)
NOT_FOUND = Code("PL200", "not-found", 404, "There is nothing at this address")
METHOD_NOT_ALLOWED = Code("PL201", "method-not-allowed", 405, "This method is not offered here")
NOT_ACCEPTABLE = Code("PL202", "not-acceptable", 406, "No representation fits the Accept header")
UNSUPPORTED_MEDIA_TYPE = Code("PL203", "unsupported-media-type", 415, "The body's media type is not understood here")
PRECONDITION_FAILED = Code("PL204", "precondition-failed", 412, "The resource is not in the state the request requires")
PRECONDITION_REQUIRED = Code("PL205", "precondition-required", 428, "This request must be conditional")
RANGE_NOT_SATISFIABLE = Code("PL206", "range-not-satisfiable", 416, "The range lies outside the resource")
TOO_MANY_REQUESTS = Code("PL207", "too-many-requests", 429, "Too many requests in a short time")
IDEMPOTENCY_MISMATCH = Code("PL208", "idempotency-mismatch", 422, "The idempotency key belongs to another request")
IDEMPOTENCY_BUSY = Code("PL209", "idempotency-busy", 409, "A request with this idempotency key is under way")
BAD_HEADER = Code("PL210", "bad-header", 400, "A header has a value that cannot be understood")
OVERLOADED = Code("PL211", "overloaded", 503, "The server has more work than it can take")

# 3xx: the query (api/filters, plan)
BAD_QUERY = Code("PL300", "bad-query", 400, "The query string cannot be understood")
UNKNOWN_FIELD = Code("PL301", "unknown-field", 400, "The query names a field that does not exist")
UNKNOWN_OPERATOR = Code("PL302", "unknown-operator", 400, "The query uses an operator that does not exist")
UNSUPPORTED_OPERATOR = Code("PL303", "unsupported-operator", 400, "This operator exists only on other databases")
BAD_FILTER_VALUE = Code("PL304", "bad-filter-value", 400, "A filter's value does not fit its field")
UNKNOWN_RELATION = Code("PL305", "unknown-relation", 400, "The query embeds a relation that does not exist")
QUERY_TOO_COMPLEX = Code("PL306", "query-too-complex", 400, "The query is larger than allowed")
FILTER_REQUIRED = Code("PL307", "filter-required", 400, "Changing a whole collection needs a filter")
BAD_CURSOR = Code("PL308", "bad-cursor", 400, "The paging cursor does not belong to this query")
NOT_ONE_ROW = Code("PL309", "not-one-row", 406, "One object was asked for, but not exactly one row fits")
BAD_PREFERENCE = Code("PL310", "bad-preference", 400, "A preference is unknown or cannot be met")
TOO_MANY_AFFECTED = Code("PL311", "too-many-affected", 400, "More rows would change than the request allows")

# 4xx: the body (resource/codec, http/forms)
MALFORMED_BODY = Code("PL400", "malformed-body", 400, "The body is not well-formed")
INVALID_BODY = Code("PL401", "invalid-body", 422, "The body has fields that are not valid")
INVALID_PARAMETER = Code("PL402", "invalid-parameter", 422, "A path or query parameter is not valid")

# 5xx: the data (db, resource)
UNIQUE_VIOLATION = Code("PL500", "unique-violation", 409, "Another row already has this value")
FOREIGN_KEY_VIOLATION = Code("PL501", "foreign-key-violation", 409, "A reference points to nothing, or is still needed")
CHECK_VIOLATION = Code("PL502", "check-violation", 422, "A value breaks a rule of the table")
NOT_NULL_VIOLATION = Code("PL503", "not-null-violation", 422, "A value is required")
DATABASE_BUSY = Code("PL504", "database-busy", 503, "The database is busy")
DISK_FULL = Code("PL505", "disk-full", 507, "There is no room left to store this")
STATEMENT_TIMEOUT = Code("PL506", "statement-timeout", 503, "The statement took longer than allowed")
DATABASE_UNAVAILABLE = Code("PL507", "database-unavailable", 503, "The database cannot be used")
ROW_NOT_FOUND = Code("PL508", "row-not-found", 404, "There is no such row")

# 6xx: the actor (auth, rules)
SIGN_IN_REQUIRED = Code("PL600", "sign-in-required", 401, "This needs a signed-in account")
FORBIDDEN = Code("PL601", "forbidden", 403, "This account may not do that")

# 9xx: ours
INTERNAL = Code("PL900", "internal-error", 500, "The server made a mistake")

CODES: tuple[Code, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Code))


class Problem(Exception):
    """An error for the caller (RFC 9457): raised anywhere, answered in one place.

    `message` says what was wrong and where; `hint` what would be right; `errors` lists every bad part of a
    body; `headers` are added to the answer (`Allow`, `Retry-After`); `details` are extension members.
    """

    def __init__(
        self,
        code: Code,
        message: str = "",
        *,
        hint: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Sequence[tuple[str, str]] = (),
        details: object = None,
    ) -> None:
        super().__init__(message or code.title)
        self.code = code
        self.message = message or code.title
        self.hint = hint
        self.errors = tuple(errors)
        self.headers = tuple(headers)
        self.details = details

    @property
    def status(self) -> int:
        """The HTTP status of this problem."""
        return self.code.status

    def as_json(self, trace_id: str | None = None) -> bytes:
        """The `application/problem+json` body: RFC 9457's members beside PostgREST's four."""
        body: dict[str, object] = {
            "type": f"urn:pellucid:problem:{self.code.slug}",
            "title": self.code.title,
            "status": self.code.status,
            "detail": self.message,
            "code": self.code.id,
            "message": self.message,
            "hint": self.hint,
            "details": self.details,
        }
        if self.errors:
            body["errors"] = self.errors
        if trace_id is not None:
            body["trace_id"] = trace_id
        return msgspec.json.encode(body)


def near(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the nearest known words, or None where nothing is near."""
    names = sorted(known)
    close = get_close_matches(word, names, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(name) for name in close)}?"
    if 0 < len(names) <= 12:
        return f"there is {', '.join(names)}"
    return None


def shorten(value: object, most: int = 40) -> str:
    """A value cut to `most` characters for an error message, so that a message never carries a whole body."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"
