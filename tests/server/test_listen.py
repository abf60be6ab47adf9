"""Where a server listens, and what it says when it cannot."""

from __future__ import annotations

import contextlib
import socket
import ssl
import stat

import pytest
import trustme

from pellucid.http.messages import Response
from pellucid.server.listen import ListenError, address_of, inherited, listen, listen_unix, tls_context
from pellucid.server.worker import running

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def closing():
    with contextlib.ExitStack() as stack:
        yield lambda sockets: [stack.enter_context(contextlib.closing(made)) for made in sockets]


def test_a_tcp_socket_is_known_as_one_so_that_nagle_s_algorithm_is_off(closing):
    (made,) = closing(listen("127.0.0.1", 0))
    assert made.proto == socket.IPPROTO_TCP
    assert address_of(made) == f"http://127.0.0.1:{made.getsockname()[1]}"


def test_a_name_with_several_addresses_gets_one_port(closing):
    made = closing(listen("", 0))
    assert len({one.getsockname()[1] for one in made}) == 1


def test_a_port_in_use_is_named(closing):
    (made,) = closing(listen("127.0.0.1", 0))
    with pytest.raises(ListenError, match=r"127\.0\.0\.1:\d+ is in use"):
        listen("127.0.0.1", made.getsockname()[1])


@pytest.mark.parametrize("host", ["no such host", "203.0.113.1"])
def test_a_host_that_is_not_here_is_named(host):
    with pytest.raises(ListenError, match=host.replace(".", r"\.")):
        listen(host, 0)


def test_a_unix_socket_has_its_mode_from_the_start(tmp_path, closing):
    path = tmp_path / "s"
    closing([listen_unix(path)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_unix_socket_left_by_a_dead_process_is_replaced(tmp_path, closing):
    path = tmp_path / "s"
    listen_unix(path).close()
    assert path.exists()
    closing([listen_unix(path)])


def test_a_unix_socket_that_answers_is_left_alone(tmp_path, closing):
    path = tmp_path / "s"
    closing([listen_unix(path)])
    with pytest.raises(ListenError, match="in use"):
        listen_unix(path)


def test_a_file_in_place_of_a_unix_socket_is_left_alone(tmp_path):
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(ListenError, match="is not a socket"):
        listen_unix(path)
    assert path.read_text() == "precious"


def test_inherited_sockets_are_named_by_the_environment(closing):
    (made,) = closing(listen("127.0.0.1", 0))
    copy = made.dup()
    (given,) = closing(inherited({"PELLUCID_FDS": str(copy.detach())}))
    assert given.getsockname() == made.getsockname()
    assert inherited({}) == []
    with pytest.raises(ListenError, match="PELLUCID_FDS names 'x'"):
        inherited({"PELLUCID_FDS": "x"})


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def certificate(authority, tmp_path):
    issued = authority.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    return tmp_path


def trusting(authority, **changes):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    for name, value in changes.items():
        setattr(context, name, value)
    return context


@pytest.mark.parametrize("files", [("both.pem",), ("cert.pem", "key.pem")])
def test_tls_serves_http_1_1_and_says_https(files, certificate, authority, run, connect):
    async def main():
        context = tls_context(*(certificate / name for name in files))
        async with running(lambda r: Response(200, r.scheme.encode()), tls=context) as address:
            assert address.startswith("https://")
            client = await connect(address, ssl=trusting(authority), server_hostname="localhost")
            for _ in range(3):
                assert (await client.ask(GET))[2] == b"https"
            assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"

    run(main())


def test_tls_refuses_old_versions_and_survives_plain_text(certificate, authority, run, connect):
    async def main():
        context = tls_context(certificate / "both.pem")
        async with running(lambda r: Response(200, b"x" * 200_000), tls=context) as address:
            old = trusting(authority, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await connect(address, ssl=old, server_hostname="localhost")
            plain = await connect(address)
            await plain.send(GET)
            with contextlib.suppress(ConnectionResetError):
                await plain.rest()
            client = await connect(address, ssl=trusting(authority), server_hostname="localhost")
            assert len((await client.ask(GET))[2]) == 200_000

    with pytest.warns(DeprecationWarning, match="TLSv1"):
        run(main())


def test_the_first_request_s_trace_says_what_tls_agreed_on(certificate, authority, run, connect):
    async def main():
        seen = []
        context = tls_context(certificate / "both.pem")
        async with running(lambda r: Response(), tls=context, observer=lambda r, *_: seen.extend(r.trace.marks)) as address:
            client = await connect(address, ssl=trusting(authority), server_hostname="localhost")
            await client.ask(GET)
        assert [mark[0] for mark in seen] == ["accept", "tls", "parse"]
        assert seen[1][2][0] == "TLSv1.3"

    run(main())


def test_what_is_wrong_with_tls_files_is_said(certificate, authority):
    with pytest.raises(ListenError, match="There is no file"):
        tls_context(certificate / "none.pem")
    with pytest.raises(ListenError, match="cannot be used for TLS"):
        tls_context(certificate / "key.pem")
    other = authority.issue_cert("other")
    other.private_key_pem.write_to_path(certificate / "other.pem")
    with pytest.raises(ListenError, match="cannot be used for TLS"):
        tls_context(certificate / "cert.pem", certificate / "other.pem")
