"""Which address is tried first: the examples of RFC 6724, section 10.2, and the interleaving of RFC 8305."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.client.dns.sorting import interleaved, sorted_addresses, source_address

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        # RFC 6724, section 10.2: destination -> source that would be used; the order that comes out.
        ({"198.51.100.121": "169.254.13.78", "2001:db8:1::1": "2001:db8:1::2"}, ["2001:db8:1::1", "198.51.100.121"]),
        ({"2001:db8:1::1": "fe80::1", "198.51.100.121": "198.51.100.117"}, ["198.51.100.121", "2001:db8:1::1"]),
        ({"10.1.2.3": "10.1.2.4", "2001:db8:1::1": "2001:db8:1::2"}, ["2001:db8:1::1", "10.1.2.3"]),
        ({"2001:db8:1::1": "2001:db8:1::2", "fe80::1": "fe80::2"}, ["fe80::1", "2001:db8:1::1"]),
        ({"2002:c633:6401::1": "2002:c633:6401::2", "2001:db8::1": "2002:c633:6401::2"}, ["2002:c633:6401::1", "2001:db8::1"]),
        ({"2001:db8:1::1": "2001:db8:1::2", "2002:c633:6401::1": "2002:c633:6401::2"}, ["2001:db8:1::1", "2002:c633:6401::1"]),
        # Rule 9: the longer common prefix; not for IPv4, which keeps the order it came in.
        ({"2001:db8:3ffe::1": "2001:db8:1::2", "2001:db8:1::1": "2001:db8:1::2"}, ["2001:db8:1::1", "2001:db8:3ffe::1"]),
        ({"192.0.2.9": "198.51.100.1", "198.51.100.2": "198.51.100.1"}, ["192.0.2.9", "198.51.100.2"]),
        # Loopback before everything, what has no route after everything.
        ({"127.0.0.1": "127.0.0.1", "::1": "::1"}, ["::1", "127.0.0.1"]),
        ({"2001:db8::1": None, "192.0.2.1": "192.0.2.7"}, ["192.0.2.1", "2001:db8::1"]),
    ],
)
def test_the_examples_of_the_standard(sources: dict[str, str | None], expected: list[str]) -> None:
    assert sorted_addresses(list(sources), sources.get) == expected


@given(st.lists(ADDRESSES, max_size=8), st.dictionaries(ADDRESSES, ADDRESSES, max_size=8))
def test_sorting_loses_nothing_and_is_stable(addresses: list[str], sources: dict[str, str]) -> None:
    by_family = {4: sources.get("4"), 6: None}
    ordered = sorted_addresses(addresses, lambda each: sources.get(each, by_family[ipaddress.ip_address(each).version]))
    assert sorted(ordered) == sorted(set(addresses))


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ([], []),
        (["192.0.2.1", "192.0.2.2"], ["192.0.2.1", "192.0.2.2"]),
        (["::1", "::2", "::3", "192.0.2.1"], ["::1", "192.0.2.1", "::2", "::3"]),
        (["192.0.2.1", "192.0.2.2", "::1", "::2"], ["192.0.2.1", "::1", "192.0.2.2", "::2"]),
        (["::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"], ["::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]),
    ],
)
def test_families_take_turns(given_: list[str], expected: list[str]) -> None:
    assert interleaved(given_) == expected


@given(st.lists(ADDRESSES, max_size=12, unique=True))
def test_interleaving_keeps_each_family_in_order(addresses: list[str]) -> None:
    mixed = interleaved(addresses)
    for six in (True, False):
        assert [each for each in mixed if (":" in each) is six] == [each for each in addresses if (":" in each) is six]


def test_the_kernel_says_which_source_it_would_use() -> None:
    assert source_address("127.0.0.1") == "127.0.0.1"
    assert source_address("no address") is None
