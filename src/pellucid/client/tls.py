"""TLS without a socket: bytes from the wire in, bytes for the wire out, and everything about the handshake written down.

The `ssl` module does the work over two memory buffers, so that each handshake message and its instant is seen. What Python tells
by a private hook only (`SSLContext._msg_callback`) is taken where it exists and left out where it does not.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from threading import Lock

from pellucid.journey import Clock, Failure, Tls

__all__ = ["Layer", "TlsFailed", "make_context"]

_making = Lock()


class TlsFailed(Exception):
    """The handshake came to nothing."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def make_context(alpn: tuple[str, ...], verify: bool, authorities: tuple[str, ...]) -> ssl.SSLContext:
    """The context for these options, made once: reading the store of authorities takes tens of milliseconds."""
    with _making:
        return _context(alpn, verify, authorities, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=8)
def _context(
    alpn: tuple[str, ...], verify: bool, authorities: tuple[str, ...], _file: str | None, _folder: str | None
) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for authority in authorities:
        context.load_verify_locations(authority)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    return context


class Layer:
    """One TLS connection over memory: `start`, then `receive` until `done`; `send` and `receive` after that."""

    def __init__(self, context: ssl.SSLContext, host: str, record: Tls, clock: Clock) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host.rstrip("."))
        self._record = record
        self._clock = clock
        self.done = False
        self.ended = False

    def start(self) -> bytes:
        """The first bytes to send."""
        self._shake()
        return self.outgoing()

    def outgoing(self) -> bytes:
        """What has to be sent now."""
        return self._outgoing.read()

    def receive(self, data: bytes, at: int) -> bytes:
        """Take bytes that came at this instant; returns what they said once the handshake is done. Raises TlsFailed before
        that, ConnectionError after.
        """
        self._incoming.write(data)
        if not self.done:
            self._shake()
            if not self.done:
                return b""
        parts = []
        try:
            while part := self._tls.read(256 * 1024):
                parts.append(part)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            raise ConnectionAbortedError(f"TLS failed: {error.reason}") from error
        return b"".join(parts)

    def send(self, data: bytes) -> bytes:
        """Encrypt."""
        if data:
            self._tls.write(data)
        return self.outgoing()

    def close(self) -> bytes:
        """The alert that says goodbye."""
        try:
            self._tls.unwrap()
        except (ssl.SSLError, ValueError):
            pass
        return self.outgoing()

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise TlsFailed(Failure("tls-failed", f"The TLS handshake failed: {error.reason}")) from error
        self.done = True
        record, cipher = self._record, self._tls.cipher()
        record.alpn = self._tls.selected_alpn_protocol()
        record.version = self._tls.version()
        record.cipher = cipher[0] if cipher else None
        record.resumed = bool(self._tls.session_reused)
        record.verified = self._tls.context.verify_mode is ssl.CERT_REQUIRED
