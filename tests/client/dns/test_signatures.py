"""Signatures of single record sets: which count, what is said of those that do not, and how much is tried."""

from __future__ import annotations

import dns.dnssec
import dns.name
import dns.rdataset
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.DS import DS
from dns.rdtypes.ANY.RRSIG import RRSIG

from pellucid.client.dns.signatures import Budget, Keys, check, signed_keys, supported_ds

ZONE = dns.name.from_text("zone.")
NOW = 1_800_000_000
DAY = 86_400


class Signer:
    """A key pair of the zone."""

    def __init__(self, flags: int = 257) -> None:
        self.private = Ed25519PrivateKey.generate()
        made = dns.dnssec.make_dnskey(self.private.public_key(), "ED25519", flags=flags)
        assert isinstance(made, DNSKEY)
        self.key = made

    def sign(self, rrset: dns.rrset.RRset, start: int = NOW - DAY, end: int = NOW + DAY, signer: dns.name.Name = ZONE) -> RRSIG:
        return dns.dnssec.sign(rrset, self.private, signer, self.key, inception=start, expiration=end)

    def ds(self, digest: str = "SHA256") -> DS:
        made = dns.dnssec.make_ds(ZONE, self.key, digest, policy=dns.dnssec.allow_all_policy)
        assert isinstance(made, DS)
        return made


def keys_of(*keys: DNSKEY) -> Keys:
    return Keys(ZONE, dns.rdataset.from_rdata_list(60, list(keys)))


def www(address: str = "192.0.2.1") -> dns.rrset.RRset:
    return dns.rrset.from_text("www.zone.", 60, "IN", "A", address)


def forged(tag: int, number: int) -> DNSKEY:
    """A key that is nobody's, with the tag that is wanted: a tag is but a sum (RFC 4034, appendix B)."""
    body = number.to_bytes(30, "big")
    key = DNSKEY("IN", "DNSKEY", 257, 3, 15, body + bytes(2))
    missing = tag - key.key_id()
    for last in (missing, missing - 1):
        key = DNSKEY("IN", "DNSKEY", 257, 3, 15, body + (last & 0xFFFF).to_bytes(2, "big"))
        if key.key_id() == tag:
            return key
    raise AssertionError("no key has that tag")


def test_a_signature_of_the_zones_key_holds() -> None:
    signer, rrset = Signer(), www()
    found = check(rrset, [signer.sign(rrset)], keys_of(signer.key), NOW, Budget())
    assert (found.reason, found.tag, found.wildcard) == (None, signer.key.key_id(), None)


def test_one_that_holds_is_enough() -> None:
    """RFC 6840, section 5.11: a zone may be signed by several keys, and some of the signatures be old."""
    old, new, rrset = Signer(), Signer(), www()
    signatures = [old.sign(rrset, NOW - 9 * DAY, NOW - DAY), new.sign(rrset)]
    assert check(rrset, signatures, keys_of(old.key, new.key), NOW, Budget()).reason is None


def test_what_is_wrong_is_said() -> None:
    signer, other, rrset = Signer(), Signer(), www()
    keys = keys_of(signer.key)

    def reason(*signatures: RRSIG, of: dns.rrset.RRset = rrset) -> str | None:
        return check(of, list(signatures), keys, NOW, Budget()).reason

    assert reason() == "www.zone. A has no signature, though zone. is signed"
    assert reason(signer.sign(rrset, NOW - 9 * DAY, NOW - DAY)) == "The signature of www.zone. A ended on 2027-01-14"
    assert reason(signer.sign(rrset, NOW + DAY, NOW + 9 * DAY)) == "The signature of www.zone. A begins only on 2027-01-16"
    tag = other.key.key_id()
    assert reason(other.sign(rrset)) == f"The signature of www.zone. A is by key {tag}, which is not among the keys of zone."
    changed = reason(signer.sign(rrset), of=www("192.0.2.66"))
    own = signer.key.key_id()
    assert changed == f"The signature of www.zone. A by key {own} of zone. does not fit it: one of them was changed"
    elsewhere = signer.sign(rrset, signer=dns.name.root)
    assert reason(elsewhere) == "www.zone. A is signed by . and not by zone., whose it is"
    assert reason(signer.sign(rrset).replace(labels=5)) == "The signature of www.zone. A is for a longer name"
    broken = signer.sign(rrset).replace(signature=b"")
    assert reason(broken) == changed


