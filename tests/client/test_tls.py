"""TLS against real servers: what is written down of a good handshake, and every bad certificate explained with nothing sent."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from caddy import Caddy, caddy
from certified import NOW, Authority, server_context
from pellucid.client.connect import ConnectError, ConnectOptions, open_connection, prepare
from pellucid.client.resolve import ResolveOptions, Resolver
from pellucid.http.url import parse_url
from pellucid.journey import Clock, Connection, Failure, Lookup
from wires import refusing, serving

DAY = datetime.timedelta(days=1)
FUTURE, PAST = (NOW + 2 * DAY, NOW + 30 * DAY), (NOW - 40 * DAY, NOW - 12 * DAY)


class Heard:
    """A server's handler that keeps what it was sent in clear, and answers."""

    def __init__(self, answer: bytes = b"well") -> None:
        self.bytes = b""
        self.answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.bytes += data
            writer.write(self.answer)
            await writer.drain()


async def ask(port: int, host: str = "good.test", *, clock: Clock | None = None, read: int = 1, **options: Any) -> Connection:
    """Connect to 127.0.0.1 under this name, say something, read the answer, close."""
    clock = clock or Clock()
    resolver = Resolver(clock, list[Lookup](), ResolveOptions(overrides=((host, 0, ("127.0.0.1",)),)))
    record = Connection(1, "https", host, port, clock())
    url = parse_url(f"https://{f'[{host}]' if ':' in host else host}:{port}/")
    try:
        wire = await open_connection(url, resolver.start(host, port, "https"), record, clock, ConnectOptions(**options))
        wire.write(b"secret")
        await wire.drain()
        try:
            for _ in range(read):
                await wire.read()
        finally:
            wire.close("done")
    except ConnectError as error:
        if record.failure != error.failure or record.ready is not None:
            raise AssertionError from error
    finally:
        await resolver.close()
    return record


async def refused(
    folder: Path, issued: Any, host: str = "good.test", *between: Authority, **options: Any
) -> tuple[Failure, Connection]:
    """What is said of a bad certificate, once it is sure that nothing was sent, and that --insecure says the same and goes on."""
    authorities = options.pop("authorities", ())
    heard = Heard()
    async with serving(heard, tls=server_context(folder, issued, *between)) as port:
        record = await ask(port, host, authorities=authorities, **options)
        assert record.tls is not None
        assert heard.bytes == b""
        assert record.tls.failure == record.failure is not None
        assert record.tls.chain
        assert record.closed_why == "the TLS handshake failed"
        assert not record.tls.verified
        loose = await ask(port, host, authorities=authorities, verify=False)
        assert heard.bytes == b"secret"
        assert loose.failure is None
        assert loose.tls is not None
        assert loose.tls.failure is not None
        assert loose.tls.failure.slug == record.failure.slug
        assert not loose.tls.verified
    return record.failure, record


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_good_handshake_is_written_down_message_by_message(
    tmp_path: Path, authority: Authority, version: ssl.TLSVersion
) -> None:
    between = Authority("The Authority Between", authority, "between")
    context = server_context(tmp_path, between.issue("good.test", "*.good.test"), between, alpn=("h2", "http/1.1"))
    context.maximum_version = version

    async def go() -> Connection:
        heard = Heard()
        async with serving(heard, tls=context) as port:
            record = await ask(port, authorities=(authority.write(tmp_path),))
            assert heard.bytes == b"secret"
            return record

    record = asyncio.run(go())
    tls = record.tls
    assert tls is not None
    assert tls.ended is not None
    assert record.ready is not None
    assert record.connected is not None
    assert record.failure is tls.failure is None
    assert record.protocol == tls.alpn == "h2"
    assert tls.offered == ["h2", "http/1.1"]
    assert tls.server_name == "good.test"
    assert tls.version == ("TLSv1.2" if version is ssl.TLSVersion.TLSv1_2 else "TLSv1.3")
    assert tls.cipher is not None
    assert tls.group == "X25519"
    assert tls.verified
    assert not tls.resumed
    assert record.connected <= tls.started < tls.ended <= record.ready
    names = [(message.name, message.sent) for message in tls.messages]
    assert names[0] == ("ClientHello", True)
    assert names[1] == ("ServerHello", False)
    for name in ("Certificate", "Finished", "NewSessionTicket"):
        assert (name, False) in names
    assert names[-1] == ("Alert: close notify", True)
    shook = [message for message in tls.messages if message.at <= tls.ended]
    assert [message.at for message in shook] == sorted(message.at for message in shook)
    assert all(tls.started <= message.at for message in tls.messages)
    assert tls.messages[0].size > 100
    assert not any("message " in name for name, _ in names)
    own, above, root = tls.chain
    assert own.names == ["good.test", "*.good.test"]
    assert (own.key, own.signature, own.authority, own.sent) == ("EC P-256", "ECDSA with SHA-256", False, True)
    assert own.issuer == above.subject == "The Authority Between"
    assert (above.issuer, above.authority, above.sent) == ("The Test Authority", True, True)
    assert (root.subject, root.sent) == ("The Test Authority", False)
    assert own.not_before == (NOW - 3 * DAY).timestamp()


