"""The messages of a TLS handshake, read as far as people want to see them (RFC 8446, RFC 5246).

In: a handshake message or an alert as it is in clear. Out: its name, the group of the key exchange, the certificates in it.
Python's own names for them are not used: inside TLS 1.3's encrypted records it takes content types for message types.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ALERTS", "Alert", "certificates_in", "group_in", "handshake_name"]

_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The "random" of a ServerHello that asks for another key share (RFC 8446, 4.1.3)."""
_NAMES = {
    0: "HelloRequest",
    1: "ClientHello",
    2: "ServerHello",
    4: "NewSessionTicket",
    5: "EndOfEarlyData",
    8: "EncryptedExtensions",
    11: "Certificate",
    12: "ServerKeyExchange",
    13: "CertificateRequest",
    14: "ServerHelloDone",
    15: "CertificateVerify",
    16: "ClientKeyExchange",
    20: "Finished",
    22: "CertificateStatus",
    24: "KeyUpdate",
    25: "CompressedCertificate",
}
_GROUPS = {
    21: "P-224",
    23: "P-256",
    24: "P-384",
    25: "P-521",
    26: "brainpoolP256r1",
    27: "brainpoolP384r1",
    28: "brainpoolP512r1",
    29: "X25519",
    30: "X448",
    256: "ffdhe2048",
    257: "ffdhe3072",
    258: "ffdhe4096",
    259: "ffdhe6144",
    260: "ffdhe8192",
    512: "MLKEM512",
    513: "MLKEM768",
    514: "MLKEM1024",
    4587: "SecP256r1MLKEM768",
    4588: "X25519MLKEM768",
    4589: "SecP384r1MLKEM1024",
}
"""IANA's TLS Supported Groups."""


class Alert(NamedTuple):
    """An alert: its name, and what a server means by it; `slug` where that has one of its own."""

    name: str
    says: str
    hint: str | None = None
    slug: str = "tls-refused"


ALERTS = {
    0: Alert("close notify", "it said goodbye"),
    10: Alert("unexpected message", "it got a message that it did not expect"),
    20: Alert("bad record mac", "it got a record that had been damaged on the way"),
    22: Alert("record overflow", "it got a record that was too long"),
    40: Alert(
        "handshake failure",
        "nothing that was offered suited it: no common cipher or group, or it has no certificate for this name",
        "A server with several sites refuses so where none of them has this name",
    ),
    42: Alert("bad certificate", "it did not accept the client's certificate"),
    43: Alert("unsupported certificate", "it cannot use the client's kind of certificate"),
    44: Alert("certificate revoked", "the client's certificate was revoked"),
    45: Alert("certificate expired", "the client's certificate has expired"),
    46: Alert("certificate unknown", "it did not accept the client's certificate"),
    47: Alert("illegal parameter", "it got a value that is not allowed"),
    48: Alert("unknown ca", "it does not know who issued the client's certificate"),
    49: Alert("access denied", "it does not let this client in"),
    50: Alert("decode error", "it could not read a message"),
    51: Alert("decrypt error", "a signature or a key did not fit"),
    70: Alert("protocol version", "it speaks none of the versions that were offered", "TLS 1.2 and 1.3 were", "tls-version"),
    71: Alert("insufficient security", "it wants stronger ciphers than were offered"),
    80: Alert(
        "internal error",
        "something went wrong in it, which had nothing to do with us",
        "Some servers say so where they have no certificate for this name yet",
    ),
    86: Alert("inappropriate fallback", "it took this for an attack that forces an older version"),
    90: Alert("user canceled", "it was told to stop"),
    109: Alert("missing extension", "it missed something in the ClientHello"),
    110: Alert("unsupported extension", "it got an extension that it had not offered"),
    112: Alert(
        "unrecognized name",
        "it serves no site of this name",
        "Is the name spelt rightly, and is this its server?",
        "tls-wrong-name",
    ),
    113: Alert("bad certificate status response", "it did not like the answer about revocation"),
    115: Alert("unknown psk identity", "it did not know the key that was resumed"),
    116: Alert(
        "certificate required", "it wants a certificate from the client, and none was given", None, "tls-certificate-required"
    ),
    120: Alert(
        "no application protocol", "it speaks none of the protocols that were offered", None, "tls-no-application-protocol"
    ),
}
"""By number (IANA's TLS Alerts), as a server means them."""


def handshake_name(message: bytes) -> str:
    """The standard's name of a handshake message, told by its first byte."""
    if message[:1] == b"\x02" and message[6:38] == _RETRY:
        return "HelloRetryRequest"
    return _NAMES.get(message[0], f"message {message[0]}") if message else "empty message"


def group_in(message: bytes) -> str | None:
    """The group of the key exchange in a ServerHello (TLS 1.3) or a ServerKeyExchange (TLS 1.2); None where it names none."""
    if message[:1] == b"\x0c":
        return _group(message[5:7]) if message[4:5] == b"\x03" else None  # named_curve (RFC 8422, 5.4)
    if message[:1] != b"\x02" or len(message) < 39:
        return None
    at = 39 + message[38] + 3  # after the session id: the cipher and the compression
    end = at + 2 + int.from_bytes(message[at : at + 2], "big")
    at += 2
    while at + 4 <= min(end, len(message)):
        kind, size = int.from_bytes(message[at : at + 2], "big"), int.from_bytes(message[at + 2 : at + 4], "big")
        if kind == 51:  # key_share
            return _group(message[at + 4 : at + 6])
        at += 4 + size
    return None


def _group(number: bytes) -> str | None:
    if len(number) != 2:
        return None
    known = int.from_bytes(number, "big")
    return _GROUPS.get(known, f"group {known}")


def certificates_in(message: bytes, with_extensions: bool) -> list[bytes]:
    """The certificates (DER) of a Certificate message, the server's own first; at most 32. TLS 1.3 has extensions there."""
    at = 4
    if with_extensions:
        at += 1 + int.from_bytes(message[4:5], "big")
    end = at + 3 + int.from_bytes(message[at : at + 3], "big")
    at += 3
    found: list[bytes] = []
    while at + 3 <= min(end, len(message)) and len(found) < 32:
        size = int.from_bytes(message[at : at + 3], "big")
        found.append(message[at + 3 : at + 3 + size])
        at += 3 + size
        if with_extensions:
            at += 2 + int.from_bytes(message[at : at + 2], "big")
    return found
