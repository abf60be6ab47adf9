"""Strict-Transport-Security on a whole trace: what a host has promised is kept within a run, without asking over http again."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from certified import Authority, server_context
from pellucid.client.connect import ConnectOptions
from pellucid.client.options import TraceOptions
from pellucid.client.resolve import ResolveOptions
from pellucid.client.trace import begin, trace
from pellucid.journey import Journey

HOST = "shop.example"


@contextmanager
def both(context: ssl.SSLContext, headers: str) -> Iterator[tuple[int, list[str]]]:
    """A port that speaks TLS to whom begins with it, else http, from where it leads to https. Gives what was asked over http."""
    plain: list[str] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connected: socket.socket = self.request
            secure = connected.recv(1, socket.MSG_PEEK) == b"\x16"
            stream = context.wrap_socket(connected, server_side=True) if secure else connected
            with stream, stream.makefile("rb") as read:
                target = read.readline().split(b" ")[1].decode()
                while read.readline().strip():
                    pass
                port = self.server.server_address[1]
                if secure:
                    stream.sendall(f"HTTP/1.1 200 OK\r\n{headers}\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx".encode())
                else:
                    plain.append(target)
                    where = f"https://{HOST}:{port}{target}"
                    stream.sendall(
                        f"HTTP/1.1 301 Moved\r\nLocation: {where}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
                    )

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1], plain
        finally:
            server.shutdown()
            thread.join()


def visited_twice(folder: Path, headers: str, *, trusted: bool = True) -> tuple[Journey, list[str]]:
    authority = Authority()
    context = server_context(folder, authority.issue(HOST))
    with both(context, headers) as (port, plain):
        options = TraceOptions(
            twice=True,
            only_document=True,
            timeout=20,
            resolve=ResolveOptions(overrides=((HOST, 0, ("127.0.0.1",)),), services=False),
            connect=ConnectOptions(alpn=("http/1.1",), authorities=(authority.write(folder),) if trusted else (), verify=trusted),
        )
        journey, clock, assumed = begin(f"http://{HOST}:{port}/", options)
        asyncio.run(trace(journey, clock, options, assumed=assumed))
        return journey, plain


def test_the_second_visit_goes_straight_to_https_and_says_why(tmp_path: Path) -> None:
    journey, plain = visited_twice(tmp_path, "Strict-Transport-Security: max-age=100\r\nCache-Control: no-store")
    assert plain == ["/"], "http was asked once"
    again = [visit for visit in journey.visits if visit.round == 2]
    assert [visit.url.partition(":")[0] for visit in again][-1] == "https"
    told = [note for visit in again for note in visit.notes if note.topic == "hsts"]
    assert told
    assert "307" in told[0].message


def test_a_promise_over_a_connection_that_is_not_to_be_trusted_is_none(tmp_path: Path) -> None:
    journey, plain = visited_twice(tmp_path, "Strict-Transport-Security: max-age=100\r\nCache-Control: no-store", trusted=False)
    assert plain == ["/", "/"]
    assert "does not count with a bad certificate" in journey.visits[-1].notes[0].message


def test_max_age_0_takes_it_back(tmp_path: Path) -> None:
    _, plain = visited_twice(tmp_path, "Strict-Transport-Security: max-age=0\r\nCache-Control: no-store")
    assert plain == ["/", "/"]