def test_a_second_connection_resumes_the_first_ones_session(tmp_path: Path, authority: Authority) -> None:
    async def go() -> None:
        trusted, clock = (authority.write(tmp_path),), Clock()
        async with serving(Heard(), tls=server_context(tmp_path, authority.issue("good.test"))) as port:
            first = await ask(port, authorities=trusted, clock=clock)
            second = await ask(port, authorities=trusted, clock=clock)
            other = await ask(port, authorities=trusted)
        assert first.tls
        assert second.tls
        assert other.tls
        assert (first.tls.resumed, second.tls.resumed, other.tls.resumed) == (False, True, False)
        assert "Certificate" not in {message.name for message in second.tls.messages}
        assert second.tls.chain[0] == first.tls.chain[0]

    asyncio.run(go())


def test_an_address_is_no_server_name(tmp_path: Path, authority: Authority) -> None:
    async def go() -> None:
        async with serving(Heard(), tls=server_context(tmp_path, authority.issue("127.0.0.1"))) as port:
            record = await ask(port, "127.0.0.1", authorities=(authority.write(tmp_path),))
        assert record.tls is not None
        assert record.tls.server_name is None
        assert record.tls.verified

    asyncio.run(go())


def test_expired(tmp_path: Path, authority: Authority) -> None:
    trusted = (authority.write(tmp_path),)
    failure, _ = asyncio.run(refused(tmp_path, authority.issue("good.test", valid=PAST), authorities=trusted))
    when = PAST[1].strftime("%Y-%m-%d %H:%M UTC")
    message = f"The certificate of good.test expired on {when}, 12 days ago"
    assert failure == Failure("certificate-expired", message, "Its owner has to renew it")


def test_not_yet_valid(tmp_path: Path, authority: Authority) -> None:
    trusted = (authority.write(tmp_path),)
    failure, _ = asyncio.run(refused(tmp_path, authority.issue("good.test", valid=FUTURE), authorities=trusted))
    assert failure.slug == "certificate-not-yet-valid"
    assert failure.message.startswith(f"The certificate of good.test is not valid before {FUTURE[0]:%Y-%m-%d}")
    assert failure.hint is not None
    assert failure.hint.startswith("Is the clock of this computer right?")


def test_wrong_host(tmp_path: Path, authority: Authority) -> None:
    trusted = (authority.write(tmp_path),)
    failure, _ = asyncio.run(refused(tmp_path, authority.issue("www.good.test", "mail.test"), authorities=trusted))
    assert failure == Failure(
        "certificate-wrong-host",
        "The certificate is not for good.test, but for www.good.test, mail.test",
        "It is for www.good.test: ask for that",
    )


