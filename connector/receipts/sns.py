"""Amazon SNS: envelopes signed with RSA, certificates from the service itself, subscriptions that want an answer."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from connector.receipts.callback import NeedsCertificate
from connector.receipts.signatures import MismatchError, require, same

if TYPE_CHECKING:
    # An extra, which only who has callbacks needs, and of those only SNS and Ed25519: imported where it is used.
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

CERTIFICATES: Final = 20  # kept at once
CHAIN: Final = 5
CERTIFICATE_BYTES: Final = 64 * 1024
URL_LENGTH: Final = 2_000
_HOST: Final = r"sns\.[a-z]{2}(?:-[a-z]+)+-[0-9]+\.amazonaws\.com(?:\.cn)?"
_certificate_url = re.compile(rf"https://{_HOST}/SimpleNotificationService-[A-Za-z0-9]{{1,100}}\.pem").fullmatch
_service_url = re.compile(rf"https://{_HOST}/\?[\x21-\x7e]{{1,{URL_LENGTH}}}").fullmatch

_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SUBSCRIPTION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Final = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _SUBSCRIPTION,
    "UnsubscribeConfirmation": _SUBSCRIPTION,
}


class CertificateError(ValueError):
    """A certificate that proves nothing: it cannot be read, is of another time, or its chain does not hold."""


class Certificates:
    """Signing certificates by the URL they came from.

    Only `add` puts one in: the caller fetched it over HTTPS, which is what makes it the service's.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, x509.Certificate] = OrderedDict()

    def add(self, url: str, pem: bytes, now: float) -> None:
        """Raises CertificateError."""
        from cryptography import x509
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import rsa

        if len(pem) > CERTIFICATE_BYTES or not _certificate_url(url):
            raise CertificateError("the certificate is too large, or from elsewhere")
        try:
            chain = x509.load_pem_x509_certificates(pem)
        except ValueError:
            raise CertificateError("the certificate cannot be read") from None
        if not 0 < len(chain) <= CHAIN:
            raise CertificateError("the certificate's chain is too long")
        for certificate in chain:
            _of_now(certificate, now)
        for certificate, issuer in itertools.pairwise(chain):
            try:
                certificate.verify_directly_issued_by(issuer)
            except (ValueError, TypeError, InvalidSignature):
                raise CertificateError("the certificate's chain does not hold") from None
        if not isinstance(chain[0].public_key(), rsa.RSAPublicKey):
            raise CertificateError("the certificate's key is not RSA")
        self._known[url] = chain[0]
        while len(self._known) > CERTIFICATES:
            self._known.popitem(last=False)

    def key(self, url: str, now: float) -> rsa.RSAPublicKey | None:
        """The key of a certificate that is known and of now; None where it has to be fetched."""
        from cryptography.hazmat.primitives.asymmetric import rsa

        certificate = self._known.get(url)
        if certificate is None:
            return None
        try:
            _of_now(certificate, now)
        except CertificateError:
            del self._known[url]
            return None
        key = certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        return key


def _of_now(certificate: x509.Certificate, now: float) -> None:
    moment = datetime.fromtimestamp(now, UTC)
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        raise CertificateError("the certificate has run out, or is not valid yet")


def envelope(body: bytes) -> dict[str, Any]:
    """The envelope. Raises MismatchError where it is none: raw delivery has no signature."""
    try:
        read = orjson.loads(body)
    except ValueError:
        raise MismatchError("it is no envelope of SNS; raw delivery has no signature") from None
    if not isinstance(read, dict) or read.get("Type") not in _SIGNED:
        raise MismatchError("it is no envelope of SNS; raw delivery has no signature")
    return read


def check(
    body: bytes, topics: Sequence[str], certificates: Certificates, now: float
) -> Mapping[str, Any] | NeedsCertificate:
    """The envelope, whose signature is right and whose topic is ours. Raises MismatchError."""
    read = envelope(body)
    require(any(same(topic, str(read.get("TopicArn"))) for topic in topics), "the topic is none of ours")
    url = read.get("SigningCertURL")
    if not isinstance(url, str) or not _certificate_url(url):
        raise MismatchError("the certificate would come from elsewhere")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    key = certificates.key(url, now)
    if key is None:
        return NeedsCertificate(url)
    pieces = []
    for name in _SIGNED[read["Type"]]:
        value = read.get(name)
        if value is None and name == "Subject":
            continue
        if not isinstance(value, str):
            raise MismatchError(f"the envelope has no {name}")
        pieces.append(f"{name}\n{value}\n")
    version = read.get("SignatureVersion")
    if version not in ("1", "2"):
        raise MismatchError("the version of the signature is not known")
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 SNS's version 1 is made with it
    try:
        signature = base64.b64decode(str(read.get("Signature")), validate=True)
        key.verify(signature, "".join(pieces).encode("utf-8", "surrogatepass"), padding.PKCS1v15(), algorithm)
    except (InvalidSignature, binascii.Error, ValueError):
        raise MismatchError("the signature is wrong") from None
    return read


def handshake(read: Mapping[str, Any]) -> str | None:
    """The URL that confirms a subscription; None where the envelope is none, or it leads elsewhere."""
    url = read.get("SubscribeURL")
    if read.get("Type") != "SubscriptionConfirmation" or not isinstance(url, str):
        return None
    return url if len(url) <= URL_LENGTH and _service_url(url) else None
