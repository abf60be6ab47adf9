"""Certificates as people read them, and what is wrong with one.

In: a chain as it was sent (DER), the host that was asked for, the instant, what OpenSSL said. Out: `Certificate`s, and a
`Failure` with the cause and what would be right. It decides nothing that OpenSSL has decided: it explains. Only where the user
switched the check off it judges by itself, since OpenSSL then tells nobody what it found.

`cryptography` takes tens of milliseconds to import, so whoever calls this calls it when nobody waits for an answer.
"""

from __future__ import annotations

import difflib
import ipaddress
import time
from collections.abc import Sequence
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID

from pellucid.http.sites import is_address
from pellucid.journey import Certificate, Failure

__all__ = ["describe_chain", "explain", "find_fault", "matches"]

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_ED = {SignatureAlgorithmOID.ED25519: "Ed25519", SignatureAlgorithmOID.ED448: "Ed448"}
_DAY = 86_400


def describe_chain(sent: Sequence[bytes], verified: Sequence[bytes] = ()) -> list[Certificate]:
    """The chain for people: what the server sent, in its order, then what was found in the local store to complete it."""
    found = [_describe(der, True) for der in sent]
    found += [_describe(der, False) for der in verified if der not in sent]
    return found


@lru_cache(maxsize=64)
def _describe(der: bytes, sent: bool) -> Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        return Certificate(
            subject=_name(certificate.subject),
            issuer=_name(certificate.issuer),
            names=_names(certificate),
            not_before=certificate.not_valid_before_utc.timestamp(),
            not_after=certificate.not_valid_after_utc.timestamp(),
            serial=f"{certificate.serial_number:x}",
            key=_key(certificate),
            signature=_signature(certificate),
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            authority=_is_authority(certificate),
            size=len(der),
            sent=sent,
        )
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        return Certificate(f"unreadable ({error})", "", [], 0, 0, "", "", "", "", False, len(der), sent)


def _name(name: x509.Name) -> str:
    """The common name; where there is none the organisation, else the whole."""
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME):
        if found := name.get_attributes_for_oid(oid):
            value = found[0].value
            return value if isinstance(value, str) else value.decode("utf-8", "replace")
    return name.rfc4514_string()


def _names(certificate: x509.Certificate) -> list[str]:
    """The DNS names and addresses it is for; the common name counts no longer (RFC 9525, section 2)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return []
    return names.get_values_for_type(x509.DNSName) + [str(each) for each in names.get_values_for_type(x509.IPAddress)]


def _key(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "of an unknown kind"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {_CURVES.get(key.curve.name, key.curve.name)}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size} bits"
    return type(key).__name__.removesuffix("PublicKey")


def _signature(certificate: x509.Certificate) -> str:
    oid = certificate.signature_algorithm_oid
    if oid in _ED:
        return _ED[oid]
    try:
        hash = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        hash = None
    digest = hash.name.upper().replace("SHA", "SHA-").replace("SHA-3-", "SHA3-") if hash is not None else "?"
    name = oid._name.lower()
    families = (("ecdsa", "ECDSA"), ("pss", "RSA-PSS"), ("rsa", "RSA"), ("dsa", "DSA"))
    family = next((family for part, family in families if part in name), name)
    return f"{family} with {digest}"


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


def matches(host: str, names: Sequence[str]) -> bool:
    """Whether a certificate for `names` is good for `host` (RFC 9525, section 6.3): a star stands for the whole first label."""
    host = host.rstrip(".").lower()
    if is_address(host):
        wanted = ipaddress.ip_address(host)
        return any(is_address(name) and ipaddress.ip_address(name) == wanted for name in names)
    for name in (name.rstrip(".").lower() for name in names):
        if name == host:
            return True
        if name.startswith("*.") and host.partition(".")[2] == name[2:] and name.count(".") >= 2:
            return True
    return False


# OpenSSL's verdicts (x509_vfy.h) by what they mean for people.
_EXPIRED, _TOO_EARLY, _SELF, _HOST = {10, 12}, {9, 11}, {18}, {62, 64}
_UNKNOWN, _USE, _WEAK = {2, 19, 20, 21, 27}, {24, 26, 28, 79, 80}, {66, 67, 68, 91}
_SLUGS = {"certificate-expired": _EXPIRED, "certificate-not-yet-valid": _TOO_EARLY, "certificate-self-signed": _SELF}
_SLUGS |= {"certificate-wrong-host": _HOST, "certificate-unknown-authority": _UNKNOWN, "certificate-wrong-use": _USE}
_SLUGS |= {"certificate-weak": _WEAK, "certificate-revoked": {23}}


def explain(code: int, text: str, chain: Sequence[bytes], host: str, at: float | None = None) -> Failure:
    """What OpenSSL's verdict means for this chain, and what else is wrong with it."""
    slug = next((slug for slug, codes in _SLUGS.items() if code in codes), "certificate-invalid")
    found = _faults(chain, host, time.time() if at is None else at)
    main = found.pop(slug, None)
    if slug == "certificate-self-signed":
        found.pop("certificate-unknown-authority", None)
    if main is None:
        main = Failure(slug, _SAYS.get(slug, "The certificate of {host} is not valid").format(host=host) + f" ({text})")
    others = [fault.message for fault in found.values() if fault.slug not in _BY_OPENSSL_ALONE]
    return Failure(main.slug, "; besides, ".join([main.message, *(_lower(other) for other in others)]), main.hint)