def test_wrong_address(tmp_path: Path, authority: Authority) -> None:
    trusted = (authority.write(tmp_path),)
    failure, _ = asyncio.run(refused(tmp_path, authority.issue("127.0.0.9"), "127.0.0.1", authorities=trusted))
    assert failure.message == "The certificate is not for 127.0.0.1, but for 127.0.0.9"


def test_two_things_wrong_are_both_said(tmp_path: Path, authority: Authority) -> None:
    trusted = (authority.write(tmp_path),)
    failure, _ = asyncio.run(refused(tmp_path, authority.issue("other.test", valid=PAST), authorities=trusted))
    assert "not for good.test, but for other.test" in failure.message
    assert "; besides, the certificate of good.test expired on" in failure.message


def test_self_signed(tmp_path: Path, authority: Authority) -> None:
    failure, _ = asyncio.run(refused(tmp_path, authority.itself("good.test")))
    assert failure == Failure(
        "certificate-self-signed",
        "The certificate of good.test was signed by itself, so nobody vouches for it",
        "--cacert FILE trusts it, where FILE holds this certificate",
    )


def test_unknown_authority(tmp_path: Path, authority: Authority) -> None:
    between = Authority("The Authority Between", authority, "between")
    failure, record = asyncio.run(refused(tmp_path, between.issue("good.test"), "good.test", between))
    assert failure == Failure(
        "certificate-unknown-authority",
        "The certificate of good.test goes back to The Test Authority, an authority that this computer does not trust",
        "--cacert FILE trusts it, where FILE holds its certificate",
    )
    assert record.tls is not None
    assert [each.subject for each in record.tls.chain] == ["good.test", "The Authority Between"]
    assert record.tls.messages[-1].name == "Alert: unknown ca"


def test_the_certificate_between_is_missing(tmp_path: Path, authority: Authority) -> None:
    between = Authority("The Authority Between", authority, "between")
    trusted = (authority.write(tmp_path),)
    failure, _ = asyncio.run(refused(tmp_path, between.issue("good.test"), authorities=trusted))
    assert failure.slug == "certificate-unknown-authority"
    assert failure.message.startswith("The certificate of good.test was issued by The Authority Between, which is not")
    assert failure.hint is not None
    assert "fails to send the certificate between" in failure.hint


def test_a_certificate_for_clients(tmp_path: Path, authority: Authority) -> None:
    issued = authority.issue("good.test", use=ExtendedKeyUsageOID.CLIENT_AUTH)
    failure, _ = asyncio.run(refused(tmp_path, issued, authorities=(authority.write(tmp_path),)))
    assert failure == Failure(
        "certificate-wrong-use",
        "The certificate of good.test is not meant for servers: its extended key usage is clientAuth",
        "A server's certificate has serverAuth there",
    )


def test_a_weak_key(tmp_path: Path, authority: Authority) -> None:
    weak = rsa.generate_private_key(65537, 1024)
    context = server_context(tmp_path, authority.issue("good.test", key=weak), ciphers="DEFAULT:@SECLEVEL=0")

    async def go() -> Connection:
        async with serving(Heard(), tls=context) as port:
            return await ask(port, authorities=(authority.write(tmp_path),))

    record = asyncio.run(go())
    message = "The certificate of good.test has a key that is too short: RSA 1024 bits"
    assert record.failure == Failure("certificate-weak", message, "2048 bits are the least")
    assert record.tls is not None
    assert record.tls.chain[0].key == "RSA 1024 bits"


def test_trust_given_by_the_environment(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority.write(tmp_path))

    async def go() -> Connection:
        async with serving(Heard(), tls=server_context(tmp_path, authority.issue("good.test"))) as port:
            return await ask(port)

    prepare("https", ConnectOptions())
    record = asyncio.run(go())
    assert record.failure is None
    assert record.tls is not None
    assert record.tls.verified


