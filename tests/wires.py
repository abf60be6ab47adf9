"""Servers for tests of the tracing client: a coroutine per connection, all of them over when the block ends."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

__all__ = ["Handler", "refusing", "serving"]

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(
    handler: Handler, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve each connection with `handler`; gives the port. A connection that breaks is no error of the server's."""
    busy: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            try:
                await writer.wait_closed()
            except (OSError, ssl.SSLError):
                pass
            busy.discard(task)

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for _ in range(5):  # what was accepted a moment ago gets its task
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while busy:
                await asyncio.wait(busy)


@contextmanager
def refusing(tls: ssl.SSLContext) -> Iterator[int]:
    """A server that shakes hands by itself, as OpenSSL does it, and then listens until the other end is silent.

    asyncio's servers abort without sending the alert that says what was wrong. Gives the port.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with plain:
                plain.settimeout(5)
                # The alert goes out on its own; what is still to be read is read, since closing before that would be a reset.
                twin = plain.dup()
                try:
                    with tls.wrap_socket(plain, server_side=True) as secured:
                        while secured.recv(65536):
                            pass
                except (OSError, ssl.SSLError):
                    pass
                with twin:
                    try:
                        twin.shutdown(socket.SHUT_WR)
                        while twin.recv(65536):
                            pass
                    except OSError:
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(10)
            assert not thread.is_alive()