def find_fault(chain: Sequence[bytes], host: str, trusted: bool, at: float | None = None) -> Failure | None:
    """Judge a chain that nobody has checked; `trusted` says whether it ends at an authority of the local store."""
    found = _faults(chain, host, time.time() if at is None else at)
    order = ["certificate-self-signed", "certificate-unknown-authority"] if not trusted else []
    order += ["certificate-wrong-use", "certificate-wrong-host", "certificate-expired", "certificate-not-yet-valid"]
    present = [found[slug] for slug in order if slug in found]
    if len(present) > 1 and present[0].slug == "certificate-self-signed":
        present = [each for each in present if each.slug != "certificate-unknown-authority"]
    if not present:
        return None
    messages = [present[0].message, *(_lower(other.message) for other in present[1:])]
    return Failure(present[0].slug, "; besides, ".join(messages), present[0].hint)


_SAYS = {
    "certificate-wrong-use": "The certificate of {host} is not meant for servers",
    "certificate-weak": "The certificate of {host} or one of its chain is signed too weakly, or its key is too short",
    "certificate-revoked": "The certificate of {host} was revoked",
    "certificate-expired": "The certificate of {host}, or one of its chain, has expired",
    "certificate-not-yet-valid": "The certificate of {host}, or one of its chain, is not yet valid",
    "certificate-self-signed": "The certificate of {host} was signed by itself",
    "certificate-unknown-authority": "The certificate of {host} was not issued by an authority that this computer trusts",
    "certificate-wrong-host": "The certificate is not for {host}",
}


_BY_OPENSSL_ALONE = ("certificate-unknown-authority", "certificate-weak")
"""What is said only where OpenSSL said so: the store and the level of security decide it."""


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _faults(chain: Sequence[bytes], host: str, at: float) -> dict[str, Failure]:
    """Everything that might be wrong with a chain, by slug. Whether its end is trusted is not known here, so the two slugs
    about that are always there to choose from.
    """
    described = [_describe(der, True) for der in chain]
    if not described:
        return {}
    found: dict[str, Failure] = {}
    own = described[0]
    for each in described:
        whose = f"The certificate of {host}" if each is own else f"The certificate of the authority {each.subject}"
        if each.not_after < at:
            hint = "Its owner has to renew it" if each is own else "The server sends a certificate that is out of date"
            message = f"{whose} expired on {_date(each.not_after)}, {_ago(at - each.not_after)} ago"
            found.setdefault("certificate-expired", Failure("certificate-expired", message, hint))
        if each.not_before > at:
            message = f"{whose} is not valid before {_date(each.not_before)}, {_ago(each.not_before - at)} from now"
            hint = f"Is the clock of this computer right? It says {_date(at)}"
            found.setdefault("certificate-not-yet-valid", Failure("certificate-not-yet-valid", message, hint))
    if not matches(host, own.names):
        found["certificate-wrong-host"] = _wrong_host(host, own)
    if (fault := _wrong_use(chain[0], host)) is not None:
        found[fault.slug] = fault
    if own.subject == own.issuer:
        hint = "--cacert FILE trusts it, where FILE holds this certificate"
        message = f"The certificate of {host} was signed by itself, so nobody vouches for it"
        found["certificate-self-signed"] = Failure("certificate-self-signed", message, hint)
    found["certificate-unknown-authority"] = _unknown(host, described)
    if (fault := _weak(host, described)) is not None:
        found[fault.slug] = fault
    return found


