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

__all__ = ["Addresses", "ConnectError", "ConnectOptions", "Wire", "open_connection"]

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


async def open_connection(url: Url, resolving: Addresses, record: Connection, clock: Clock, options: ConnectOptions) -> Wire:
    """Connect, and shake hands where the scheme is https. Raises ConnectError; may be cancelled at any time."""
    record.lookup = resolving.lookup.id
    context = None
    if url.scheme in ("https", "wss"):
        from pellucid.client.tls import make_context

        context = asyncio.ensure_future(asyncio.to_thread(make_context, options.alpn, options.verify, options.authorities))
    try:
        async with asyncio.timeout(options.timeout):
            connected, flow = await Dialing(resolving, record, clock, options.attempt_delay, options.resolution_delay).run()
            try:
                layer = await _secure(url, flow, record, clock, options, await context) if context is not None else None
            except BaseException:
                record.closed, record.closed_why = clock(), "The TLS handshake failed"
                flow.close()
                raise
    except TimeoutError:
        record.failure = _timed_out(url, record, options)
        raise ConnectError(record.failure) from None
    except ConnectError as error:
        record.failure = error.failure
        raise
    finally:
        if context is not None:
            context.cancel()
    record.ready = clock()
    record.protocol = "h2" if record.tls is not None and record.tls.alpn == "h2" else "http/1.1"
    return Wire(record, clock, connected, flow, layer)


async def _secure(
    url: Url, flow: Flow, record: Connection, clock: Clock, options: ConnectOptions, context: ssl.SSLContext
) -> Layer:
    from pellucid.client.tls import Layer, TlsFailed

    record.tls = Tls(started=clock(), offered=list(options.alpn))
    layer = Layer(context, url.host, record.tls, clock)
    try:
        flow.write(layer.start())
        while not layer.done:
            data, at = await flow.read()
            if not data:
                raise ConnectError(Failure("tls-failed", "The server closed the connection during the TLS handshake"))
            layer.receive(data, at)
            flow.write(layer.outgoing())
    except TlsFailed as error:
        flow.write(layer.outgoing())
        record.tls.failure = error.failure
        raise ConnectError(error.failure) from None
    except ConnectionError:
        raise ConnectError(Failure("tls-failed", "The server reset the connection during the TLS handshake")) from None
    finally:
        record.tls.ended = clock()
    return layer


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
