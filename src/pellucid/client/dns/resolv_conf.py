"""What the system says of name service: resolv.conf(5) and the hosts line of nsswitch.conf(5).

In: the paths. Out: `SystemConfig`, with glibc's defaults where a file is missing or a line is wrong.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from pellucid.errors import shorten
from pellucid.http.sites import is_address

__all__ = ["SystemConfig", "candidates", "parse_server", "read_sources", "read_system"]

_MOST_BYTES = 1024 * 1024


class SystemConfig(msgspec.Struct, frozen=True):
    """How the system asks."""

    servers: tuple[str, ...] = ("127.0.0.1",)
    """At most three, as glibc has it."""
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: float = 5.0
    attempts: int = 2
    rotate: bool = False
    source: str = "resolv.conf"
    """For the narration: where the servers are from."""


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace").split("\n")
    except OSError:
        return []


def _limited(text: str, most: int, least: int = 0) -> int:
    return min(max(int(text), least), most) if text.isascii() and text.isdigit() and len(text) < 6 else least


def read_system(path: Path) -> SystemConfig:
    """Read resolv.conf: of `domain` and `search` the last counts; options are bounded as glibc bounds them."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    options: dict[str, str] = {}
    for line in _lines(path):
        if line[:1] in "#;":
            continue
        keyword, *values = line.split() or [""]
        if keyword == "nameserver" and values and is_address(values[0]):
            servers.append(values[0])
        elif keyword in ("search", "domain"):
            search = tuple(each.rstrip(".").lower() for each in values[: 1 if keyword == "domain" else 32] if each.strip("."))
        elif keyword == "options":
            options.update((name, value) for name, _, value in (each.partition(":") for each in values))
    return SystemConfig(
        servers=tuple(servers[:3]) or ("127.0.0.1",),
        search=search,
        ndots=_limited(options["ndots"], 15) if "ndots" in options else 1,
        timeout=float(_limited(options["timeout"], 30, 1)) if "timeout" in options else 5.0,
        attempts=_limited(options["attempts"], 5, 1) if "attempts" in options else 2,
        rotate="rotate" in options,
        source=path.name,
    )


def read_sources(path: Path) -> tuple[str, ...]:
    """Which sources are asked for hosts, in order; what is in brackets is left out. `files dns` where the file says nothing."""
    for line in _lines(path):
        database, colon, listed = line.partition("#")[0].partition(":")
        if colon and database.strip() == "hosts":
            return tuple(re.sub(r"\[[^\]]*\]", " ", listed).split())
    return ("files", "dns")


def candidates(name: str, config: SystemConfig) -> list[str]:
    """The absolute names to try for a name, in order (resolv.conf(5), search and ndots)."""
    if name.endswith("."):
        return [name]
    searched = [f"{name}.{domain}." for domain in config.search if len(name) + len(domain) < 253]
    return [f"{name}.", *searched] if name.count(".") >= config.ndots else [*searched, f"{name}."]


def parse_server(text: str) -> tuple[str, int]:
    """Address and port of a name server: `9.9.9.9`, `127.0.0.1:5300`, `[::1]:53`, `::1`. Raises ValueError with what is wrong."""
    address, colon, port = text, "", "53"
    if text.startswith("["):
        address, closed, rest = text[1:].partition("]")
        colon, port = rest[:1] if closed else "[", rest[1:] if rest else "53"
    elif text.count(":") == 1:
        address, colon, port = text.partition(":")
    if not is_address(address) or colon not in ("", ":"):
        raise ValueError(f"{shorten(text)} is not the address of a name server; 9.9.9.9, 127.0.0.1:5300 and [::1]:53 are")
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        raise ValueError(f"{shorten(port)} is not a port; 1 to 65535 are")
    return address, int(port)
