"""From a name to a connection that is ready for requests: addresses raced (RFC 8305), then TLS.

In: a URL, a lookup that is under way, the record to fill. Out: a `Wire`, or ConnectError with a failure that says what was tried.
Everything is written into the record while it happens, attempts that lost included.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from pellucid.client.dial import Addresses, ConnectError, Dialing
from pellucid.client.wire import Flow, Wire
from pellucid.http.url import Url
from pellucid.journey import Clock, Connection, Failure, Tls

if TYPE_CHECKING:
    import ssl

    from pellucid.client.tls import Layer

__all__ = ["Addresses", "ConnectError", "ConnectOptions", "Wire", "open_connection", "prepare"]


class ConnectOptions(msgspec.Struct, frozen=True):
    """How to connect."""

    alpn: tuple[str, ...] = ("h2", "http/1.1")
    verify: bool = True
    """False: go on where the certificate is bad, and say so in `tls.failure`."""
    authorities: tuple[str, ...] = ()
    """PEM files to trust beside the system's store."""
    timeout: float = 30.0
    """Seconds for names, attempts and TLS together."""
    attempt_delay: float = 0.25
    resolution_delay: float = 0.05


def prepare(scheme: str, options: ConnectOptions) -> None:
    """Read the store of authorities, if it will be needed: to be called before the clock starts (30 ms)."""
    if scheme in _SECURE:
        from pellucid.client.tls import make_context

        try:
            make_context(options.alpn, options.verify, options.authorities)
        except OSError:
            pass  # said when a connection needs it


_SECURE = ("https", "wss")


async def open_connection(url: Url, resolving: Addresses, record: Connection, clock: Clock, options: ConnectOptions) -> Wire:
    """Connect, and shake hands where the scheme is https. Raises ConnectError; may be cancelled at any time."""
    record.lookup = resolving.lookup.id
    layer: Layer | None = None
    early = b"", 0
    making = asyncio.ensure_future(_context(options)) if url.scheme in _SECURE else None
    try:
        async with asyncio.timeout(options.timeout):
            dialing = Dialing(resolving, record, clock, options.attempt_delay, options.resolution_delay)
            connected, flow = await dialing.run()
            try:
                if making is not None:
                    layer, early = await _secure(url, flow, record, clock, options, await making)
            except BaseException as error:
                why = "the TLS handshake failed" if isinstance(error, ConnectError) else "given up during the TLS handshake"
                record.closed, record.closed_why = clock(), why
                flow.close()
                raise
    except TimeoutError:
        record.failure = _timed_out(url, record, options)
        if record.tls is not None:
            record.tls.failure = record.failure
        raise ConnectError(record.failure) from None
    except ConnectError as error:
        record.failure = error.failure
        raise
    finally:
        if making is not None:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
    record.ready = clock()
    record.protocol = "h2" if record.tls is not None and record.tls.alpn == "h2" else "http/1.1"
    return Wire(record, clock, connected, flow, layer, early)


async def _context(options: ConnectOptions) -> ssl.SSLContext:
    """Made in a thread while names are resolved, unless it was made before."""
    from pellucid.client.tls import find_context, make_context

    told = options.alpn, options.verify, options.authorities
    try:
        found = find_context(*told)
        return found if found is not None else await asyncio.to_thread(make_context, *told)
    except OSError as error:  # an SSLError is one
        files = ", ".join(options.authorities)
        raise ConnectError(Failure("authorities-unreadable", f"{files}: could not be read as certificates ({error})")) from None


async def _secure(
    url: Url, flow: Flow, record: Connection, clock: Clock, options: ConnectOptions, context: ssl.SSLContext
) -> tuple[Layer, tuple[bytes, int]]:
    """Shake hands; returns also what came with the last message. Where it fails nothing but TLS's own messages was sent."""
    from pellucid.client.tls import Layer, TlsFailed

    tls = record.tls = Tls(started=clock(), offered=list(options.alpn))
    layer = Layer(context, url.host, url.port, tls, clock)
    early = b"", 0
    try:
        flow.write(layer.start())
        while not layer.done:
            data, at = await flow.read()
            if not data:
                raise TlsFailed(_hung_up(url, "closed", record))
            early = layer.receive(data, at), at  # h2's settings may come with the last message
            flow.write(layer.outgoing())
    except TlsFailed as error:
        flow.write(layer.outgoing())
        tls.failure = error.failure
        raise ConnectError(error.failure) from None
    except ConnectionError:
        tls.failure = tls.failure or _hung_up(url, "reset", record)
        raise ConnectError(tls.failure) from None
    finally:
        tls.ended = tls.ended or clock()
        if not layer.done:
            layer.describe()
    return layer, early


def _hung_up(url: Url, how: str, record: Connection) -> Failure:
    answered = record.tls is not None and any(not message.sent for message in record.tls.messages)
    says = f"{url.shown_host} port {url.port} {how} the connection during the TLS handshake"
    hint = None if answered else "It may not speak TLS on this port: is http:// meant?"
    return Failure("tls-hung-up", says, hint)


def _timed_out(url: Url, record: Connection, options: ConnectOptions) -> Failure:
    where = f"{url.shown_host} port {url.port}"
    if record.tls is not None:
        what = f"The TLS handshake with {where} was not over within {options.timeout:g} s"
    elif record.attempts:
        what = f"No connection to {where} within {options.timeout:g} s"
    else:
        what = f"No address of {where} was known within {options.timeout:g} s"
    tried = "; ".join(f"{attempt.address}: {attempt.outcome}" for attempt in record.attempts)
    return Failure("timeout", what, f"Tried {tried}" if tried else None)
