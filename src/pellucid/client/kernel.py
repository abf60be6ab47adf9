"""What the kernel knows of a TCP connection: round trip, retransmits, window (Linux: TCP_INFO, linux/tcp.h `struct tcp_info`).

In: a connected socket. Out: a `Kernel`, or None where the system does not tell. The struct has grown over the years and the
kernel says how much of it there is, so each part is read only where it is whole.
"""

from __future__ import annotations

import socket
import struct
import sys

from pellucid.journey import Kernel

__all__ = ["kernel_of", "read_info"]

_HEAD = struct.Struct("=8B24I")
"""Eight bytes of states and options, then 24 counters: the struct as it was in Linux 2.6."""
_DELIVERY_RATE = 160
_MIN_RTT = 148
_NOT_MEASURED = 0xFFFFFFFF


def kernel_of(connected: socket.socket, at: int) -> Kernel | None:
    """Ask the kernel now; `at` is the instant to write down."""
    if sys.platform != "linux":
        return None
    try:
        info = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)
    except OSError:
        return None
    return read_info(info, at)


def read_info(info: bytes, at: int) -> Kernel | None:
    """Read the struct as the kernel wrote it, of whatever length."""
    if len(info) < _HEAD.size:
        return None
    fields = _HEAD.unpack_from(info)
    counters = fields[8:]
    min_rtt = _at(info, "=I", _MIN_RTT)
    return Kernel(
        at=at,
        rtt=counters[15],
        rtt_variance=counters[16],
        min_rtt=None if min_rtt in (None, 0, _NOT_MEASURED) else min_rtt,
        retransmits=counters[23],
        congestion_window=counters[18],
        mss=counters[2],
        delivery_rate=_at(info, "=Q", _DELIVERY_RATE) or None,
    )


def _at(info: bytes, format: str, offset: int) -> int | None:
    if len(info) < offset + struct.calcsize(format):
        return None
    found: int = struct.unpack_from(format, info, offset)[0]
    return found
