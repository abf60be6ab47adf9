"""A server on real sockets, seen by clients that behave well, slowly, badly, or not at all."""

from __future__ import annotations

import asyncio
import socket
import struct

from pellucid.errors import INVALID_BODY, Problem
from pellucid.http.messages import Request, Response
from pellucid.server.connection import Limits
from pellucid.server.listen import listen, listen_unix
from pellucid.server.worker import running

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
BIG = bytes(range(256)) * 4096


def post(body: bytes, *fields: bytes) -> bytes:
    more = b"".join(field + b"\r\n" for field in fields)
    return b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), more, body)


def echo(request: Request) -> Response:
    return Response(200, b"%b %b" % (request.path.encode(), request.body))


async def count(request: Request) -> Response:
    """Read the body piece by piece."""
    size = 0
    async for piece in request.chunks():
        size += len(piece)
    return Response(200, str(size).encode())


class Gate:
    """A handler that waits until the test lets it go on."""

    def __init__(self) -> None:
        self.entered, self.open = asyncio.Event(), asyncio.Event()
        self.paths: list[str] = []

    async def __call__(self, request: Request) -> Response:
        self.paths.append(request.path)
        self.entered.set()
        await self.open.wait()
        return Response(200, request.path.encode())


# Answers


def test_an_answer_says_what_a_client_relies_on(run, connect):
    async def main():
        async with running(echo) as address:
            client = await connect(address)
            status, headers, body = await client.ask(GET)
            assert (status, body) == (200, b"/a ")
            assert headers[b"server"] == b"pellucid"
            assert headers[b"date"].endswith(b" GMT")
            assert headers[b"content-length"] == b"3"
            assert b"connection" not in headers
            id = headers[b"x-request-id"]
            assert len(id) == 32
            assert headers[b"traceresponse"] == b"00-%b-%b-01" % (id, id[16:])
            again = (await client.ask(GET))[1]
            assert again[b"x-request-id"] != id

    run(main())


def test_a_traceparent_gives_the_trace_its_id(run, connect):
    async def main():
        trace, span = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"
        async with running(echo) as address:
            client = await connect(address)
            for sent, taken in (
                (b"00-%b-%b-01" % (trace, span), True),
                (b"cc-%b-%b-01-later" % (trace, span), True),
                (b"ff-%b-%b-01" % (trace, span), False),
                (b"00-%b-%b-01" % (b"0" * 32, span), False),
                (b"00-%b-%b-01" % (trace.upper(), span), False),
                (b"nonsense", False),
            ):
                _, headers, _ = await client.ask(b"GET / HTTP/1.1\r\nHost: a\r\ntraceparent: %b\r\n\r\n" % sent)
                assert (headers[b"traceresponse"][3:35] == trace) is taken
                assert headers[b"x-request-id"] != trace

    run(main())


