"""What the kernel writes into TCP_INFO, of every length that kernels have had."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from pellucid.client.kernel import read_info

FULL = bytearray(256)
struct.pack_into("=I", FULL, 16, 1448)
struct.pack_into("=II", FULL, 68, 1500, 700)
struct.pack_into("=I", FULL, 80, 10)
struct.pack_into("=I", FULL, 100, 3)
struct.pack_into("=I", FULL, 148, 1200)
struct.pack_into("=Q", FULL, 160, 5_000_000_000)


def test_the_offsets_are_those_of_linux() -> None:
    found = read_info(bytes(FULL), 9)
    assert found is not None
    assert (found.at, found.mss, found.rtt, found.rtt_variance) == (9, 1448, 1500, 700)
    assert (found.congestion_window, found.retransmits, found.min_rtt, found.delivery_rate) == (10, 3, 1200, 5_000_000_000)


def test_an_old_kernel_tells_less() -> None:
    old = read_info(bytes(FULL[:104]), 0)
    assert old is not None
    assert (old.rtt, old.min_rtt, old.delivery_rate) == (1500, None, None)
    assert read_info(bytes(FULL[:103]), 0) is None
    middle = read_info(bytes(FULL[:152]), 0)
    assert middle is not None
    assert (middle.min_rtt, middle.delivery_rate) == (1200, None)


def test_not_yet_measured_is_not_told() -> None:
    fresh = bytearray(FULL)
    struct.pack_into("=I", fresh, 148, 0xFFFFFFFF)
    struct.pack_into("=Q", fresh, 160, 0)
    found = read_info(bytes(fresh), 0)
    assert found is not None
    assert (found.min_rtt, found.delivery_rate) == (None, None)


@given(st.binary(max_size=300))
def test_any_bytes_can_be_read(info: bytes) -> None:
    read_info(info, 0)
