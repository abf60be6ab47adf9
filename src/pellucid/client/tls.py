"""TLS without a socket: bytes from the wire in, bytes for the wire out, and everything about the handshake written down.

The `ssl` module does the work over two memory buffers, so that each handshake message and its instant is seen. What Python tells
by a private hook only (`SSLContext._msg_callback`) is taken where it exists and left out where it does not.

The check of the certificate is OpenSSL's, and it happens before a byte of a request could be sent. Its verdict is explained
afterwards, from the chain as it was sent (`certificates.py`, imported only then).
"""

from __future__ import annotations

import os
import ssl
from threading import Lock

from pellucid.client.tls_messages import ALERTS, certificates_in, group_in, handshake_name
from pellucid.http.sites import is_address
from pellucid.journey import Clock, Failure, Tls, TlsMessage

__all__ = ["Layer", "TlsFailed", "make_context"]

MOST_MESSAGES = 200
MOST_SESSIONS = 256
_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _HEADER = 20, 21, 22, 256

_TOO_OLD = ("UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION", "WRONG_VERSION_NUMBER", "NO_PROTOCOLS_AVAILABLE")
MOST_CONTEXTS = 8
_contexts: dict[tuple[object, ...], ssl.SSLContext] = {}
_making = Lock()


class TlsFailed(Exception):
    """The handshake came to nothing, or the connection was not to be used."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def make_context(alpn: tuple[str, ...], verify: bool, authorities: tuple[str, ...]) -> ssl.SSLContext:
    """The context for these options, made once: reading the store of authorities takes tens of milliseconds.

    Raises OSError where a file of authorities cannot be read.
    """
    with _making:
        found = find_context(alpn, verify, authorities)
        if found is None:
            if len(_contexts) >= MOST_CONTEXTS:
                _contexts.clear()
            found = _contexts[_key(alpn, verify, authorities)] = _make(alpn, verify, authorities)
        return found


def find_context(alpn: tuple[str, ...], verify: bool, authorities: tuple[str, ...]) -> ssl.SSLContext | None:
    """The same where it was made before."""
    return _contexts.get(_key(alpn, verify, authorities))


def _key(*told: object) -> tuple[object, ...]:
    return *told, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")


def _make(alpn: tuple[str, ...], verify: bool, authorities: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for authority in authorities:
        context.load_verify_locations(authority)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # From Python 3.13 on the default refuses what RFC 5280 forbids and no browser minds, such as a missing key identifier.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if alpn:
        context.set_alpn_protocols(list(alpn))
    context.sslobject_class = _Heard
    if hasattr(context, "_msg_callback"):
        setattr(context, "_msg_callback", _told)  # noqa: B010  # the type checkers disagree on whether it is there
    return context


class _Heard(ssl.SSLObject):
    """An SSLObject that knows who listens to its messages: the hook is the context's, which many connections share."""

    layer: Layer | None = None


def _told(connection: object, direction: str, version: int, content: int, kind: int, data: bytes) -> None:
    layer = getattr(connection, "layer", None)
    if layer is not None:
        layer.heard(direction == "write", version == ssl.TLSVersion.TLSv1_3, int(content), int(kind), data)


_sessions: dict[tuple[int, ssl.SSLContext, str, int], Layer] = {}
"""The latest handshake with a host by run (the clock's first instant), whose session the next connection may resume."""