def _wrong_host(host: str, own: Certificate) -> Failure:
    if not own.names:
        message = f"The certificate is not for {host}: it names no host at all"
        hint = f"Its common name, {own.subject}, does not count (RFC 9525)" if own.subject else None
        return Failure("certificate-wrong-host", message, hint)
    shown = ", ".join(own.names[:5]) + (f" and {len(own.names) - 5} more" if len(own.names) > 5 else "")
    hint = None
    other = host[4:] if host.startswith("www.") else f"www.{host}"
    if matches(other, own.names):
        hint = f"It is for {other}: ask for that"
    elif near := difflib.get_close_matches(host, own.names, 1, 0.75):
        hint = f"Was {near[0]} meant?"
    return Failure("certificate-wrong-host", f"The certificate is not for {host}, but for {shown}", hint)


def _wrong_use(der: bytes, host: str) -> Failure | None:
    try:
        uses = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None
    if any(use in (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE) for use in uses):
        return None
    said = ", ".join(use._name for use in uses)
    message = f"The certificate of {host} is not meant for servers: its extended key usage is {said}"
    return Failure("certificate-wrong-use", message, "A server's certificate has serverAuth there")


def _weak(host: str, chain: Sequence[Certificate]) -> Failure | None:
    """The first certificate whose key or signature nobody should rely on any more."""
    for each in chain:
        whose = f"The certificate of {host}" if each is chain[0] else f"The certificate of the authority {each.subject}"
        bits = each.key.split()[1] if each.key.startswith(("RSA ", "DSA ")) else ""
        if bits.isdecimal() and int(bits) < 2048:
            return Failure("certificate-weak", f"{whose} has a key that is too short: {each.key}", "2048 bits are the least")
        if each.signature.endswith(("MD5", "SHA-1")) and each.subject != each.issuer:
            return Failure("certificate-weak", f"{whose} is signed too weakly: {each.signature}", "SHA-256 is what is used today")
    return None


def _unknown(host: str, chain: Sequence[Certificate]) -> Failure:
    """Walk up what was sent as far as it goes, and name the authority that is missing there."""
    last, seen = chain[0], {chain[0].fingerprint}
    while above := next((each for each in chain if each.subject == last.issuer and each.fingerprint not in seen), None):
        last = above
        seen.add(above.fingerprint)
    slug, issuer = "certificate-unknown-authority", last.issuer or "somebody unnamed"
    message = f"The certificate of {host} goes back to {issuer}, an authority that this computer does not trust"
    if last.subject == last.issuer:
        return Failure(slug, message, "--cacert FILE trusts it, where FILE holds its certificate")
    if len(chain) == 1:
        message = f"The certificate of {host} was issued by {issuer}, which is not an authority that this computer trusts"
        hint = "Either the server fails to send the certificate between, or the authority is private: --cacert FILE trusts it"
        return Failure(slug, message, hint)
    return Failure(slug, message, "--cacert FILE trusts it, where FILE holds its certificate")


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


def _ago(seconds: float) -> str:
    for size, name in ((365.25 * _DAY, "year"), (_DAY, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size or (size < 365 * _DAY and seconds >= size):
            count = int(seconds // size)
            return f"{count} {name}{'s' if count != 1 else ''}"
    return "less than a minute"
