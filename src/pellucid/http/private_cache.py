"""A browser's cache in memory (RFC 9111): what `--twice` visits a page from.

In: requests, answers, times. Out: what was found and whether it may be used as it is, must be checked first, or is not there,
each with the reason. Bounded by the bytes of the bodies; the longest unused goes first. No I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import msgspec

from pellucid.http.caching import current_age, directives, explain, freshness, number
from pellucid.http.fields import Pairs, field, without
from pellucid.http.negotiate import split_list
from pellucid.http.remark import Remark
from pellucid.http.sites import same_origin
from pellucid.http.url import BadUrl, Url, parse_url

__all__ = ["Cache", "Found", "Stored"]

_S = "RFC 9111, section "
_MOST_VERSIONS = 8
# A 304 changes all fields but these (section 3.2): they describe the body that is kept.
_KEPT = frozenset({"content-encoding", "content-length", "content-range", "content-type", "transfer-encoding", "connection"})


class Stored(msgspec.Struct):
    """One answer that was kept."""

    url: str
    method: str
    status: int
    reason: str
    version: str
    headers: list[tuple[str, str]]
    body: bytes
    """Decoded."""
    asked: list[tuple[str, str]]
    """The fields of the request, for Vary."""
    requested: float
    received: float
    """Seconds since 1970, as `requested`."""


class Found(msgspec.Struct, frozen=True):
    """What a look into the cache came to."""

    fate: Literal["fresh", "stale", "miss"]
    stored: Stored | None
    conditions: list[tuple[str, str]]
    """Fields that make the request conditional, where it is stale."""
    remarks: tuple[Remark, ...]


class Cache:
    """Answers by URL and by what they vary on, at most `most` bytes of bodies."""

    def __init__(self, most: int = 64 * 2**20) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[str, list[Stored]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(versions) for versions in self._kept.values())

    @property
    def size(self) -> int:
        """Bytes of all bodies."""
        return self._size

    def lookup(self, method: str, url: Url, request: Pairs, now: float) -> Found:
        """Look for an answer (section 4); `now` in seconds since 1970."""
        if method not in ("GET", "HEAD"):
            return _miss(f"A {method} is never answered from a cache", f"{_S}4")
        versions = self._kept.get(url.bare)
        if not versions:
            return _miss("It is not in the cache", f"{_S}4")
        self._kept.move_to_end(url.bare)
        stored = next(
            (each for each in versions if _selected(each, request) and (method == "HEAD" or each.method == "GET")), None
        )
        if stored is None:
            vary = field(versions[0].headers, "vary") or ""
            return _miss(f"The cache has it only for other values of {vary.lower() or 'the method'}", f"{_S}4.1")
        return _judged(stored, request, now)

    def store(
        self,
        method: str,
        url: Url,
        request: Pairs,
        status: int,
        reason: str,
        response: Pairs,
        body: bytes,
        *,
        requested: float,
        received: float,
        version: str = "1.1",
    ) -> tuple[Remark, ...]:
        """Keep an answer where that is allowed; the remarks say what was decided. `body` is decoded and whole."""
        verdict = explain(method, status, request, response, requested=requested, received=received)
        if not verdict.storable:
            return verdict.remarks
        if len(body) > self._most // 4:
            message = f"Not stored after all: {len(body):,} bytes are more than this cache gives to one answer"
            return (*verdict.remarks, Remark("caching", "info", message, None))
        headers = without(response, {"connection", "keep-alive", "transfer-encoding", "trailer", "upgrade", "proxy-connection"})
        stored = Stored(url.bare, method, status, reason, version, headers, body, list(request), requested, received)
        versions = self._kept.setdefault(url.bare, [])
        for old in [each for each in versions if _selected(each, request)]:
            self._forget(old)
        versions = self._kept.setdefault(url.bare, [])
        versions.insert(0, stored)
        self._size += len(body)
        for old in versions[_MOST_VERSIONS:]:
            self._forget(old)
        self._kept.move_to_end(url.bare)
        while self._size > self._most:
            for old in list(next(iter(self._kept.values()))):
                self._forget(old)
        return verdict.remarks

    def _forget(self, stored: Stored) -> None:
        versions = self._kept[stored.url]
        versions[:] = [each for each in versions if each is not stored]
        self._size -= len(stored.body)
        if not versions:
            del self._kept[stored.url]

    def freshen(self, stored: Stored, response: Pairs, *, requested: float, received: float) -> Stored:
        """Update what is kept by a 304 (sections 3.2 and 4.3.4); the same object, with the new fields."""
        fields = [(name, value) for name, value in response if name.lower() not in _KEPT]
        changed = {name.lower() for name, _ in fields}
        stored.headers = without(stored.headers, changed) + fields
        stored.requested, stored.received = requested, received
        return stored

    def invalidate(self, method: str, url: Url, status: int, response: Pairs) -> tuple[Remark, ...]:
        """Drop what an unsafe method has probably changed (section 4.4): its URL, and those that its answer names."""
        if method in ("GET", "HEAD", "OPTIONS", "TRACE") or not 200 <= status < 400:
            return ()
        found: list[Remark] = []
        for name in ("", "location", "content-location"):
            said = field(response, name) if name else ""
            if said is None:
                continue
            try:
                target = parse_url(said, url) if said else url
            except BadUrl:
                continue
            if same_origin(target, url) and target.bare in self._kept:
                for old in list(self._kept[target.bare]):
                    self._forget(old)
                message = f"Dropped {target.bare} from the cache, since the {method} may have changed it"
                found.append(Remark("caching", "info", message, f"{_S}4.4"))
        return tuple(found)


def _miss(message: str, source: str) -> Found:
    return Found("miss", None, [], (Remark("caching", "info", message, source),))


def _selected(stored: Stored, request: Pairs) -> bool:
    """Whether the request has the same fields that the answer varies on (section 4.1); order and white space do not count."""
    return all(
        _plain(field(stored.asked, name.lower())) == _plain(field(request, name.lower()))
        for name in split_list(field(stored.headers, "vary") or "")
    )


def _plain(value: str | None) -> str | None:
    return None if value is None else ",".join(split_list(value))


def _judged(stored: Stored, request: Pairs, now: float) -> Found:
    """Whether a kept answer may be used as it is (sections 4 and 4.2)."""
    said, asked = directives(stored.headers), directives(request)
    fresh = freshness(stored.status, stored.headers, stored.received)
    age, _ = current_age(stored.headers, requested=stored.requested, received=stored.received, now=now)
    left = (fresh.lifetime or 0.0) - age
    why: tuple[str, str] | None = None
    if "no-cache" in asked or (not asked and (field(request, "pragma") or "").lower() == "no-cache"):
        why = "The request said no-cache", f"{_S}5.2.1.4"
    elif "no-cache" in said and not said["no-cache"]:
        why = "The answer said no-cache: it is checked before each use", f"{_S}5.2.2.4"
    elif (limit := number(asked.get("max-age"))) is not None and age > limit:
        why = f"It is {age:,.0f} s old, and the request takes at most {limit:,.0f} s", f"{_S}5.2.1.1"
    elif (need := number(asked.get("min-fresh"))) is not None and left < need:
        why = f"It is fresh for another {left:,.0f} s, and the request wants {need:,.0f} s", f"{_S}5.2.1.3"
    elif left > 0:
        assert fresh.lifetime is not None
        message = f"Used from the cache: fresh for {fresh.lifetime:,.0f} s ({fresh.by}), {age:,.0f} s old, {left:,.0f} s left"
        return Found("fresh", stored, [], (Remark("caching", "good", message, f"{_S}4.2"),))
    elif left + (number(said.get("stale-while-revalidate")) or 0) > 0 and "must-revalidate" not in said:
        message = f"Used stale: {-left:,.0f} s too old, and stale-while-revalidate lets a browser check behind the user's back"
        return Found("fresh", stored, [], (Remark("caching", "good", message, "RFC 5861, section 3"),))
    else:
        lifetime = (
            "nothing says how long it is fresh" if fresh.lifetime is None else f"fresh for {fresh.lifetime:,.0f} s ({fresh.by})"
        )
        why = f"It is stale: {lifetime}, {age:,.0f} s old", f"{_S}4.2"
    return _stale(stored, why)


def _stale(stored: Stored, why: tuple[str, str]) -> Found:
    """Ask the server whether it is still right (section 4.3.1)."""
    conditions: list[tuple[str, str]] = []
    tag, changed = field(stored.headers, "etag"), field(stored.headers, "last-modified")
    if tag is not None:
        conditions.append(("If-None-Match", tag))
    if changed is not None:
        conditions.append(("If-Modified-Since", changed))
    asks = " and ".join(f"{name}" for name, _ in conditions)
    ending = (
        f"asked with {asks} whether it has changed" if conditions else "fetched whole again, for want of ETag and Last-Modified"
    )
    return Found("stale", stored, conditions, (Remark("caching", "info", f"{why[0]}; {ending}", why[1]),))