def test_an_algorithm_that_nobody_knows_is_said() -> None:
    signer, rrset = Signer(), www()
    key = signer.key.replace(algorithm=200)
    signature = signer.sign(rrset).replace(algorithm=200, key_tag=key.key_id())
    found = check(rrset, [signature], keys_of(key), NOW, Budget())
    assert found.reason == "The signature of www.zone. A has algorithm 200, which cannot be checked here"


def test_a_record_made_from_a_wildcard_says_so() -> None:
    signer = Signer()
    wild = dns.rrset.from_text("*.zone.", 60, "IN", "A", "192.0.2.1")
    made = dns.rrset.from_text("a.b.zone.", 60, "IN", "A", "192.0.2.1")
    signature = signer.sign(wild)
    assert check(made, [signature], keys_of(signer.key), NOW, Budget()).wildcard == wild.name
    assert check(wild, [signature], keys_of(signer.key), NOW, Budget()).wildcard is None, "asked for by its own name"


def test_keys_with_one_tag_are_not_all_tried() -> None:
    """CVE-2023-50387: a hundred keys with one tag, a hundred signatures, and each fits none."""
    signer, rrset = Signer(), www()
    tag = signer.key.key_id()
    keys = keys_of(*[forged(tag, number) for number in range(1, 31)])
    signatures = [signer.sign(rrset).replace(signature=bytes([number]) * 64) for number in range(100)]
    budget = Budget()
    assert check(rrset, signatures, keys, NOW, budget).reason is not None
    assert Budget().checks - budget.checks == 32


def test_what_a_name_may_cost_is_bounded() -> None:
    signer, rrset = Signer(), www()
    found = check(rrset, [signer.sign(rrset)], keys_of(signer.key), NOW, Budget(0))
    assert found.reason is not None
    assert "too many had been" in found.reason
    assert signed_keys(ZONE, keyset(signer), [], [signer.ds()], NOW, Budget(0))[2].endswith("too many had been")


def keyset(*signers: Signer) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(ZONE, 60, [each.key for each in signers])


def test_the_keys_are_those_that_the_ds_stands_for() -> None:
    entry, other = Signer(), Signer(flags=256)
    rrset = keyset(entry, other)
    keys, tag, reason = signed_keys(ZONE, rrset, [entry.sign(rrset)], [entry.ds()], NOW, Budget())
    assert (tag, reason) == (entry.key.key_id(), "")
    assert keys is not None
    assert set(keys.rdataset) == {entry.key, other.key}
    keys, _, reason = signed_keys(ZONE, rrset, [other.sign(rrset)], [entry.ds()], NOW, Budget())
    assert (keys, reason) == (None, "zone. DNSKEY has no signature, though zone. is signed")
    absent = Signer()
    keys, _, reason = signed_keys(ZONE, rrset, [entry.sign(rrset)], [absent.ds()], NOW, Budget())
    assert keys is None
    assert reason.startswith(f"The DS of zone. stands for key {absent.key.key_id()}, which is not among the keys of zone. (")


def test_a_revoked_key_and_one_that_is_no_zones_do_not_count() -> None:
    """RFC 5011, section 2.1; RFC 4034, section 2.1.1."""
    for flags in (0x0181, 0x0001):
        entry = Signer(flags=flags)
        rrset = keyset(entry)
        assert signed_keys(ZONE, rrset, [entry.sign(rrset)], [entry.ds()], NOW, Budget())[0] is None


def test_a_weak_digest_does_not_count_beside_a_better_one() -> None:
    """RFC 4509, section 3: else whoever breaks SHA-1 need only leave the better one unfitting."""
    entry = Signer()
    weak, strong = entry.ds("SHA1"), entry.ds("SHA256")
    both = dns.rrset.from_rdata_list(ZONE, 60, [weak, strong])
    assert supported_ds(both) == [strong]
    assert supported_ds(dns.rrset.from_rdata(ZONE, 60, weak)) == [weak]


@pytest.mark.parametrize("change", [{"algorithm": 200}, {"algorithm": 1}, {"digest_type": 200}])
def test_a_ds_that_cannot_be_followed_is_passed_over(change: dict[str, object]) -> None:
    ds = Signer().ds()
    fields = {name: change.get(name, getattr(ds, name)) for name in ("key_tag", "algorithm", "digest_type", "digest")}
    other = DS("IN", "DS", *fields.values())  # type: ignore[arg-type]
    assert supported_ds(dns.rrset.from_rdata(ZONE, 60, other)) == []
