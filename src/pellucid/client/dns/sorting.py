"""The order in which addresses are tried: RFC 6724, section 6, then families interleaved as RFC 8305, section 4, has it.

The rules compare an address with the source address that the kernel would use for it. That is learned without sending anything:
a UDP socket is connected and asked for its own name. Rules 3, 4 and 7 need what only the kernel knows and are left out.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from functools import cache, cmp_to_key

__all__ = ["interleaved", "sorted_addresses", "source_address"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 6724, section 2.1: prefix, precedence, label.
_POLICY = tuple(
    (ipaddress.IPv6Network(prefix), precedence, label)
    for prefix, precedence, label in (
        ("::1/128", 50, 0),
        ("::ffff:0:0/96", 35, 4),
        ("2002::/16", 30, 2),
        ("2001::/32", 5, 5),
        ("fc00::/7", 3, 13),
        ("::/96", 1, 3),
        ("fec0::/10", 1, 11),
        ("3ffe::/16", 1, 12),
        ("::/0", 40, 1),
    )
)


def source_address(address: str) -> str | None:
    """The address of ours that would be used to reach `address`; None where there is no route."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None


@cache
def _policy(address: Address) -> tuple[int, int]:
    six = _mapped(address)
    for prefix, precedence, label in sorted(_POLICY, key=lambda row: -row[0].prefixlen):
        if six in prefix:
            return precedence, label
    return 40, 1


def _mapped(address: Address) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv4Address):
        return ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    return address


def _scope(address: Address) -> int:
    """RFC 4007's scopes as numbers: 2 link-local, 5 site-local, 14 global (RFC 6724, section 3.1, 3.2)."""
    if address.is_loopback or address.is_link_local:
        return 2
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_multicast:
            return address.packed[1] & 15
        if address.is_site_local:
            return 5
    return 14


def _shared_prefix(one: Address, other: Address) -> int:
    if one.version != other.version or one.version == 4:
        return 0  # glibc, BSD and RFC 3484's heirs: for IPv4 it would fight round-robin
    return min(128 - (int(one) ^ int(other)).bit_length(), 64)


def sorted_addresses(
    addresses: Sequence[str], source: Callable[[str], str | None] = source_address
) -> list[str]:
    """Addresses without doubles by RFC 6724, section 6; what cannot be reached from here comes last."""
    unique = list(dict.fromkeys(addresses))
    if len(unique) < 2:
        return unique
    known = {each: (ipaddress.ip_address(each), _parsed(source(each))) for each in unique}

    def compare(one: str, other: str) -> int:
        (a, source_a), (b, source_b) = known[one], known[other]
        if source_a is None or source_b is None:
            return (source_a is None) - (source_b is None)  # rule 1
        same_a, same_b = _scope(a) == _scope(source_a), _scope(b) == _scope(source_b)
        if same_a != same_b:
            return -1 if same_a else 1  # rule 2
        (precedence_a, label_a), (precedence_b, label_b) = _policy(a), _policy(b)
        fits_a, fits_b = label_a == _policy(source_a)[1], label_b == _policy(source_b)[1]
        if fits_a != fits_b:
            return -1 if fits_a else 1  # rule 5
        return (
            precedence_b - precedence_a  # rule 6
            or _scope(a) - _scope(b)  # rule 8
            or (_shared_prefix(b, source_b) - _shared_prefix(a, source_a) if a.version == b.version else 0)  # rule 9
        )

    return sorted(unique, key=cmp_to_key(compare))  # rule 10: a stable sort


def _parsed(address: str | None) -> Address | None:
    return ipaddress.ip_address(address) if address else None


def interleaved(addresses: Sequence[str]) -> list[str]:
    """The families by turns, the first address's first (RFC 8305, section 4, with a First Address Family Count of 1)."""
    if not addresses:
        return []
    six = ":" in addresses[0]
    first = [each for each in addresses if (":" in each) is six]
    second = [each for each in addresses if (":" in each) is not six]
    mixed = [each for pair in zip(first, second, strict=False) for each in pair]
    both = len(mixed) // 2
    return mixed + first[both:] + second[both:]