class Layer:
    """One TLS connection over memory: `start`, then `receive` until `done`; `send` and `receive` after that."""

    def __init__(self, context: ssl.SSLContext, host: str, port: int, record: Tls, clock: Clock) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._host = host.rstrip(".")
        self._record, self._clock, self._context = record, clock, context
        self._at: int | None = None
        self._first = b""
        self._alert: int | None = None
        self._sent_chain: list[bytes] = []
        self._key = (clock.started, context, host, port)
        before = _sessions.get(self._key)
        if before is not None:
            self._sent_chain = before._sent_chain
        session = before.session if before is not None else None
        self._tls: ssl.SSLObject = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=self._host, session=session
        )
        if isinstance(self._tls, _Heard):
            self._tls.layer = self
        record.server_name = None if is_address(self._host) else self._host
        self.done = False
        self.ended = False
        """Whether the other end has said that nothing more will come."""

    @property
    def session(self) -> ssl.SSLSession | None:
        """What the next connection to the same server may resume, as of now."""
        return self._tls.session

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
        if len(self._first) < 64 and not self.done:
            self._first += data[:64]
        self._at = at
        try:
            self._incoming.write(data)
            if not self.done:
                self._shake()
            return self._read() if self.done else b""
        finally:
            self._at = None

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

    def describe(self) -> None:
        """Read the certificates for people, and judge them where OpenSSL was told not to: `tls.failure` says so then.

        Takes tens of milliseconds the first time in a process, so it is done when nobody waits. Nothing new the second time.
        """
        if self._record.chain or not (self._sent_chain or self.done):
            return
        from pellucid.client.certificates import describe_chain, find_fault

        sent, built = self._sent_chain or self._chain("get_unverified_chain"), self._chain("get_verified_chain")
        self._record.chain = describe_chain(sent, built if self._record.verified else ())
        if self.done and not self._record.verified:  # nobody has checked it: say what would have been wrong
            trusted = bool(built) and built[-1] in self._context.get_ca_certs(binary_form=True)
            self._record.failure = self._record.failure or find_fault(sent, self._host, trusted)

    def heard(self, sent: bool, newest: bool, content: int, kind: int, data: bytes) -> None:
        """OpenSSL tells of a record's header or a message in clear; `newest`: of TLS 1.3."""
        if content == _HANDSHAKE:
            name = handshake_name(data)
            if not sent:
                self._look_into(data, newest)
        elif content == _ALERT:
            number = data[1] if len(data) == 2 else kind
            alert = ALERTS.get(number)
            name = f"Alert: {alert.name if alert else number}"
            if not sent and number:
                self._alert = number
        elif content == _CHANGE_CIPHER_SPEC or (content == _HEADER and kind == _CHANGE_CIPHER_SPEC and not sent):
            name, data = "ChangeCipherSpec", b"\x01"
        else:
            return
        if len(self._record.messages) < MOST_MESSAGES:
            at = self._at if self._at is not None and not sent else self._clock()
            self._record.messages.append(TlsMessage(at, sent, name, len(data)))

    def _look_into(self, message: bytes, newest: bool) -> None:
        group = group_in(message)
        if group is not None:
            self._record.group = group
        if message[:1] == b"\x0b":
            self._sent_chain = certificates_in(message, newest)

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLCertVerificationError as error:
            self._record.ended = self._clock()  # before the explanation, which takes its time
            raise TlsFailed(self._distrust(error)) from error
        except ssl.SSLError as error:
            raise TlsFailed(self._refusal(error)) from error
        self.done = True
        record, cipher = self._record, self._tls.cipher()
        record.alpn = self._tls.selected_alpn_protocol()
        record.version = self._tls.version()
        record.cipher = cipher[0] if cipher else None
        record.resumed = bool(self._tls.session_reused)
        record.verified = self._context.verify_mode is ssl.CERT_REQUIRED
        group = getattr(self._tls, "group", None)  # Python 3.15
        if record.group is None and callable(group) and isinstance(named := group(), str):
            record.group = named
        if len(_sessions) >= MOST_SESSIONS:
            _sessions.clear()
        _sessions[self._key] = self

    def _read(self) -> bytes:
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
            failure = self._refusal(error)
            self._record.failure = self._record.failure or failure
            raise ConnectionAbortedError(failure.message) from error
        return b"".join(parts)

    def _chain(self, what: str) -> list[bytes]:
        """`get_verified_chain` or `get_unverified_chain`: public from Python 3.13, on the inner object before."""
        ask = getattr(self._tls, what, None)
        if ask is None:
            ask = getattr(getattr(self._tls, "_sslobj", None), what, None)
        try:
            found = ask() if ask is not None else None
        except (ssl.SSLError, ValueError):
            found = None
        return [each if isinstance(each, bytes) else each.public_bytes(2) for each in found or ()]  # 2: ENCODING_DER

    def _distrust(self, error: ssl.SSLCertVerificationError) -> Failure:
        from pellucid.client.certificates import explain

        return explain(error.verify_code, error.verify_message, self._sent_chain, self._host)

    def _refusal(self, error: ssl.SSLError) -> Failure:
        """What went wrong where it was not the certificate."""
        where, reason = self._host, (error.reason or "").replace("_", " ").lower()
        if self._alert is not None:
            alert = ALERTS.get(self._alert)
            if alert is None:
                return Failure("tls-refused", f"{where} ended TLS with alert {self._alert}")
            hint = alert.hint
            if alert.slug == "tls-no-application-protocol":
                hint = f"{' and '.join(self._record.offered)} were offered"
            return Failure(alert.slug, f"{where} ended TLS ({alert.name}): {alert.says}", hint)
        start = self._first
        if not self.done and start[:1] not in (b"\x14", b"\x15", b"\x16", b"\x17", b""):
            if start[:5] == b"HTTP/" or start.lstrip()[:1] == b"<":
                says = f"{where} answered with plain HTTP where TLS was expected"
                return Failure("tls-plain-http", says, "http:// instead of https:// is right there")
            shown = start[:24].decode("ascii", "replace").split("\n")[0].strip()
            return Failure("tls-not-spoken", f"{where} does not speak TLS on this port: it answered {shown!r}")
        if not self.done and error.reason in _TOO_OLD:
            says = f"{where} chose a version of TLS that is too old to be safe"
            return Failure("tls-version", says, "TLS 1.2 and 1.3 were offered")
        return Failure("tls-failed", f"TLS with {where} failed: {reason or error}")
