"""The hosts file (hosts(5)): addresses of names by line. In: the file's path. Out: what it says of a name, with line numbers."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import msgspec

__all__ = ["HostsEntry", "find_in_hosts"]

_MOST_BYTES = 16 * 1024 * 1024


class HostsEntry(msgspec.Struct, frozen=True):
    """One line that names the host."""

    line: int
    address: str
    canonical: str
    """The first name of the line; the others are its aliases."""


def find_in_hosts(path: Path, name: str) -> list[HostsEntry]:
    """The lines that name `name`, whatever its case, in order; an unreadable file has none."""
    wanted = name.rstrip(".").lower()
    found: list[HostsEntry] = []
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return found
    for number, line in enumerate(text.split("\n"), start=1):
        address, *names = line.partition("#")[0].split() or [""]
        if wanted not in (each.rstrip(".").lower() for each in names):
            continue
        try:
            ipaddress.ip_address(address)
        except ValueError:
            continue
        found.append(HostsEntry(number, address, names[0]))
    return found
