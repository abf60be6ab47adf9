"""The driver takes whatever comes over the wire: garbage, answers to others, nothing, half of it; and says so."""

from __future__ import annotations

import asyncio
import struct

import dns.message
import dns.name
import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answering import Says, answering, reply_to
from pellucid.client.dns.asking import Ask, Asking, Reply
from pellucid.client.dns.driver import Driver
from pellucid.journey import Clock

ADDRESS = "127.0.53.200"
WWW = dns.name.from_text("www.example.")


def ask(says: Says, *, transport: str = "udp", timeout: float = 2.0, payload: int = 1232, address: str = ADDRESS) -> Reply:
    async def asking() -> Reply:
        async with answering(says, address) as server:
            question = Ask(address, server.port, WWW, "A", transport, payload, timeout=timeout)  # type: ignore[arg-type]
            return await Driver(Clock()).ask(question)

    return asyncio.run(asking())


def good(data: bytes, tcp: bool) -> list[bytes]:
    return [reply_to(data, "www.example. 60 IN A 192.0.2.1")]


@pytest.mark.parametrize("address", [ADDRESS, "::1"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_question_and_its_answer(transport: str, address: str) -> None:
    reply = ask(good, transport=transport, address=address)
    assert reply.message is not None
    assert reply.message.answer[0].to_text() == "www.example. 60 IN A 192.0.2.1"
    assert reply.trouble is None
    assert 0 < reply.started < reply.ended
    assert (reply.sent, reply.received) == (40, 56)


def test_what_is_asked_for_is_in_the_question() -> None:
    async def asking() -> dns.message.Message:
        async with answering(good, ADDRESS) as server:
            driver = Driver(Clock())
            await driver.ask(Ask(ADDRESS, server.port, WWW, "AAAA", payload=1232, dnssec=True))
            await driver.ask(Ask(ADDRESS, server.port, WWW, "HTTPS", payload=0, recursive=True))
            first, second = (message for message, _ in server.asked)
            assert (first.edns, first.payload, bool(first.ednsflags & 0x8000), first.flags) == (0, 1232, True, 0)
            assert (second.edns, second.flags) == (-1, 0x0120), "RD and AD"
            return first

    assert str(asyncio.run(asking()).question[0]) == "www.example. IN AAAA"


def spoofed(data: bytes, tcp: bool) -> list[bytes]:
    """The right answer comes last, after those that a forger without our id and question would send."""
    right = good(data, tcp)[0]
    other_id = struct.pack("!H", struct.unpack("!H", right[:2])[0] ^ 1) + right[2:]
    other_name = right.replace(b"\x03www", b"\x03vvv")
    return [b"short", other_id, data, other_name, right]


def test_an_answer_counts_only_with_our_id_and_question() -> None:
    reply = ask(spoofed)
    assert reply.message is not None
    assert reply.message.answer[0].to_text() == "www.example. 60 IN A 192.0.2.1"
    assert reply.notes == [
        "A datagram was ignored: it has 5 bytes, fewer than a header",
        "A datagram was ignored: its id is not that of our question",
        "A datagram was ignored: it is a question itself",
        "4 datagrams were ignored in all",
    ]


def test_a_flood_of_datagrams_ends_the_question() -> None:
    reply = ask(lambda data, tcp: [b"flood"] * 100, timeout=30)
    assert (reply.trouble, reply.message) == ("malformed", None)
    assert reply.why == "100 datagrams came that do not answer"


def test_a_message_that_cannot_be_read_is_malformed() -> None:
    reply = ask(lambda data, tcp: [good(data, tcp)[0][:-3]])
    assert reply.trouble == "malformed"


def test_formerr_may_come_without_a_question() -> None:
    reply = ask(lambda data, tcp: [data[:2] + b"\x80\x01" + b"\0" * 8])
    assert reply.message is not None
    assert reply.message.rcode() == dns.rcode.FORMERR


def test_silence_is_a_timeout() -> None:
    reply = ask(lambda data, tcp: [], timeout=0.02)
    assert (reply.trouble, reply.why) == ("timeout", "no answer within 0.02 s")
    assert reply.ended > reply.started


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_nobody_there_is_known_at_once(transport: str) -> None:
    async def asking() -> Reply:
        async with answering(good, ADDRESS) as server:
            port = server.port
        return await Driver(Clock()).ask(Ask(ADDRESS, port, WWW, "A", transport, timeout=30))  # type: ignore[arg-type]

    reply = asyncio.run(asking())
    assert reply.trouble == "unreachable"
    assert "refused" in reply.why


@pytest.mark.parametrize("messages", [[], [b"\0\1"], [b"\0" * 20]])
def test_tcp_that_ends_too_early_or_is_garbage_is_malformed(messages: list[bytes]) -> None:
    reply = ask(lambda data, tcp: messages, transport="tcp")
    assert reply.trouble == "malformed"


def test_a_question_that_is_given_up_is_told_of_and_ends_the_run() -> None:
    """Even where it was the generator's last: what cancels must not be taken for an answer."""
    told: list[Reply] = []

    def steps(port: int) -> Asking[str]:
        told.append((yield Ask(ADDRESS, port, WWW, "A", timeout=30)))
        return "an answer"

    async def asking() -> None:
        heard = asyncio.Event()

        def silent(data: bytes, tcp: bool) -> list[bytes]:
            heard.set()
            return []

        async with answering(silent, ADDRESS) as server:
            task = asyncio.create_task(Driver(Clock()).run(steps(server.port)))
            await heard.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(asking())
    assert [(reply.trouble, reply.why) for reply in told] == [("timeout", "no answer until the lookup was given up")]


GARBAGE = st.one_of(
    st.binary(max_size=80),
    st.tuples(st.integers(0, 3), st.binary(min_size=10, max_size=120)),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=6),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(GARBAGE, min_size=1, max_size=4), st.sampled_from(["udp", "tcp"]))
def test_no_garbage_breaks_the_driver(pieces: list[object], transport: str) -> None:
    """Any bytes; any bytes behind our id; the right answer with bytes changed. Then the right answer."""

    def says(data: bytes, tcp: bool) -> list[bytes]:
        right = good(data, tcp)[0]
        made: list[bytes] = []
        for piece in pieces:
            if isinstance(piece, bytes):
                made.append(piece)
            elif isinstance(piece, tuple):
                made.append(data[:2] + (b"\x80\x84\x00\x81"[piece[0] : piece[0] + 1]) + piece[1])
            else:
                changed = bytearray(right)
                for at, value in piece:  # type: ignore[attr-defined]
                    changed[at % len(changed)] = value
                made.append(bytes(changed))
        return [*made, right]

    reply = ask(says, transport=transport)
    assert (reply.message is None) == (reply.trouble is not None)
    if reply.message is not None and reply.message.question:
        assert str(reply.message.question[0]) == "www.example. IN A"
