"""What a private cache makes of an answer, with the arithmetic written out (RFC 9111).

In: the head of a request and of its answer, and when each was sent and received. Out: `Verdict`: whether it may be stored, how
long it is fresh, how old it is, and a remark for each step. Pure; the cache itself is in private_cache.py.
"""

from __future__ import annotations

import msgspec

from pellucid.http.conditional import parse_date
from pellucid.http.fields import Pairs, field, field_lines
from pellucid.http.negotiate import split_list
from pellucid.http.remark import Level, Remark

__all__ = ["Freshness", "Verdict", "current_age", "directives", "explain", "freshness", "number", "storable"]

_S = "RFC 9111, section "
_HEURISTIC = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""Statuses that may be kept although nothing says how long (RFC 9110, section 15.1)."""
_MOST = 2**31
_DAY = 86_400.0


class Freshness(msgspec.Struct, frozen=True):
    """How long an answer is fresh in a private cache, and what said so."""

    lifetime: float | None
    """Seconds; None: nothing says so, and no guess is allowed."""
    by: str
    """`max-age`, `Expires`, a guess, ..."""
    source: str


class Verdict(msgspec.Struct, frozen=True):
    """Everything about one answer."""

    storable: bool
    lifetime: float | None
    age: float
    remarks: tuple[Remark, ...]


def directives(pairs: Pairs, name: str = "cache-control") -> dict[str, str]:
    """The directives of Cache-Control by lower-case name, "" where one has no argument; of two with one name the first counts."""
    found: dict[str, str] = {}
    for element in split_list(field(pairs, name) or ""):
        directive, _, argument = element.partition("=")
        found.setdefault(directive.strip(" \t").lower(), argument.strip(" \t").strip('"'))
    return found


def number(text: str | None) -> float | None:
    """Seconds as RFC 9111, section 1.2.2 has them; None where it is no number."""
    if text is None or not text.isdecimal() or not text.isascii():
        return None
    return float(min(int(text[:12]), _MOST))


def storable(method: str, status: int, request: Pairs, response: Pairs) -> tuple[bool, str, str]:
    """Whether a private cache may keep the answer (section 3): the verdict, why, and the section."""
    said, asked = directives(response), directives(request)
    if method not in ("GET", "HEAD"):
        return False, f"It answers a {method}, and caches keep only what GET and HEAD bring", f"{_S}2"
    if status < 200:
        return False, "It is an interim answer", f"{_S}3"
    if status in (206, 304):
        return False, f"{status} is only a part of an answer, which this cache does not put together", f"{_S}3.3"
    if "no-store" in said:
        return False, "The answer said no-store", f"{_S}5.2.2.5"
    if "no-store" in asked:
        return False, "The request said no-store", f"{_S}5.2.1.5"
    if "*" in split_list(field(response, "vary") or ""):
        return False, "Vary: * says that no other request gets the same answer", f"{_S}4.1"
    explicit: str | None = next((word for word in ("public", "private", "max-age") if word in said), None)
    if explicit is None and field(response, "expires") is not None:
        explicit = "Expires"
    if explicit is not None:
        return True, f"{explicit} allows a private cache to keep it", f"{_S}3"
    if status in _HEURISTIC:
        return True, f"Nothing forbids it, and a {status} may be kept", f"{_S}3"
    return False, f"A {status} is kept only where max-age, Expires, public or private allows it", f"{_S}3"


def freshness(status: int, response: Pairs, received: float) -> Freshness:
    """How long a private cache takes the answer for fresh (section 4.2.1); `received` in seconds since 1970."""
    said = directives(response)
    age = number(said.get("max-age"))
    if age is not None:
        return Freshness(age, "max-age", f"{_S}4.2.1")
    if "max-age" in said:
        return Freshness(0.0, "max-age, which is no number of seconds and therefore counts as 0", f"{_S}4.2.1")
    expires = field_lines(response, "expires")
    if expires:
        at = parse_date(expires[0])
        made = _made(response, received)
        if at is None:
            return Freshness(0.0, "Expires, which is no date and therefore counts as past", f"{_S}5.3")
        return Freshness(max(0.0, at - made), "Expires minus Date", f"{_S}4.2.1")
    modified = field(response, "last-modified")
    changed = parse_date(modified) if modified is not None else None
    if changed is not None and status in _HEURISTIC:
        unchanged = max(0.0, _made(response, received) - changed)
        return Freshness(unchanged / 10, f"a guess: a tenth of the {_time(unchanged)} since Last-Modified", f"{_S}4.2.2")
    return Freshness(None, "nothing", f"{_S}4.2.2")


def _made(response: Pairs, received: float) -> float:
    """Date, or where it is absent the time of receipt (RFC 9110, section 6.6.1)."""
    dates = field_lines(response, "date")
    at = parse_date(dates[0]) if dates else None
    return float(at) if at is not None else received


def current_age(response: Pairs, *, requested: float, received: float, now: float) -> tuple[float, str]:
    """The age of an answer (section 4.2.3), and the sum in words; times in seconds since 1970."""
    said = number((field_lines(response, "age") or [""])[0])
    apparent = max(0.0, received - _made(response, received)) if field(response, "date") is not None else 0.0
    delay = max(0.0, received - requested)
    corrected = (said or 0.0) + delay
    initial = max(apparent, corrected)
    resident = max(0.0, now - received)
    # Date has whole seconds, so that less than one of them is no age.
    if apparent < 1.0 and apparent > corrected:
        initial = corrected
    parts = [f"{_time(said)} in other caches (Age)"] if said else []
    if initial == corrected:
        parts += [f"{_time(delay)} on the way"] if delay >= 1 else []
    else:
        parts = [f"{_time(apparent)} since Date"]
    parts += [f"{_time(resident)} in this cache"] if resident >= 1 else []
    return initial + resident, " + ".join(parts) or "just made"


def explain(
    method: str, status: int, request: Pairs, response: Pairs, *, requested: float, received: float, now: float | None = None
) -> Verdict:
    """Everything that a private cache reads out of an answer, step by step; times in seconds since 1970."""
    now = received if now is None else now
    may, why, source = storable(method, status, request, response)
    remarks = [Remark("caching", "good" if may else "info", f"{'May' if may else 'May not'} be stored: {why}", source)]
    age, made_of = current_age(response, requested=requested, received=received, now=now)
    if not may:
        return Verdict(False, None, age, (*remarks, *_contradictions(response, may)))
    fresh = freshness(status, response, received)
    remarks.append(_freshness_remark(fresh, age, made_of, response))
    remarks += _rules(response, fresh, age)
    remarks += _contradictions(response, may)
    return Verdict(True, fresh.lifetime, age, tuple(remarks))


def _freshness_remark(fresh: Freshness, age: float, made_of: str, response: Pairs) -> Remark:
    if "no-cache" in directives(response) and not directives(response)["no-cache"]:
        return Remark("caching", "info", "no-cache: whatever its age, it is checked before each use", f"{_S}5.2.2.4")
    if fresh.lifetime is None:
        return Remark("caching", "warning", "Nothing says how long it is fresh, so it is checked before each use", fresh.source)
    left = fresh.lifetime - age
    old = f"{_time(age)} old" + (f" ({made_of})" if age >= 1 else "")
    if left > 0:
        guess = fresh.by.startswith("a guess")
        level: Level = "warning" if guess else "good"
        return Remark(
            "caching", level, f"Fresh for {_time(fresh.lifetime)} ({fresh.by}), {old}: {_time(left)} left", fresh.source
        )
    if fresh.lifetime == 0:
        return Remark("caching", "info", f"Stale at once ({fresh.by}): it is checked before each use", fresh.source)
    return Remark(
        "caching", "warning", f"Fresh for {_time(fresh.lifetime)} ({fresh.by}), {old}: stale since {_time(-left)}", fresh.source
    )


def _rules(response: Pairs, fresh: Freshness, age: float) -> list[Remark]:
    """What else binds the cache: checks, staleness that is allowed, versions."""
    said = directives(response)
    found: list[Remark] = []
    window = number(said.get("stale-while-revalidate"))
    if window and fresh.lifetime is not None:
        message = f"For {_time(window)} after that it may be used stale while it is checked behind the user's back"
        found.append(Remark("caching", "good", message, "RFC 5861, section 3"))
    if "must-revalidate" in said:
        found.append(
            Remark("caching", "info", "Once stale it must be checked, even where the server cannot be reached", f"{_S}5.2.2.2")
        )
    if "immutable" in said and fresh.lifetime:
        found.append(Remark("caching", "good", "immutable: a reload does not ask while it is fresh", "RFC 8246, section 2"))
    vary = [name.lower() for name in split_list(field(response, "vary") or "")]
    if vary:
        found.append(
            Remark("caching", "info", f"A version is kept for each value of {', '.join(vary)} in the request", f"{_S}4.1")
        )
    tag, changed = field(response, "etag"), field(response, "last-modified")
    if tag is None and changed is None:
        message = "There is neither ETag nor Last-Modified, so a check means to fetch it whole again"
        found.append(Remark("caching", "warning" if (fresh.lifetime or 0) - age < _DAY else "info", message, f"{_S}4.3.1"))
    return found


def _contradictions(response: Pairs, may: bool) -> list[Remark]:
    """Directives that speak against one another or do nothing."""
    said = directives(response)
    found: list[str] = []
    if "no-store" in said and (others := [word for word in ("max-age", "public", "immutable", "s-maxage") if word in said]):
        found.append(f"no-store makes {' and '.join(others)} pointless")
    if "public" in said and "private" in said:
        found.append("public and private contradict one another; private holds")
    ages = {argument for name, argument in _arguments(response) if name == "max-age"}
    if len(ages) > 1:
        found.append(f"max-age was said {len(ages)} times with different numbers; the first holds")
    if may and "no-cache" in said and not said["no-cache"] and number(said.get("max-age")):
        found.append("no-cache makes max-age pointless")
    if "immutable" in said and not number(said.get("max-age")):
        found.append("immutable without max-age does nothing")
    if "expires" in {name.lower() for name, _ in response} and "max-age" in said:
        at = parse_date(field_lines(response, "expires")[0])
        date = parse_date((field_lines(response, "date") or [""])[0])
        if at is not None and date is not None and abs((at - date) - (number(said["max-age"]) or 0)) > 60:
            found.append("Expires and max-age differ; max-age holds")
    remarks = [Remark("caching", "warning", message, f"{_S}4.2.1") for message in found]
    if "cache-control" not in {name.lower() for name, _ in response} and (field(response, "pragma") or "").lower() == "no-cache":
        remarks.append(Remark("caching", "warning", "Pragma means nothing in an answer; Cache-Control does", f"{_S}5.4"))
    return remarks


def _arguments(response: Pairs) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for element in split_list(field(response, "cache-control") or ""):
        name, _, argument = element.partition("=")
        found.append((name.strip(" \t").lower(), argument.strip(" \t").strip('"')))
    return found


def _time(seconds: float) -> str:
    """Seconds up to two days, then days: `3,600 s`, `365 days`."""
    if seconds >= 2 * _DAY:
        days = seconds / _DAY
        return f"{days:,.0f} days" if days == int(days) else f"{days:,.1f} days"
    return f"{seconds:,.0f} s" if seconds >= 1 or seconds == 0 else "less than 1 s"
