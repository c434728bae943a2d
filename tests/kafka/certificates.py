"""A certificate authority of our own, a server's and a client's certificate: the PEM files Kafka and clients read."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

CLIENT = "test client"
"""The common name of the client's certificate."""


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files.

    Attributes:
        ca: the authority's certificate, what a client trusts.
        server: private key and certificate of 127.0.0.1 and localhost in one file, what a broker's keystore wants.
        client_certificate, client_key: for mutual TLS.
        stranger: the certificate of an authority that signed nothing here.
    """

    ca: Path
    server: Path
    client_certificate: Path
    client_key: Path
    stranger: Path


def make_certificates(folder: Path) -> Certificates:
    """Write a fresh set into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = _Authority("test authority")
    server_key, server = authority.issue("localhost", server=True)
    client_key, client = authority.issue(CLIENT, server=False)
    files = {
        "ca.pem": authority.pem,
        "server.pem": server_key + server,
        "client.pem": client,
        "client.key": client_key,
        "stranger.pem": _Authority("a stranger").pem,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return Certificates(*(folder / name for name in files))


class _Authority:
    def __init__(self, name: str) -> None:
        self._key = _key()
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        self._certificate = (
            _builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str, *, server: bool) -> tuple[bytes, bytes]:
        """A private key (PKCS 8, not encrypted) and its certificate, both PEM."""
        key = _key()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            _builder(subject, self._name, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if server:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return (
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            certificate.public_bytes(serialization.Encoding.PEM),
        )


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _builder(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
    )
