"""Listening sockets and TLS: where a worker is reached.

In: a host and port, a path, or file descriptors that a supervisor passed on. Out: sockets that listen already, so that a
connection made from now on waits for a worker and is never refused. It never accepts one.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import stat
from collections.abc import Sequence
from pathlib import Path

__all__ = ["FDS_VARIABLE", "ListenError", "address_of", "inherited", "listen", "listen_unix", "tls_context"]

FDS_VARIABLE = "PELLUCID_FDS"
"""Names the listening sockets that a supervisor passes to its workers: file descriptors joined by commas."""

_BACKLOG = 2048


class ListenError(Exception):
    """The address cannot be listened on; the message says why and what to do."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on every address that the host name stands for; port 0 takes a free one, the same for all. "" is every interface.

    Raises ListenError.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ListenError(f"There is no address for the host {host!r}: {error.strerror}") from None
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            if port == 0 and sockets:
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            try:
                sockets.append(_bound(family, address))
            except OSError as error:
                # A machine without IPv6 still names ::1; one address that works is enough.
                if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) and len(found) > 1:
                    continue
                raise
    except OSError as error:
        for other in sockets:
            other.close()
        raise ListenError(_explain(host, port, error)) from None
    if not sockets:
        raise ListenError(f"No address of the host {host!r} belongs to this machine")
    return sockets


def _bound(family: int, address: Sequence[object]) -> socket.socket:
    # IPPROTO_TCP by name: with 0, asyncio doesn't recognise TCP, leaves Nagle's algorithm on, and kept connections take 44 ms.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(tuple(address))
        made.listen(_BACKLOG)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


def _explain(host: str, port: int, error: OSError) -> str:
    where = f"{host or '*'}:{port}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where} is in use: another process listens there. Stop it, or choose another port"
        case errno.EACCES:
            return f"{where} may not be used: ports below 1024 need a privilege. Choose a port above"
        case errno.EADDRNOTAVAIL:
            return f"{where} is not an address of this machine"
    return f"{where} cannot be listened on: {error.strerror}"


def listen_unix(path: str | os.PathLike[str], mode: int = 0o660) -> socket.socket:
    """Listen on a Unix socket. One that a dead process left is replaced; one that answers is not. Raises ListenError."""
    where = Path(path)
    try:
        if stat.S_ISSOCK(where.stat().st_mode):
            _refuse_live(where)
            where.unlink()
        else:
            raise ListenError(f"{where} exists and is not a socket")
    except FileNotFoundError:
        pass
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # The mode at birth: changed afterwards, the socket would be open to everybody for a moment.
        before = os.umask(0o777 & ~mode)
        try:
            made.bind(str(where))
        finally:
            os.umask(before)
        made.listen(_BACKLOG)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise ListenError(f"{where} cannot be listened on: {error.strerror or error}") from None
    return made


def _refuse_live(where: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(where))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except OSError as error:
            raise ListenError(f"{where} cannot be asked whether it is in use: {error.strerror or error}") from None
    raise ListenError(f"{where} is in use: another process listens there. Stop it, or choose another path")


def inherited(environment: dict[str, str] | os._Environ[str] | None = None) -> list[socket.socket]:
    """The listening sockets that a supervisor passed on, none where there is no supervisor. Raises ListenError."""
    named = (os.environ if environment is None else environment).get(FDS_VARIABLE, "")
    sockets: list[socket.socket] = []
    for number in filter(None, named.split(",")):
        try:
            given = socket.socket(fileno=int(number))
        except (ValueError, OSError):
            raise ListenError(f"{FDS_VARIABLE} names {number!r}, which is no listening socket") from None
        given.setblocking(False)
        sockets.append(given)
    return sockets


def address_of(listening: socket.socket, scheme: str = "http") -> str:
    """The address as a person would type it: a URL, or `unix:` and a path."""
    address = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return f"unix:{address}"
    host = f"[{address[0]}]" if listening.family == socket.AF_INET6 else address[0]
    return f"{scheme}://{host}:{address[1]}"


def tls_context(certificate: str | os.PathLike[str], key: str | os.PathLike[str] | None = None) -> ssl.SSLContext:
    """TLS 1.2 and above from PEM files: the certificate with its chain, and its key where that is a file of its own.

    Raises ListenError.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for path in (certificate, key):
        if path is not None and not Path(path).is_file():
            raise ListenError(f"There is no file {os.fspath(path)} for TLS")
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise ListenError(f"{os.fspath(certificate)} and its key cannot be used for TLS: {error.reason or error}") from None
    return context


def _no_password() -> str:
    # Without this OpenSSL would ask the terminal, and a server would hang at its start.
    raise ListenError("The TLS key is encrypted; a server needs it without a password")
