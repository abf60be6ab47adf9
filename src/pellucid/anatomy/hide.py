"""A journey without its secrets, for everything that is shown, written or passed on.

In: a Journey. Out: a copy in which passwords, cookies, tokens and credentials read `***`.

A secret is found where it is known to be one (a field, a cookie, a parameter, a form's password) and then cut out of every text
and every byte string of the journey, since servers repeat what they were sent: in redirects, in pages, in their own anatomy.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import unquote, unquote_plus

import msgspec

from pellucid.anatomy.redact import HIDDEN, is_secret_name, redact_target
from pellucid.journey import Journey, Visit

__all__ = ["without_secrets"]

_LEAST = 4
"""Shorter ones are cut out only where they are known to stand: elsewhere they would take half of the text with them."""
_COOKIES = ("cookie", "set-cookie")
_USER = re.compile(r"(?<=//)[^/@\s?#]*@")
_IN_JSON = re.compile(rb'"([A-Za-z_-]{2,40})"\s*:\s*"((?:[^"\\]|\\.)*)"')
_IN_PARTS = re.compile(rb'name="([^"]{1,80})"\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', re.DOTALL)
_IN_FORM = re.compile(rb"(?:^|&)([^=&]{1,80})=([^&]*)")

T = TypeVar("T")


def without_secrets(journey: Journey) -> Journey:
    """A copy to show: whatever was secret is `***` in all of it."""
    secrets = {secret for visit in journey.visits for secret in _secrets(visit)}
    secrets.update(_of_url(journey.typed), _of_url(journey.url))
    long = sorted((secret for secret in secrets if len(secret) >= _LEAST), key=len, reverse=True)
    return _Cut(long).of(journey)


def _secrets(visit: Visit) -> Iterator[str]:
    request, received = visit.request, visit.received
    fields = [*(request.headers if request is not None else ()), *(received.headers if received is not None else ())]
    for early in visit.early:
        fields += early.headers
    for name, value in fields:
        if is_secret_name(name.lower()):
            yield from _of_field(name.lower(), value)
    yield from (cookie.value for cookie in visit.cookies)
    yield from _of_url(visit.url)
    if visit.redirected_to is not None:
        yield from _of_url(visit.redirected_to)
    if request is not None and request.body:
        yield from _of_body(request.body)


def _of_field(name: str, value: str) -> Iterator[str]:
    if name == "cookie":
        yield from (pair.partition("=")[2].strip() for pair in value.split(";"))
    elif name == "set-cookie":
        yield value.partition(";")[0].partition("=")[2].strip()
    else:
        scheme, _, credentials = value.partition(" ")
        yield credentials.strip() or scheme
        if scheme.lower() == "basic":
            try:
                yield base64.b64decode(credentials).decode("utf-8", "replace").partition(":")[2]
            except binascii.Error:
                return


def _of_url(url: str) -> Iterator[str]:
    found = _USER.search(url)
    if found is not None:
        user, _, password = found.group()[:-1].partition(":")
        yield from (user, password, unquote(password))
    for part in re.split(r"[?#&]", url)[1:]:  # a fragment too: OAuth's implicit grant brings its token there
        name, _, value = part.partition("=")
        if is_secret_name(unquote_plus(name)):
            yield from (value, unquote_plus(value))


def _of_body(body: bytes) -> Iterator[str]:
    for pattern in (_IN_FORM, _IN_PARTS, _IN_JSON):
        for name, value in pattern.findall(body):
            if is_secret_name(unquote_plus(name.decode("latin-1"))):
                text = value.decode("utf-8", "replace")
                yield from (text, unquote_plus(text))


class _Cut:
    """Copies plain data, and cuts texts out of it."""

    def __init__(self, secrets: list[str]) -> None:
        self._texts = re.compile("|".join(map(re.escape, secrets))) if secrets else None
        self._bytes = re.compile(b"|".join(re.escape(secret.encode()) for secret in secrets)) if secrets else None

    def of(self, value: T) -> T:
        """The same without the secrets; what holds none is not copied."""
        made: object = value
        if isinstance(value, str):
            made = self._text(value)
        elif isinstance(value, bytes):
            made = self._bytes.sub(HIDDEN.encode(), value) if self._bytes is not None else value
        elif isinstance(value, msgspec.Struct):
            made = self._struct(value)
        elif isinstance(value, list):
            made = [self.of(each) for each in value]
        elif isinstance(value, tuple):
            made = self._tuple(value)
        elif isinstance(value, dict):
            made = {key: self.of(each) for key, each in value.items()}
        return made  # type: ignore[return-value]  # of the type that came in, case by case

    def _text(self, text: str) -> str:
        if "@" in text and "//" in text:
            text = _USER.sub("", text)
        if "?" in text and "//" in text and " " not in text:
            text = redact_target(text)
        return self._texts.sub(HIDDEN, text) if self._texts is not None else text

    def _tuple(self, value: tuple[object, ...]) -> tuple[object, ...]:
        if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], str) and is_secret_name(value[0].lower()):
            return (value[0], _masked(value[0].lower(), value[1]))
        return tuple(self.of(each) for each in value)

    def _struct(self, value: msgspec.Struct) -> msgspec.Struct:
        named = {name: self.of(getattr(value, name)) for name in value.__struct_fields__}
        if {"fate", "value"} <= named.keys():
            named["value"] = HIDDEN
        if named.get("head"):
            named["head"] = _masked_head(named["head"])
        return type(value)(**named)


def _masked(name: str, value: str) -> str:
    """A field's value with only what is secret hidden: the names of cookies and the scheme of credentials tell no secret."""
    if name == "cookie":
        return "; ".join(_pair(pair) for pair in value.split(";"))
    if name == "set-cookie":
        first, mark, rest = value.partition(";")
        return _pair(first) + mark + rest
    scheme, blank, _ = value.partition(" ")
    return f"{scheme} {HIDDEN}" if blank and name.endswith("authorization") else HIDDEN


def _pair(text: str) -> str:
    name, equals, _ = text.strip().partition("=")
    return f"{name}={HIDDEN}" if equals else HIDDEN


def _masked_head(head: bytes) -> bytes:
    """The lines of a head of HTTP/1.1, with those of secret fields masked."""
    lines: list[bytes] = []
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        text = name.decode("latin-1").lower()
        if colon and is_secret_name(text):
            line = name + b": " + _masked(text, value.strip().decode("latin-1")).encode("latin-1")
        lines.append(line)
    return b"\r\n".join(lines)
