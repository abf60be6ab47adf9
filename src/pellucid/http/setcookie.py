"""One Set-Cookie line, read as leniently as browsers do (RFC 6265bis, sections 5.1.1 and 5.6).

In: the field's value and the time. Out: `SetCookie`, or why there is no cookie in it. Pure.
"""

from __future__ import annotations

import re
from calendar import monthrange, timegm
from typing import Literal

import msgspec

__all__ = ["SetCookie", "parse_cookie_date", "parse_set_cookie"]

_LONGEST_PAIR = 4096
_LONGEST_ATTRIBUTE = 1024
_LONGEST_LIFE = 400 * 86400.0
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SPEC = "RFC 6265bis, section "
_DELIMITER = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\D|$)")
_DAY = re.compile(r"(\d{1,2})(?:\D|$)")
_YEAR = re.compile(r"(\d{2,4})(?:\D|$)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class SetCookie(msgspec.Struct, frozen=True):
    """A parsed line: attributes as they count, before it is known whether the cookie may be stored."""

    name: str
    value: str
    domain: str = ""
    """Lower case without a leading dot; empty where the attribute is absent or empty."""
    path: str = ""
    """Empty where the attribute is absent or no absolute path."""
    expires: float | None = None
    """Seconds since 1970; None: the session's end."""
    max_age: float | None = None
    secure: bool = False
    http_only: bool = False
    same_site: Literal["strict", "lax", "none", "default"] = "default"
    partitioned: bool = False
    remarks: tuple[str, ...] = ()


def parse_set_cookie(text: str, now: float) -> SetCookie | tuple[str, str]:
    """Read one line. A tuple is a refusal: why, and where that is written."""
    if _CONTROL.search(text):
        return "There is a control character in it", _SPEC + "5.6"
    pair, _, rest = text.partition(";")
    name, equals, value = pair.partition("=")
    if not equals:
        name, value = "", pair
    name, value = name.strip("\t "), value.strip("\t ")
    if not name and not value:
        return "It has neither a name nor a value", _SPEC + "5.6"
    if not name and "=" in value:
        return "Its name is empty and its value holds an equals sign, so that it could pass for another cookie", _SPEC + "5.7"
    if len(name) + len(value) > _LONGEST_PAIR:
        return f"Name and value have {len(name) + len(value):,} bytes; browsers keep {_LONGEST_PAIR:,}", _SPEC + "5.6"
    found: dict[str, object] = {"name": name, "value": value}
    remarks: list[str] = []
    for part in rest.split(";") if rest else ():
        attribute, _, said = part.partition("=")
        attribute, said = attribute.strip("\t "), said.strip("\t ")
        if len(said) > _LONGEST_ATTRIBUTE:
            remarks.append(f"{attribute[:20]} was too long and left out")
            continue
        _attribute(attribute, said, found, remarks)
    if found.get("max_age") is not None:  # Max-Age wins over Expires
        age = found["max_age"]
        assert isinstance(age, float)
        found["expires"] = now + age if age > 0 else 0.0
    expires = found.get("expires")
    if isinstance(expires, float) and expires > now + _LONGEST_LIFE:
        found["expires"] = now + _LONGEST_LIFE
        remarks.append("longer than the 400 days that browsers allow")
    return msgspec.convert({**found, "remarks": remarks}, SetCookie)


def _attribute(attribute: str, said: str, found: dict[str, object], remarks: list[str]) -> None:
    """Section 5.6.1 to 5.6.7; of two attributes with one name the last counts."""
    match attribute.lower():
        case "expires":
            at = parse_cookie_date(said)
            if at is None:
                remarks.append(f"Expires={said[:40]} is no date and was left out")
            else:
                found["expires"] = at
        case "max-age":
            if re.fullmatch(r"-?[0-9]+", said):
                found["max_age"] = float(said[:18]) if not said.startswith("-") else -1.0
            else:
                remarks.append(f"Max-Age={said[:20]} is no number and was left out")
        case "domain":
            found["domain"] = said.removeprefix(".").lower()
        case "path":
            found["path"] = said if said.startswith("/") else ""
        case "secure":
            found["secure"] = True
        case "httponly":
            found["http_only"] = True
        case "partitioned":
            found["partitioned"] = True
        case "samesite":
            known = said.lower()
            found["same_site"] = known if known in ("strict", "lax", "none") else "default"
            if known not in ("strict", "lax", "none"):
                remarks.append(f"SameSite={said[:20]} is unknown and was left out")


def parse_cookie_date(text: str) -> float | None:
    """Seconds since 1970 by the algorithm of section 5.1.1, which finds a date in nearly anything; None where it does not."""
    time = day = month = year = None
    for token in filter(None, _DELIMITER.split(text)):
        if time is None and (match := _TIME.match(token)):
            time = tuple(int(part) for part in match.groups())
        elif day is None and (match := _DAY.match(token)):
            day = int(match.group(1))
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (match := _YEAR.match(token)):
            year = int(match.group(1))
    if time is None or day is None or month is None or year is None:
        return None
    if 70 <= year <= 99:
        year += 1900
    elif year <= 69:
        year += 2000
    hour, minute, second = time
    if not 1 <= day <= 31 or year < 1601 or hour > 23 or minute > 59 or second > 59:
        return None
    if day > monthrange(year, month)[1]:
        return None
    return float(timegm((year, month, day, hour, minute, second)))
