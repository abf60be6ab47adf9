"""What must never be kept: secrets are cut out of headers and targets before anything is recorded or logged.

In: header fields and request targets as sent. Out: the same with values replaced by `***`. Bodies are not handled here
because nobody keeps them. One place for recorder and log, so that neither can show what the other hides.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote_plus

from pellucid.http.fields import CREDENTIALS
from pellucid.http.headers import Headers

__all__ = ["HIDDEN", "REDACTED", "Pairs", "is_secret_name", "redact_fields", "redact_headers", "redact_target"]

HIDDEN = "***"

_FIELDS = CREDENTIALS | {"set-cookie"}
_FIELD_BYTES = frozenset(name.encode() for name in _FIELDS)
_PARAMETERS = frozenset({
    "token", "password", "passwd", "passphrase", "pwd", "secret", "key", "apikey", "auth", "authorization", "signature", "sig",
    "session", "sessionid", "jwt",
})  # fmt: skip
REDACTED = "anatomy.redacted"
"""The key in `Headers.facts` under which the redacted fields of a block are kept."""

_clean: set[str] = set()

Pairs = tuple[tuple[bytes, bytes], ...]


def redact_headers(headers: Headers) -> Pairs:
    """A request's fields without their secrets; worked out once per header block and kept in its `facts`."""
    pairs = headers.facts.get(REDACTED)
    if pairs is None:
        pairs = headers.pairs
        if any(name in _FIELD_BYTES for name, _ in headers.pairs):
            pairs = tuple((name, b"***" if name in _FIELD_BYTES else value) for name, value in headers.pairs)
        headers.facts[REDACTED] = pairs
    return pairs  # type: ignore[return-value]  # facts are untyped; only this function writes this one


def redact_fields(fields: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """A response's fields without their secrets; the same object where there are none."""
    for name, _ in fields:
        if name.lower() in _FIELDS:
            return [(name, HIDDEN if name.lower() in _FIELDS else value) for name, value in fields]
    return fields


def redact_target(target: str) -> str:
    """A request-target without the values of parameters such as `token` or `api_key`.

    Targets come again, so those without a secret are remembered; of a new one, a few fragments of those names tell quickly
    that it needs no closer look.
    """
    if target in _clean:
        return target
    path, _, query = target.partition("?")
    low = query.lower()
    if "ke" in low or "ss" in low or "cret" in low or "auth" in low or "sig" in low or "pwd" in low or "jwt" in low or "%" in low:
        redacted = f"{path}?{'&'.join(map(_redact_parameter, query.split('&')))}"
        if redacted != target:
            return redacted
    if len(target) <= 256:
        if len(_clean) >= 1024:
            _clean.clear()
        _clean.add(target)
    return target


def is_secret_name(name: str) -> bool:
    """Whether a field, a parameter or a member of a form of this name holds a secret."""
    word = name.strip().lower()
    if word in _FIELDS:
        return True
    word = word.replace("-", "_")
    return word in _PARAMETERS or word.rpartition("_")[2] in _PARAMETERS


def _redact_parameter(part: str) -> str:
    name, mark, _ = part.partition("=")
    return f"{name}={HIDDEN}" if mark and is_secret_name(unquote_plus(name)) else part