def test_head_has_the_length_and_no_body(run, connect):
    async def main():
        async def numbers():
            yield b"1"

        def handler(request):
            match request.path:
                case "/whole":
                    return Response(200, b"hello")
                case "/known":
                    return Response(200, numbers(), length=1)
                case "/unknown":
                    return Response(200, numbers())
                case _:
                    return Response(200, b"", length=12)

        async with running(handler) as address:
            client = await connect(address)
            for path, said in (
                (b"/whole", b"content-length: 5"),
                (b"/known", b"content-length: 1"),
                (b"/unknown", b"transfer-encoding: chunked"),
                (b"/told", b"content-length: 12"),
            ):
                for _ in range(2):
                    await client.send(b"HEAD %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                    assert said in await client.head()
            await client.send(b"HEAD /whole HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await client.head()
            assert await client.rest() == b""

    run(main())


def test_statuses_without_a_body_have_none_whatever_the_handler_says(run, connect):
    async def main():
        async def numbers():
            yield b"1"

        async with running(lambda r: Response(int(r.path[1:4]), b"x" if r.path.endswith("b") else numbers())) as address:
            client = await connect(address)
            for path in (b"/204b", b"/304b", b"/204s", b"/304s"):
                await client.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                head = await client.head()
                assert head.startswith(b"HTTP/1.1 " + path[1:4])
                assert b"content-length" not in head
                assert b"transfer-encoding" not in head
            assert (await client.ask(b"GET /200b HTTP/1.1\r\nHost: a\r\n\r\n"))[2] == b"x"

    run(main())


def test_a_handler_cannot_forge_headers_or_framing(run, connect):
    async def main():
        faults = []

        def handler(request):
            match request.path:
                case "/value":
                    return Response(200, b"x", headers=[("x-a", "b\r\nset-cookie: c=d")])
                case "/name":
                    return Response(200, b"x", headers=[("x-a: b\nx-c", "d")])
                case "/unsayable":
                    return Response(200, b"x", headers=[("x-a", "\u4e2d")])
                case _:
                    return Response(200, b"x", headers=[("Content-Length", "9"), ("transfer-encoding", "chunked"), ("X-A", "b")])

        async with running(handler, on_error=lambda request, error: faults.append(error)) as address:
            client = await connect(address)
            for path in (b"/value", b"/name", b"/unsayable"):
                status, headers, _ = await client.ask(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                assert status == 500
                assert b"set-cookie" not in headers
            assert len(faults) == 3
            status, headers, body = await client.ask(GET)
            assert (status, body) == (200, b"x")
            assert (headers[b"content-length"], headers[b"x-a"]) == (b"1", b"b")
            assert b"transfer-encoding" not in headers

    run(main())


def test_a_large_body_arrives_whole(run, connect):
    async def main():
        async with running(lambda request: Response(200, BIG)) as address:
            client = await connect(address)
            for _ in range(2):
                assert (await client.ask(GET))[2] == BIG

    run(main())


def test_http_1_0_is_closed_unless_it_asks_to_be_kept(run, connect):
    async def main():
        async def numbers():
            yield b"1"
            yield b"2"

        async with running(lambda r: Response(200, numbers() if r.path == "/stream" else b"x")) as address:
            client = await connect(address)
            _, headers, _ = await client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert headers[b"connection"] == b"keep-alive"
            await client.send(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = await client.rest()
            assert b"connection: close" in answer
            assert b"transfer-encoding" not in answer
            assert answer.endswith(b"\r\n\r\n12")

    run(main())


# Faults of handlers


def test_an_exception_is_a_problem_with_the_request_s_id_and_the_connection_lives(run, connect):
    async def main():
        faults = []

        async def later(request):
            await asyncio.sleep(0)
            raise ValueError("secret")

        def handler(request):
            match request.path:
                case "/now":
                    raise ValueError("secret")
                case "/later":
                    return later(request)
                case "/nothing":
                    return None
                case "/awaited":
                    return asyncio.sleep(0, "nonsense")
                case "/body":
                    return Response(200, "text")
                case "/status":
                    return Response(99)
                case "/problem":
                    raise Problem(INVALID_BODY, "the name is missing")
                case _:
                    return Response(200, b"fine")

        def on_error(request, error):
            faults.append(request.id)
            raise RuntimeError("a logger that fails")

        async with running(handler, on_error=on_error) as address:
            client = await connect(address)
            for path in ("now", "later", "nothing", "awaited", "body", "status"):
                status, headers, body = await client.ask(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
                assert status == 500, path
                assert b"secret" not in body
                assert headers[b"content-type"] == b"application/problem+json"
                assert faults[-1].encode() == headers[b"x-request-id"]
                assert headers[b"x-request-id"] in body
            assert (await client.ask(b"GET /problem HTTP/1.1\r\nHost: a\r\n\r\n"))[0] == 422
            assert len(faults) == 6
            assert (await client.ask(GET))[2] == b"fine"

    run(main())


def test_a_streamed_answer_that_fails_is_cut_and_never_looks_whole(run, connect):
    async def main():
        faults = []

        async def broken():
            yield b"hello"
            raise ValueError

        async def short():
            yield b"hello"

        async def long():
            yield b"hello"
            yield b"world"

        def handler(request):
            body = {"/broken": broken, "/short": short, "/long": long}[request.path]()
            return Response(200, body, length=None if request.path == "/broken" else 7)

        async with running(handler, on_error=lambda request, error: faults.append(error)) as address:
            for path in (b"/broken", b"/short", b"/long"):
                client = await connect(address)
                await client.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                try:
                    answer = await client.rest()
                except ConnectionResetError:
                    answer = b""
                assert not answer.endswith(b"0\r\n\r\n")
                assert b"world" not in answer
            assert len(faults) == 3

    run(main())


# Keep-alive and pipelining


def test_pipelined_requests_are_answered_in_order_and_one_at_a_time(run, connect):
    async def main():
        gate = Gate()
        async with running(gate) as address:
            client = await connect(address)
            await client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(50)))
            await gate.entered.wait()
            assert gate.paths == ["/0"]
            gate.open.set()
            assert [(await client.answer())[2] for _ in range(50)] == [b"/%d" % n for n in range(50)]

    run(main())


def test_hundreds_of_pipelined_requests_leave_turns_to_others(run, connect):
    async def main():
        async with running(echo) as address:
            client, other = await connect(address), await connect(address)
            await client.send(GET * 2000)
            assert (await other.ask(GET))[0] == 200
            for _ in range(2000):
                assert (await client.answer())[0] == 200

    run(main())


def test_a_client_that_pipelines_and_reads_nothing_is_not_served_on(run, connect):
    async def main():
        handled = 0

        def handler(request):
            nonlocal handled
            handled += 1
            return Response(200, BIG)

        async with running(handler) as address:
            client = await connect(address)
            client.writer.transport.pause_reading()
            client.writer.write(GET * 40)
            other = await connect(address)
            for _ in range(5):
                await other.ask(GET)
            assert handled < 5 + 20
            client.writer.transport.resume_reading()
            for _ in range(40):
                assert (await client.answer())[0] == 200

    run(main())


def test_a_half_closed_client_still_gets_its_answers(run, connect):
    async def main():
        gate = Gate()
        async with running(gate) as address:
            for requests in (1, 3):
                client = await connect(address)
                gate.open.clear(), gate.entered.clear()
                await client.send(GET * requests)
                client.writer.write_eof()
                await gate.entered.wait()
                gate.open.set()
                answers = await client.rest()
                assert answers.count(b"HTTP/1.1 200 OK") == requests
                assert answers.count(b"connection: close") == 1

    run(main())


def test_a_client_that_ends_in_the_middle_of_a_request_is_told_so(run, connect):
    async def main():
        async with running(echo) as address:
            for part in (b"GET / HT", b"GET / HTTP/1.1\r\nHost", post(b"hello")[:-2], GET + b"GET /"):
                client = await connect(address)
                await client.send(part)
                client.writer.write_eof()
                assert b" 400 " in await client.rest()

    run(main())


def test_a_reset_while_the_handler_works_harms_nobody(run, connect):
    async def main():
        gate, faults = Gate(), []
        async with running(gate, on_error=lambda *fault: faults.append(fault)) as address:
            client = await connect(address)
            await client.send(GET)
            await gate.entered.wait()
            sock = client.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.writer.transport.abort()
            gate.open.set()
            other = await connect(address)
            assert (await other.ask(GET))[0] == 200
        assert not faults

    run(main())


# Bodies in


def test_bodies_reach_the_handler_whole_or_as_a_stream(run, connect):
    async def main():
        whole = []

        async def handler(request):
            whole.append(request.body is not None)
            body = await request.read()
            return Response(200, body)

        async with running(handler, limits=Limits(stream_above=1000)) as address:
            client = await connect(address)
            for size in (0, 1, 999, 1000, 1001, 70_000, 400_000):
                body = BIG[:size]
                assert (await client.ask(post(body)))[2] == body
                pieces = [body[at : at + 300] for at in range(0, size, 300)]
                chunked = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
                request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked + b"0\r\n\r\n"
                assert (await client.ask(request))[2] == body
        assert whole == [True] * 8 + [False] * 6

    run(main())


def test_a_handler_that_reads_slowly_slows_the_sender(run, connect):
    async def main():
        gate = asyncio.Event()
        seen = 0

        async def handler(request):
            nonlocal seen
            await gate.wait()
            async for piece in request.stream:
                seen += len(piece)
            return Response(200, str(seen).encode())

        size = 64 * 1024 * 1024
        async with running(handler, limits=Limits(body_bytes=size)) as address:
            client = await connect(address)
            client.writer.transport.set_write_buffer_limits(high=0)
            client.writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
            client.writer.write(bytes(size))
            other = await connect(address)
            # What the kernel and the server hold is bounded; the rest waits at the sender.
            left = client.writer.transport.get_write_buffer_size()
            for _ in range(100):
                await asyncio.sleep(0.005)
                before, left = left, client.writer.transport.get_write_buffer_size()
                if before == left:
                    break
            assert left > size / 2
            assert other is not None
            gate.set()
            assert (await client.answer())[2] == str(size).encode()

    run(main())


def test_a_body_beyond_the_bound_is_refused_and_the_answer_arrives(run, connect):
    async def main():
        limits = Limits(body_bytes=100_000, linger_timeout=0.05)
        async with running(count, limits=limits) as address:
            client = await connect(address)
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n" + BIG[:100_001])
            assert (await client.rest()).startswith(b"HTTP/1.1 413 ")
            client = await connect(address)
            chunk = b"ffff\r\n" + BIG[:0xFFFF] + b"\r\n"
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 4)
            answer = await client.rest()
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert b'"PL103"' in answer

    run(main())


def test_expect_100_continue_is_sent_when_the_handler_wants_the_body(run, connect):
    async def main():
        async def handler(request):
            if request.path == "/no":
                return Response(403, b"no")
            return Response(200, await request.read())

        expecting = b" HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        async with running(handler, limits=Limits(linger_timeout=0.05)) as address:
            client = await connect(address)
            for _ in range(2):
                await client.send(b"POST /yes" + expecting)
                assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
                assert (await client.ask(b"hello"))[2] == b"hello"
            await client.send(b"POST /yes" + expecting + b"hello")
            assert (await client.answer())[2] == b"hello"
            status, headers, _ = await client.ask(b"POST /no" + expecting)
            assert (status, headers[b"connection"]) == (403, b"close")
            assert await client.rest() == b""

    run(main())


def test_an_early_answer_keeps_the_connection_if_little_of_the_body_is_left(run, connect):
    async def main():
        async def handler(request):
            return Response(200, b"early")

        limits = Limits(stream_above=10, drain_bytes=1000, linger_timeout=0.05)
        async with running(handler, limits=limits) as address:
            client = await connect(address)
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n")
            _, headers, _ = await client.answer()
            assert b"connection" not in headers
            await client.send(b"x" * 900 + GET)
            assert (await client.answer())[2] == b"early"
            _, headers, _ = await client.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
            assert headers[b"connection"] == b"close"
            await client.send(b"x" * 1001 + GET)
            assert await client.rest() == b""

    run(main())


def test_a_body_that_breaks_off_raises_in_the_handler(run, connect):
    async def main():
        raised, entered = asyncio.Queue(), asyncio.Event()

        async def handler(request):
            entered.set()
            try:
                await request.read()
            except (Problem, ConnectionResetError) as error:
                raised.put_nowait(error)
                raise
            return Response()

        async with running(handler, limits=Limits(stream_above=4, linger_timeout=0.05), on_error=lambda *_: None) as address:
            head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
            client = await connect(address)
            await client.send(head)
            await entered.wait()
            client.writer.transport.abort()
            assert isinstance(await asyncio.wait_for(raised.get(), 10), ConnectionResetError)
            client = await connect(address)
            entered.clear()
            await client.send(head)
            await entered.wait()
            await client.send(b"x\r\n")
            answer = await client.rest()
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert raised.get_nowait().code.id == "PL100"

    run(main())


# Bodies out


def test_chunks_go_out_as_they_come(run, connect):
    async def main():
        more = asyncio.Event()

        async def pieces():
            yield b"first"
            yield b""
            await more.wait()
            yield b"second"

        async with running(lambda request: Response(200, pieces())) as address:
            client = await connect(address)
            await client.send(GET + GET)
            assert b"transfer-encoding: chunked" in await client.head()
            assert await client.reader.readexactly(10) == b"5\r\nfirst\r\n"
            more.set()
            assert await client.reader.readexactly(16) == b"6\r\nsecond\r\n0\r\n\r\n"
            assert (await client.answer())[2] == b"firstsecond"

    run(main())


def test_a_streamed_body_waits_for_a_slow_client_and_ends_with_it(run, connect):
    async def main():
        made, ended = 0, asyncio.Event()

        async def pieces():
            nonlocal made
            try:
                while True:
                    made += 1
                    yield BIG
            finally:
                ended.set()

        async with running(lambda request: Response(200, pieces())) as address:
            client = await connect(address)
            await client.send(GET)
            await client.head()
            client.writer.transport.pause_reading()
            before = -1
            while before != made:
                before = made
                for _ in range(20):
                    await asyncio.sleep(0)
            assert made < 100
            client.writer.transport.abort()
            await asyncio.wait_for(ended.wait(), 10)

    run(main())


# Time


def test_slow_senders_are_told_that_their_time_is_over(run, connect):
    async def main():
        limits = Limits(header_timeout=0.05, body_timeout=0.05, linger_timeout=0.05, stream_above=10)
        async with running(count, limits=limits) as address:
            for part in (b"GET", GET[:-2], post(b"hello")[:-1], post(bytes(100))[:-1]):
                client = await connect(address)
                await client.send(part)
                answer = await client.rest()
                assert answer.startswith(b"HTTP/1.1 408 "), part
                assert b'"PL104"' in answer

    run(main())


def test_a_head_that_drips_in_is_not_given_more_time(run, connect):
    async def main():
        async with running(echo, limits=Limits(header_timeout=0.1, linger_timeout=0.05)) as address:
            client = await connect(address)
            answer = asyncio.ensure_future(client.rest())
            while not answer.done():
                client.writer.write(b"G")
                await asyncio.sleep(0.005)
            assert (await answer).startswith(b"HTTP/1.1 408 ")

    run(main())


def test_an_idle_connection_is_closed_without_a_word(run, connect):
    async def main():
        async with running(echo, limits=Limits(keepalive_timeout=0.05)) as address:
            silent, kept = await connect(address), await connect(address)
            await kept.ask(GET)
            assert await kept.rest() == b""
            assert await silent.rest() == b""

    run(main())


def test_a_handler_may_take_longer_than_every_timeout(run, connect):
    async def main():
        gate = Gate()
        limits = Limits(header_timeout=0.02, body_timeout=0.02, keepalive_timeout=0.02, write_timeout=0.02)
        async with running(gate, limits=limits) as address:
            client = await connect(address)
            asyncio.get_running_loop().call_later(0.1, gate.open.set)
            assert (await client.ask(post(b"hello")))[0] == 200

    run(main())


def test_a_client_that_takes_nothing_is_dropped(run, connect):
    async def main():
        lost = asyncio.Event()

        async def pieces():
            try:
                while True:
                    yield BIG
            finally:
                lost.set()

        async with running(lambda request: Response(200, pieces()), limits=Limits(write_timeout=0.05)) as address:
            client = await connect(address)
            client.writer.transport.pause_reading()
            await client.send(GET)
            await asyncio.wait_for(lost.wait(), 10)

    run(main())


# Bounds and the end


def test_connections_beyond_the_bound_are_told_so(run, connect):
    async def main():
        async with running(echo, limits=Limits(connections=2, linger_timeout=0.05)) as address:
            first, second = await connect(address), await connect(address)
            await first.ask(GET), await second.ask(GET)
            third = await connect(address)
            answer = await third.rest()
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1" in answer.lower()
            first.close()
            async with asyncio.timeout(10):
                while True:
                    again = await connect(address)
                    try:
                        if (await again.ask(GET))[0] == 200:
                            break
                    except (asyncio.IncompleteReadError, ConnectionResetError):
                        pass

    run(main())


def test_stopping_ends_what_is_under_way_and_takes_nothing_new(run, connect):
    async def main():
        gate = Gate()
        async with running(gate) as address:
            idle, busy, part = await connect(address), await connect(address), await connect(address)
            gate.open.set()
            await idle.ask(GET)
            gate.open.clear(), gate.entered.clear()
            await busy.send(GET)
            await part.send(GET[:10])
            await gate.entered.wait()
            asyncio.get_running_loop().call_later(0.05, gate.open.set)
            finishing = asyncio.gather(busy.rest(), part.send(GET[10:]), part.rest(), idle.rest())
            await asyncio.sleep(0)
        answered, _, other, nothing = await finishing
        assert answered.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answered
        assert other.startswith(b"HTTP/1.1 200 ")
        assert nothing == b""
        try:
            late = await connect(address)
            assert await late.rest() == b""
        except ConnectionRefusedError:
            pass

    run(main())


def test_when_the_grace_period_is_over_callers_are_told_and_handlers_cancelled(run, connect):
    async def main():
        gate = Gate()
        async with running(gate, grace=0.05) as address:
            client, stuck = await connect(address), await connect(address)
            await client.send(GET)
            await stuck.send(GET[:10])
            await gate.entered.wait()
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"PL107"' in answer

    run(main())


# Addresses


def test_ipv6(run, connect):
    async def main():
        async with running(lambda r: Response(200, r.client.encode()), listen("::1", 0)) as address:
            assert address.startswith("http://[::1]:")
            assert (await (await connect(address)).ask(GET))[2] == b"::1"

    run(main())


def test_unix_sockets(run, connect, tmp_path):
    async def main():
        async with running(echo, [listen_unix(tmp_path / "s")]) as address:
            assert (await (await connect(address)).ask(GET))[0] == 200

    run(main())


# Observing


def test_an_observer_sees_each_request_once_after_its_answer(run, connect):
    async def main():
        seen = []

        async def handler(request):
            return Response(200, BIG if request.path == "/big" else b"x")

        def observer(request, response, at):
            seen.append((request.path, response.status, [mark[0] for mark in request.trace.marks]))
            assert request.trace.id == request.id
            assert at >= request.trace.marks[-1][1] >= request.trace.started

        async with running(handler, observer=observer) as address:
            client = await connect(address)
            await client.ask(GET)
            await client.ask(GET)
            await client.ask(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            await client.send(GET[:9])
            await asyncio.sleep(0.01)
            await client.ask(GET[9:])
        assert seen == [
            ("/a", 200, ["accept", "parse"]),
            ("/a", 200, ["parse"]),
            ("/big", 200, ["parse"]),
            ("/a", 200, ["read", "parse"]),
        ]

    run(main())
