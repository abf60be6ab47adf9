"""Certificates for tests, good and bad ones, and a TLS server that has one.

In: what is to be wrong with a certificate. Out: an `ssl.SSLContext` for a server. Keys are made once, since nothing here depends
on their being different.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["NOW", "Authority", "server_context"]

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
_DAY = datetime.timedelta(days=1)
_KEYS = {"own": ec.generate_private_key(ec.SECP256R1()), "authority": ec.generate_private_key(ec.SECP256R1())}
_KEYS["between"] = ec.generate_private_key(ec.SECP256R1())
_SIGNS = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
PEM = serialization.Encoding.PEM
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """An authority, perhaps one that another has signed."""

    def __init__(self, name: str = "The Test Authority", above: Authority | None = None, key: str = "authority") -> None:
        self.name = name
        self.above = above
        self.key: Key = _KEYS[key]
        self.certificate = self._sign(
            _name(name), self.key, (NOW - 30 * _DAY, NOW + 300 * _DAY), [], ca=True, by=above or self
        )

    def issue(
        self,
        *names: str,
        valid: tuple[datetime.datetime, datetime.datetime] = (NOW - 3 * _DAY, NOW + 30 * _DAY),
        use: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
        key: Key | None = None,
    ) -> tuple[x509.Certificate, Key]:
        """A certificate for these names, and its key."""
        own = key or _KEYS["own"]
        return self._sign(_name(names[0] if names else "nameless"), own, valid, list(names), by=self, use=use), own

    def itself(self, *names: str) -> tuple[x509.Certificate, Key]:
        """A certificate that nobody but its owner has signed."""
        subject = _name(names[0])
        own = _KEYS["own"]
        builder = self._builder(subject, subject, own, (NOW - 3 * _DAY, NOW + 30 * _DAY))
        builder = builder.add_extension(_alternatives(list(names)), critical=False)
        return builder.sign(own, hashes.SHA256()), own

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: Key, valid: tuple[datetime.datetime, datetime.datetime]
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(valid[0])
            .not_valid_after(valid[1])
        )

    def _sign(
        self,
        subject: x509.Name,
        key: Key,
        valid: tuple[datetime.datetime, datetime.datetime],
        names: list[str],
        *,
        by: Authority,
        ca: bool = False,
        use: x509.ObjectIdentifier | None = None,
    ) -> x509.Certificate:
        builder = self._builder(subject, _name(by.name), key, valid)
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
        builder = builder.add_extension(above, critical=False)
        if ca:
            builder = builder.add_extension(_SIGNS, critical=True)
        if names:
            builder = builder.add_extension(_alternatives(names), critical=False)
        if use is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        return builder.sign(by.key, hashes.SHA256())

    def write(self, folder: Path) -> str:
        """The authority's certificate as a PEM file; returns its path."""
        file = folder / f"{self.name.replace(' ', '-')}.pem"
        file.write_bytes(self.certificate.public_bytes(PEM))
        return str(file)


def _alternatives(names: list[str]) -> x509.SubjectAlternativeName:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return x509.SubjectAlternativeName(found)


def server_context(
    folder: Path,
    issued: tuple[x509.Certificate, Key],
    *between: Authority,
    alpn: tuple[str, ...] = ("http/1.1",),
    ciphers: str = "DEFAULT",
) -> ssl.SSLContext:
    """A server that sends this certificate, and those of the authorities between."""
    certificate, key = issued
    file = folder / f"server-{certificate.serial_number:x}.pem"
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = [certificate, *(each.certificate for each in between)]
    file.write_bytes(private + b"".join(each.public_bytes(PEM) for each in chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(ciphers)
    context.load_cert_chain(file)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context