def test_a_file_of_authorities_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("not a certificate")

    async def go() -> Connection:
        async with serving(Heard()) as port:
            return await ask(port, authorities=(str(tmp_path / "none.pem"),))

    failure = asyncio.run(go()).failure
    assert failure is not None
    assert failure.slug == "authorities-unreadable"


def blurting(answer: bytes) -> Connection:
    """A server that says this to whatever it hears."""

    async def blurt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        while answer and await reader.read(65536):
            pass

    async def go() -> Connection:
        async with serving(blurt) as port:
            return await ask(port)

    return asyncio.run(go())


def shaking(context: ssl.SSLContext, **options: Any) -> Connection:
    """A server with this context."""
    with refusing(context) as port:
        return asyncio.run(ask(port, **options))


def failed(record: Connection) -> Failure:
    assert record.failure is not None
    assert record.tls is not None
    assert record.tls.failure == record.failure
    return record.failure


def test_plain_http_where_tls_was_expected(tmp_path: Path) -> None:
    failure = failed(blurting(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert failure.slug == "tls-plain-http"
    assert failure.message == "good.test answered with plain HTTP where TLS was expected"


def test_something_else_where_tls_was_expected(tmp_path: Path) -> None:
    failure = failed(blurting(b"SSH-2.0-OpenSSH_9.2p1\r\n"))
    assert failure == Failure("tls-not-spoken", "good.test does not speak TLS on this port: it answered 'SSH-2.0-OpenSSH_9.2p1'")


def test_a_server_that_hangs_up(tmp_path: Path) -> None:
    failure = failed(blurting(b""))
    assert failure.slug == "tls-hung-up"
    assert failure.hint == "It may not speak TLS on this port: is http:// meant?"


def test_a_server_that_says_nothing(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    async def go() -> Connection:
        async with serving(silent) as port:
            return await ask(port, timeout=0.1)

    failure = failed(asyncio.run(go()))
    assert failure.slug == "timeout"
    assert failure.message.startswith("The TLS handshake with good.test port ")


def test_no_common_protocol(tmp_path: Path, authority: Authority) -> None:
    alert = bytes.fromhex("15030300020278")  # OpenSSL's own servers go on without one; those that do not say this
    failure = failed(blurting(alert))
    assert failure == Failure(
        "tls-no-application-protocol",
        "good.test ended TLS (no application protocol): it speaks none of the protocols that were offered",
        "h2 and http/1.1 were offered",
    )


def test_a_name_that_the_server_does_not_have(tmp_path: Path) -> None:
    failure = failed(blurting(bytes.fromhex("15030300020270")))
    assert failure.slug == "tls-wrong-name"
    assert failure.message == "good.test ended TLS (unrecognized name): it serves no site of this name"


def test_no_common_cipher(tmp_path: Path, authority: Authority) -> None:
    context = server_context(tmp_path, authority.issue("good.test"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")  # a certificate for ECDSA is of no use to it
    failure = failed(shaking(context))
    assert failure.slug == "tls-refused"
    assert failure.message.startswith("good.test ended TLS (handshake failure): nothing that was offered suited it")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_an_old_version(tmp_path: Path, authority: Authority) -> None:
    context = server_context(tmp_path, authority.issue("good.test"))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    failure = failed(shaking(context))
    assert failure == Failure(
        "tls-version",
        "good.test ended TLS (protocol version): it speaks none of the versions that were offered",
        "TLS 1.2 and 1.3 were",
    )


def test_a_server_that_wants_a_certificate_in_1_2(tmp_path: Path, authority: Authority) -> None:
    context = server_context(tmp_path, authority.issue("good.test"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    failure = failed(shaking(context, authorities=(authority.write(tmp_path),)))
    assert failure.message.startswith("good.test ended TLS (handshake failure)")


def test_a_server_that_wants_a_certificate_in_1_3_says_so_after_the_handshake(tmp_path: Path, authority: Authority) -> None:
    context = server_context(tmp_path, authority.issue("good.test"))
    context.verify_mode = ssl.CERT_REQUIRED
    with pytest.raises(ConnectionAbortedError) as caught:
        shaking(context, authorities=(authority.write(tmp_path),))
    said = "good.test ended TLS (certificate required): it wants a certificate from the client, and none was given"
    assert str(caught.value) == said


def test_an_end_without_goodbye_is_known_as_cut_short(tmp_path: Path, authority: Authority) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"half an ans")
        await writer.drain()
        writer.transport.abort()

    async def go() -> None:
        clock = Clock()
        resolver = Resolver(clock, [], ResolveOptions(overrides=(("good.test", 0, ("127.0.0.1",)),)))
        async with serving(cut, tls=server_context(tmp_path, authority.issue("good.test"))) as port:
            record = Connection(1, "https", "good.test", port, 0)
            resolving = resolver.start("good.test", port, "https")
            options = ConnectOptions(authorities=(authority.write(tmp_path),))
            wire = await open_connection(parse_url(f"https://good.test:{port}/"), resolving, record, clock, options)
            wire.write(b"hello")
            assert (await wire.read())[0] == b"half an ans"
            assert (await wire.read())[0] == b""
            assert wire.cut_short
            wire.close("cut short")
        await resolver.close()

    asyncio.run(go())




def test_a_retry_for_another_group_is_shown(tmp_path: Path, authority: Authority) -> None:
    context = server_context(tmp_path, authority.issue("good.test"))
    context.set_ecdh_curve("secp384r1")

    async def go() -> Connection:
        async with serving(Heard(), tls=context) as port:
            return await ask(port, authorities=(authority.write(tmp_path),))

    tls = asyncio.run(go()).tls
    assert tls is not None
    assert tls.group == "P-384"
    assert [message.name for message in tls.messages if message.name.endswith(("Hello", "Request"))] == [
        "ClientHello",
        "HelloRetryRequest",
        "ClientHello",
        "ServerHello",
    ]


def test_caddy_speaks_h2_and_sends_its_settings(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()

    async def go(caddy: Caddy) -> tuple[Connection, bytes]:
        url, clock = parse_url(caddy.https), Clock()
        resolver = Resolver(clock, [])
        record = Connection(1, "https", url.host, url.port, clock())
        options = ConnectOptions(authorities=(caddy.authority,))
        wire = await open_connection(url, resolver.start(url.host, url.port, url.scheme), record, clock, options)
        wire.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))
        data, _ = await wire.read()
        wire.close("done")
        await resolver.close()
        return record, data

    with caddy(tmp_path / "caddy", tmp_path / "site") as served:
        record, data = asyncio.run(go(served))
    assert data[3] == 4  # a SETTINGS frame
    assert record.protocol == "h2"
    assert record.tls is not None
    assert record.tls.version == "TLSv1.3"
    assert record.tls.verified
    assert record.tls.group == "X25519"
    assert record.tls.chain[0].names == ["localhost", "127.0.0.1"]


def test_bytes_that_are_no_tls_end_a_connection_with_a_reason(tmp_path: Path, authority: Authority) -> None:
    context = server_context(tmp_path, authority.issue("good.test"))

    def spoil(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        with plain, plain.dup() as twin, context.wrap_socket(plain, server_side=True) as secured:
            secured.recv(100)
            twin.sendall(b"HTTP/1.1 200 OK\r\n\r\nin clear all of a sudden")
            with contextlib.suppress(OSError):
                while secured.recv(65536):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=spoil, args=(listener,))
        thread.start()
        with pytest.raises(ConnectionAbortedError, match=r"^TLS with good\.test failed: wrong version number$"):
            asyncio.run(ask(listener.getsockname()[1], authorities=(authority.write(tmp_path),), read=2))
        thread.join(10)
    assert not thread.is_alive()
