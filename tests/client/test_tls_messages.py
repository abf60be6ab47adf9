"""Handshake messages read as far as they are shown; whatever a stranger sends is read without an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.client.tls_messages import ALERTS, certificates_in, group_in, handshake_name

RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def server_hello(extensions: bytes, random: bytes = bytes(32), session: bytes = b"\x01\x02") -> bytes:
    body = b"\x03\x03" + random + bytes([len(session)]) + session + b"\x13\x01\x00"
    body += len(extensions).to_bytes(2, "big") + extensions
    return b"\x02" + len(body).to_bytes(3, "big") + body


def extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data


@pytest.mark.parametrize(
    ("number", "name"), [(29, "X25519"), (23, "P-256"), (4588, "X25519MLKEM768"), (256, "ffdhe2048"), (0x9999, "group 39321")]
)
def test_the_group_of_tls_1_3_stands_in_the_key_share(number: int, name: str) -> None:
    share = extension(51, number.to_bytes(2, "big") + b"\x00\x01x")
    assert group_in(server_hello(extension(43, b"\x03\x04") + share)) == name
    assert group_in(server_hello(share + extension(43, b"\x03\x04"))) == name
    assert group_in(server_hello(extension(43, b"\x03\x04"))) is None


def test_the_group_of_tls_1_2_stands_in_the_key_exchange() -> None:
    assert group_in(b"\x0c\x00\x00\x04\x03\x00\x18\x00") == "P-384"
    assert group_in(b"\x0c\x00\x00\x04\x00\x80\x18\x00") is None  # Diffie-Hellman over numbers of the server's own


def test_a_retry_is_told_from_a_hello() -> None:
    assert handshake_name(server_hello(b"")) == "ServerHello"
    assert handshake_name(server_hello(b"", RETRY)) == "HelloRetryRequest"
    assert handshake_name(b"\xfe") == "message 254"
    assert handshake_name(b"") == "empty message"


@pytest.mark.parametrize("newest", [True, False])
def test_certificates_are_found_in_both_versions(newest: bool) -> None:
    after = b"\x00\x02ab" if newest else b""
    entries = b"".join(len(each).to_bytes(3, "big") + each + after for each in (b"first", b"second"))
    body = (b"\x00" if newest else b"") + len(entries).to_bytes(3, "big") + entries
    assert certificates_in(b"\x0b" + len(body).to_bytes(3, "big") + body, newest) == [b"first", b"second"]


@given(st.binary(max_size=200), st.booleans(), st.sampled_from([b"", b"\x02", b"\x0b", b"\x0c"]))
def test_any_bytes_can_be_read(data: bytes, newest: bool, kind: bytes) -> None:
    handshake_name(kind + data)
    group_in(kind + data)
    assert len(certificates_in(kind + data, newest)) <= 32


def test_every_alert_of_rfc_8446_has_words() -> None:
    numbers = {0, 10, 20, 22, 40, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 70, 71, 80, 86, 90, 109, 110, 112, 113, 115, 116, 120}
    assert numbers == set(ALERTS)
    assert not any(alert.says.endswith(".") for alert in ALERTS.values())
