"""Who posts: what official clients sign is taken, and anything that is altered is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from plivo.utils import validate_signature
from plivo.utils.signature_v3 import construct_get_url, construct_post_url, get_signature_v3
from twilio.request_validator import RequestValidator
from vonage_http_client.auth import Auth

from connector.receipts.callback import Callback, NeedsCertificate, Refused, Verified
from connector.receipts.receipt_reader import ReceiptReader
from connector.receipts.sns import CertificateError
from tests.receipts.build import KEYS, NOW, URL, post, proved, reader, token

SECRET = "hunter2-of-acme"
MEANS = "state: status\nstates: {delivered: delivered}\n"
FORM = {"status": "delivered", "To": "+14155550100", "a": "", "ü": "ñ & =", "B": "2"}


def _accepted(read: ReceiptReader, callback: Callback) -> bool:
    return isinstance(read.verify(callback), Verified)


def _altered(callback: Callback) -> list[Callback]:
    """The same with something else in it."""
    return [
        replace(callback, body=callback.body.replace(b"delivered", b"failed")),
        replace(callback, body=callback.body + b"&x=1"),
        replace(callback, path=f"/m/acme/{token(now=NOW - 86400)}"),
        replace(callback, query=callback.query + "&x=1"),
    ]


# ---- Twilio ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", ["", ":443"])
@pytest.mark.parametrize("query", ["", "a=1&b=%20x"])
def test_twilio_as_its_client_signs(tmp_path: Path, port: str, query: str) -> None:
    read = reader(tmp_path, f"verify: {{twilio: {{secret: '${{SECRET}}'}}}}\ndecode: form\n{MEANS}")
    path = f"/m/acme/{token()}"
    url = URL + port + path + (f"?{query}" if query else "")
    signature = RequestValidator(SECRET).compute_signature(url, FORM)
    callback = post(path, FORM, query=query, X_Twilio_Signature=signature)
    assert _accepted(read, callback)
    assert not any(_accepted(read, other) for other in _altered(callback))
    assert not _accepted(read, replace(callback, headers={**callback.headers, "x-twilio-signature": "x"}))


def test_twilio_signs_json_by_its_hash(tmp_path: Path) -> None:
    read = reader(tmp_path, f"verify: {{twilio: {{secret: '${{SECRET}}'}}}}\ndecode: json\n{MEANS}")
    body = b'{"status":"delivered"}'
    query = f"bodySHA256={hashlib.sha256(body).hexdigest()}"
    path = f"/m/acme/{token()}"
    signature = RequestValidator(SECRET).compute_signature(f"{URL}{path}?{query}", {})
    callback = post(path, body, query=query, X_Twilio_Signature=signature)
    assert _accepted(read, callback)
    assert not _accepted(read, replace(callback, body=body + b" "))
    unsigned = RequestValidator(SECRET).compute_signature(URL + path, {})
    assert not _accepted(read, post(path, body, X_Twilio_Signature=unsigned)), "no signature covers this body"


# ---- Plivo ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "z=1&a=2"])
@pytest.mark.parametrize("form", [FORM, {}])
def test_plivo_v3_as_its_client_signs_a_post(tmp_path: Path, query: str, form: dict[str, str]) -> None:
    read = reader(tmp_path, f"verify: {{plivo: {{secret: '${{SECRET}}'}}}}\ndecode: form\n{MEANS}")
    path = f"/m/acme/{token()}"
    url = URL + path + (f"?{query}" if query else "")
    base = construct_post_url(url, dict(form)).decode()
    signature = get_signature_v3(SECRET.encode(), base, "n-1").decode()
    callback = post(
        path, form, query=query, X_Plivo_Signature_V3=f"other,{signature}", X_Plivo_Signature_V3_Nonce="n-1"
    )
    assert _accepted(read, callback)
    assert not any(_accepted(read, other) for other in _altered(callback) if other != callback)
    assert not _accepted(read, replace(callback, headers={**callback.headers, "x-plivo-signature-v3-nonce": "n-2"}))


def test_plivo_v3_as_its_client_signs_a_get(tmp_path: Path) -> None:
    read = reader(tmp_path, f"verify: {{plivo: {{secret: '${{SECRET}}'}}}}\ndecode: query\n{MEANS}")
    path, query = f"/m/acme/{token()}", urlencode({"status": "delivered", "Units": "1"})
    base = construct_get_url(f"{URL}{path}?{query}", {}).decode()
    signature = get_signature_v3(SECRET.encode(), base, "n-1").decode()
    headers = {"X_Plivo_Signature_V3": signature, "X_Plivo_Signature_V3_Nonce": "n-1"}
    callback = post(path, query=query, method="GET", **headers)
    assert _accepted(read, callback)
    assert not _accepted(read, replace(callback, query=query + "&x=1"))


def test_plivo_v2_is_taken_where_there_is_no_v3(tmp_path: Path) -> None:
    read = reader(tmp_path, f"verify: {{plivo: {{secret: '${{SECRET}}'}}}}\ndecode: form\n{MEANS}")
    path = f"/m/acme/{token()}"
    digest = hmac.new(SECRET.encode(), (URL + path + "n-1").encode(), "sha256").digest()
    signature = base64.b64encode(digest).decode()
    assert validate_signature(URL + path, "n-1", signature, SECRET)
    callback = post(path, FORM, X_Plivo_Signature_V2=signature, X_Plivo_Signature_V2_Nonce="n-1")
    assert _accepted(read, callback)
    assert not _accepted(read, replace(callback, headers={**callback.headers, "x-plivo-signature-v3": "wrong"}))


# ---- Vonage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256", "sha512"])
def test_vonage_as_its_client_signs(tmp_path: Path, method: str) -> None:
    verify = f"verify: {{vonage: {{secret: '${{SECRET}}', algorithm: {method}}}}}\n"
    read = reader(tmp_path, f"{verify}decode: form\n{MEANS}")
    fields = {"status": "delivered", "text": "a&b=c", "timestamp": str(int(NOW))}
    auth = Auth(api_key="k", signature_secret=SECRET, signature_method=method)
    fields["sig"] = auth.sign_params(dict(fields))
    path = f"/m/acme/{token()}"
    assert _accepted(read, post(path, fields))
    assert _accepted(read, post(path, json.dumps(fields).encode()))
    assert _accepted(read, post(path, query=urlencode(fields), method="GET"))
    assert not _accepted(read, post(path, {**fields, "status": "failed"}))
    assert not _accepted(read, post(path, fields, now=NOW + 301)), "it was signed too long ago"


# ---- general --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["hex", "base64", "base64url"])
@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_hmac_over_parts_of_the_request(tmp_path: Path, encoding: str, algorithm: str) -> None:
    verify = (
        f"verify: {{hmac: {{secret: '${{SECRET}}', algorithm: {algorithm}, header: X-Sig, encoding: {encoding}, "
        "over: '{timestamp}.{nonce}.{body}', timestamp: X-Time, nonce: X-Nonce, prefix: 'v1='}}\n"
    )
    read = reader(tmp_path, f"{verify}{MEANS}")
    body, moment = b'{"status":"delivered"}', str(int(NOW))
    digest = hmac.new(SECRET.encode(), f"{moment}.n.".encode() + body, algorithm).digest()
    text = {
        "hex": digest.hex(),
        "base64": base64.b64encode(digest).decode(),
        "base64url": base64.urlsafe_b64encode(digest).decode(),
    }[encoding]
    callback = post(f"/m/acme/{token()}", body, X_Sig=f"v1={text}", X_Time=moment, X_Nonce="n")
    assert _accepted(read, callback)
    assert not _accepted(read, replace(callback, body=body + b" "))
    assert not _accepted(read, replace(callback, now=NOW + 301))
    assert not _accepted(read, replace(callback, headers={**callback.headers, "x-sig": text}))


def _jwt(claims: dict[str, object], alg: str = "HS256") -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signed = f"{part({'alg': alg})}.{part(claims)}"
    digest = hmac.new(SECRET.encode(), signed.encode(), "sha256").digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    ("claims", "alg", "right"),
    [
        ({"iat": NOW}, "HS256", True),
        ({"exp": NOW - 301}, "HS256", False),
        ({"nbf": NOW + 301}, "HS256", False),
        ({"payload_hash": "0" * 64}, "HS256", False),
        ({}, "none", False),
        ({}, "RS256", False),
    ],
)
def test_a_jwt_is_of_hs256_of_now_and_of_this_body(
    tmp_path: Path, claims: dict[str, object], alg: str, right: bool
) -> None:
    read = reader(tmp_path, f"verify: {{jwt: {{secret: '${{SECRET}}', payload: payload_hash}}}}\n{MEANS}")
    body = b'{"status":"delivered"}'
    claims = {"payload_hash": hashlib.sha256(body).hexdigest(), **claims}
    callback = post(f"/m/acme/{token()}", body, Authorization=f"Bearer {_jwt(claims, alg)}")
    assert _accepted(read, callback) is right
    assert not _accepted(read, replace(callback, body=body + b" "))


def test_ed25519_over_time_and_body(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()
    verify = f"verify: {{ed25519: {{key: '{public}', header: X-Sig, timestamp: X-Time}}}}\n"
    read = reader(tmp_path, f"{verify}{MEANS}")
    body, moment = b'{"status":"delivered"}', str(int(NOW))
    signature = base64.b64encode(key.sign(moment.encode() + body)).decode()
    callback = post(f"/m/acme/{token()}", body, X_Sig=signature, X_Time=moment)
    assert _accepted(read, callback)
    assert not _accepted(read, replace(callback, body=body + b" "))
    assert not _accepted(read, replace(callback, now=NOW + 301))


@pytest.mark.parametrize(
    ("verify", "right", "wrong"),
    [
        ("{secret: {query: key, is: '${SECRET}'}}", {"query": f"key={SECRET}"}, {"query": f"key={SECRET}&key=x"}),
        ("{secret: {header: X-Key, is: '${SECRET}'}}", {"X_Key": SECRET}, {"X_Key": SECRET + "x"}),
        (
            "{basic: {username: u, password: '${SECRET}'}}",
            {"Authorization": "Basic " + base64.b64encode(f"u:{SECRET}".encode()).decode()},
            {"Authorization": "Basic dTp4"},
        ),
        (
            "[{secret: {header: X-Old, is: old}}, {secret: {header: X-Key, is: new}}]",
            {"X_Key": "new"},
            {"X_Key": "old"},
        ),
    ],
)
def test_secrets_and_lists_of_ways(tmp_path: Path, verify: str, right: dict[str, str], wrong: dict[str, str]) -> None:
    read = reader(tmp_path, f"verify: {verify}\n{MEANS}")
    path = f"/m/acme/{token()}"
    assert _accepted(read, post(path, b"{}", **right))
    assert not _accepted(read, post(path, b"{}", **wrong))
    assert not _accepted(read, post(path, b"{}"))


def test_the_secret_of_a_url_or_a_token_proves_it(tmp_path: Path) -> None:
    read = reader(tmp_path, f"verify: url\n{MEANS}")
    secret = KEYS.url_secrets.of("acme")
    assert read.url() == f"{URL}/r/acme/{secret}"
    assert read.verify(post(f"/r/acme/{secret}", b"{}")) == Verified("url", None)
    assert _accepted(read, post(f"/m/acme/{token()}", b"{}"))
    for path in (
        "/r/acme",
        "/r/acme/wrong",
        "/m/acme/wrong",
        f"/m/acme/{token('other')}",
        f"/r/other/{secret}",
        "/",
        "",
    ):
        refused = read.verify(post(path, b"{}"))
        assert isinstance(refused, Refused)
        assert secret not in refused.reason


# ---- SNS ------------------------------------------------------------------------------------------------------------

TOPIC = "arn:aws:sns:eu-west-1:123456789012:receipts"
PEM_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem"
KEY = rsa.generate_private_key(65537, 2048)
MOMENT = datetime.fromtimestamp(NOW, UTC)


def _certificate(start: int = -1, end: int = 1, key: rsa.RSAPrivateKey = KEY, issuer: rsa.RSAPrivateKey = KEY) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(MOMENT + timedelta(days=start))
        .not_valid_after(MOMENT + timedelta(days=end))
        .sign(issuer, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def _envelope(version: str = "2", **changed: str) -> bytes:
    said = {
        "Type": "Notification",
        "MessageId": "1",
        "TopicArn": TOPIC,
        "Message": json.dumps({"status": "delivered"}),
        "Timestamp": "2026-11-26T10:00:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": PEM_URL,
        **changed,
    }
    order = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{said[name]}\n" for name in order if name in said)
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
    said["Signature"] = base64.b64encode(KEY.sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()
    return json.dumps(said).encode()


SNS = f"verify: {{sns: {{topics: ['{TOPIC}']}}}}\ndecode: [json, {{json: Message}}]\n{MEANS}"


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [{}, {"Subject": "hello"}])
def test_sns_asks_for_the_certificate_and_then_believes_it(
    tmp_path: Path, version: str, subject: dict[str, str]
) -> None:
    read = reader(tmp_path, SNS)
    callback = post(f"/m/acme/{token()}", _envelope(version, **subject))
    assert read.verify(callback) == NeedsCertificate(PEM_URL)
    read.certificates.add(PEM_URL, _certificate(), NOW)
    reading = proved(read, callback)
    assert len(reading.entries) == 1
    assert not _accepted(read, replace(callback, body=callback.body.replace(b"delivered", b"failed")))
    assert read.verify(replace(callback, now=NOW + 2 * 86400)) == NeedsCertificate(PEM_URL), "it has run out"


@pytest.mark.parametrize(
    "changed",
    [
        {"TopicArn": TOPIC + "x"},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-1.pem"},
        {"SigningCertURL": "https://evil.example/SimpleNotificationService-1.pem"},
        {"SigningCertURL": "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-1.pem"},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-1.pem"},
        {"Type": "Other"},
    ],
)
def test_sns_of_another_topic_or_place_is_refused_before_anything_is_fetched(
    tmp_path: Path, changed: dict[str, str]
) -> None:
    assert isinstance(reader(tmp_path, SNS).verify(post(f"/m/acme/{token()}", _envelope(**changed))), Refused)


def test_certificates_that_prove_nothing(tmp_path: Path) -> None:
    certificates = reader(tmp_path, SNS).certificates
    other = rsa.generate_private_key(65537, 2048)
    stranger = _certificate(key=other, issuer=other)
    for pem in (b"", b"x", _certificate(end=-1, start=-2), _certificate(start=1, end=2), _certificate() + stranger):
        with pytest.raises(CertificateError):
            certificates.add(PEM_URL, pem, NOW)
    with pytest.raises(CertificateError):
        certificates.add("https://evil.example/a.pem", _certificate(), NOW)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=1", True),
        ("https://evil.example/?Action=ConfirmSubscription", False),
        ("http://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription", False),
    ],
)
def test_a_subscription_is_confirmed_for_a_named_topic_at_the_service_alone(
    tmp_path: Path, url: str, asked: bool
) -> None:
    read = reader(tmp_path, SNS)
    read.certificates.add(PEM_URL, _certificate(), NOW)
    body = _envelope(Type="SubscriptionConfirmation", SubscribeURL=url, Token="t")
    reading = proved(read, post(f"/r/acme/{KEYS.url_secrets.of('acme')}", body))
    assert reading.handshake == (url if asked else None)
    assert (reading.entries, reading.unmatched) == ([], [])
