"""Certificates without a connection: which names count, and how a chain is told."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from certified import NOW, Authority
from pellucid.client.certificates import describe_chain, explain, find_fault, matches

AT = NOW.timestamp()


@pytest.mark.parametrize(
    ("host", "names", "good"),
    [
        ("example.org", ["example.org"], True),
        ("EXAMPLE.org.", ["Example.ORG"], True),
        ("www.example.org", ["*.example.org"], True),
        ("example.org", ["*.example.org"], False),
        ("a.b.example.org", ["*.example.org"], False),
        ("example.org", ["*.org"], False),
        ("www.example.org", ["w*.example.org"], False),
        ("example.org", [], False),
        ("127.0.0.1", ["127.0.0.1"], True),
        ("127.0.0.1", ["*.0.0.1"], False),
        ("::1", ["0:0:0:0:0:0:0:1"], True),
        ("::1", ["localhost"], False),
    ],
)
def test_which_names_are_good_for_a_host(host: str, names: list[str], good: bool) -> None:
    assert matches(host, names) is good


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=5))
def test_any_text_can_be_compared(host: str, names: list[str]) -> None:
    matches(host, names)


def der(issued: tuple[object, object]) -> bytes:
    return issued[0].public_bytes(Encoding.DER)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def test_a_certificate_is_told_in_words(authority: Authority) -> None:
    key = rsa.generate_private_key(65537, 2048)
    (found,) = describe_chain([der(authority.issue("good.test", "127.0.0.1", key=key))])
    assert found.subject == "good.test"
    assert found.names == ["good.test", "127.0.0.1"]
    assert found.key == "RSA 2048 bits"
    assert found.signature == "ECDSA with SHA-256"
    assert len(found.fingerprint) == 64
    assert found.size > 300


def test_what_cannot_be_read_is_told_too() -> None:
    (found,) = describe_chain([b"junk"])
    assert found.subject.startswith("unreadable")
    assert found.size == 4


def test_a_name_that_is_nearly_right_is_offered(authority: Authority) -> None:
    failure = explain(62, "hostname mismatch", [der(authority.issue("shop.example.org"))], "shp.example.org", AT)
    assert failure.hint == "Was shop.example.org meant?"


def test_many_names_are_cut_short(authority: Authority) -> None:
    names = [f"site{number}.test" for number in range(40)]
    failure = explain(62, "hostname mismatch", [der(authority.issue(*names))], "zzz.other", AT)
    assert failure.message.endswith("site4.test and 35 more")


def test_a_certificate_without_names(authority: Authority) -> None:
    failure = explain(62, "hostname mismatch", [der(authority.issue())], "good.test", AT)
    assert failure.message == "The certificate is not for good.test: it names no host at all"
    assert failure.hint == "Its common name, nameless, does not count (RFC 9525)"


@pytest.mark.parametrize(
    ("code", "slug"),
    [(10, "expired"), (18, "self-signed"), (20, "unknown-authority"), (23, "revoked"), (66, "weak"), (7, "invalid")],
)
def test_without_a_chain_the_verdict_alone_is_told(code: int, slug: str) -> None:
    failure = explain(code, "what OpenSSL says", [], "good.test", AT)
    assert failure.slug == f"certificate-{slug}"
    assert "good.test" in failure.message
    assert failure.message.endswith("(what OpenSSL says)")


def test_an_authority_of_the_chain_may_have_expired(authority: Authority) -> None:
    between = Authority("The Authority Between", authority, "between")
    chain = [der(between.issue("good.test")), between.certificate.public_bytes(Encoding.DER)]
    later = AT + 20 * 365 * 86400
    failure = explain(10, "expired", chain[1:] * 2, "good.test", later)
    assert failure.slug == "certificate-expired"
    assert "19 years ago" in failure.message


def test_nothing_is_wrong_with_a_good_chain(authority: Authority) -> None:
    assert find_fault([der(authority.issue("good.test"))], "good.test", True, AT) is None
