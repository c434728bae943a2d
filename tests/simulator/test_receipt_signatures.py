"""Signatures of callbacks, checked by the providers' own clients, else by vectors of their documents."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qsl

import jwt
import orjson
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from plivo.utils import validate_signature, validate_v3_signature
from twilio.request_validator import RequestValidator
from vonage_http_client.auth import Auth
from vonage_jwt import verify_signature

from connector.tools.simulator.callbacks.aws_callbacks import SnsCallbacks, SnsReceipts
from connector.tools.simulator.callbacks.plivo_callbacks import PlivoCallbacks, PlivoReceipts
from connector.tools.simulator.callbacks.twilio_callbacks import TwilioCallbacks
from connector.tools.simulator.callbacks.vonage_callbacks import VonageCallbacks, VonageReceipts
from connector.tools.simulator.receipts import callback_signing as signing
from connector.tools.simulator.receipts.fate import NetworkState, News, NewsKind, SentMessage
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs
from connector.tools.simulator.receipts.reporter import CallbackAttempt, Reporter, WrittenCallback

NOW = 1_764_400_000.0
SECRET = "hunter2-secret-of-more-than-32-bytes"
URLS = [
    "https://sms.example.com/m/x/token",
    "https://sms.example.com:8443/m/x/to%20ken?b=2&a=1&a=0&e=&u=%2B",
]


def written(reporter: Reporter, url: str, knobs: ReceiptKnobs, secret: str = SECRET, **sent: Any) -> WrittenCallback:
    message = SentMessage("+15550012345", "id-1", NOW, sender="+15550000001", **sent)
    news = News(message, NewsKind.RECEIPT, NetworkState.DELIVERED, NOW + 1, 3)
    return reporter.write(CallbackAttempt((news,), url, knobs, NOW, "nonce-1", secret, secret != SECRET))


def fields(callback: WrittenCallback) -> dict[str, str]:
    return dict(parse_qsl(callback.body.decode(), keep_blank_values=True))


@pytest.mark.parametrize("url", [*URLS, f"{URLS[0]}#rc=5&rp=all"])
def test_twilios_client_accepts_the_signature_and_no_altered_form(url: str) -> None:
    callback = written(TwilioCallbacks("demo", SECRET), url, ReceiptKnobs())
    validator, signature = RequestValidator(SECRET), callback.headers["X-Twilio-Signature"]
    assert "#" not in callback.url
    assert validator.validate(callback.url, fields(callback), signature)
    assert not validator.validate(callback.url, {**fields(callback), "MessageStatus": "failed"}, signature)
    forged = written(TwilioCallbacks("demo", SECRET), url, ReceiptKnobs(), "wrong")
    assert not validator.validate(forged.url, fields(forged), forged.headers["X-Twilio-Signature"])


def test_twilios_documented_example() -> None:
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    assert (
        signing.twilio("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    )


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_plivos_client_accepts_both_versions_and_no_altered_form(url: str, method: str) -> None:
    callback = written(PlivoCallbacks("demo", SECRET), url, PlivoReceipts(signature="both"), method=method)
    headers, form = callback.headers, fields(callback)

    def right(form: dict[str, str], secret: str = SECRET) -> bool:
        nonce, signature = headers["X-Plivo-Signature-V3-Nonce"], headers["X-Plivo-Signature-V3"]
        return bool(validate_v3_signature(method, callback.url, nonce, secret, signature, form))

    assert callback.method == method
    assert right(dict(form))
    assert not right(dict(form), "wrong")
    if method == "POST":
        assert not right({**form, "Status": "failed"})
    nonce, signature = headers["X-Plivo-Signature-V2-Nonce"], headers["X-Plivo-Signature-V2"]
    assert validate_signature(callback.url, nonce, signature, SECRET)
    assert not validate_signature(callback.url, nonce, signature, "wrong")


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256", "sha512"])
def test_vonages_client_accepts_sig_and_no_altered_field(method: Any) -> None:
    knobs = VonageReceipts(signature=method)
    callback = written(VonageCallbacks("demo", SECRET), URLS[0], knobs, ref="a&b=c")
    auth = Auth(api_key="demo", api_secret="x", signature_secret=SECRET, signature_method=method)
    assert auth.check_signature(fields(callback))
    assert not auth.check_signature({**fields(callback), "status": "failed"})


def test_vonages_plain_hash_is_that_of_text_and_secret() -> None:
    text = "&a=1_2&b=3_4"
    assert signing.vonage("s", "md5hash", {"b": "3=4", "a": "1&2"}) == hashlib.md5(f"{text}s".encode()).hexdigest()


@pytest.mark.parametrize("method", ["GET", "POST", "JSON"])
def test_vonages_jwt_covers_the_body(method: Any) -> None:
    knobs = VonageReceipts(signature="jwt", method=method)
    callback = written(VonageCallbacks("demo", SECRET), URLS[0], knobs)
    token = callback.headers["Authorization"].removeprefix("Bearer ")
    assert verify_signature(token, SECRET)
    claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    assert claims["payload_hash"] == hashlib.sha256(callback.body).hexdigest()
    assert claims["api_key"] == "demo"
    assert not verify_signature(token, SECRET[::-1])


@pytest.mark.parametrize(("version", "digest"), [("1", hashes.SHA1()), ("2", hashes.SHA256())])
def test_sns_signs_with_the_key_of_the_certificate_it_names(version: Any, digest: hashes.HashAlgorithm) -> None:
    reporter, knobs = SnsCallbacks("demo", SECRET), SnsReceipts(signature=version)
    key = x509.load_pem_x509_certificate(reporter.certificate).public_key()
    confirmation = reporter.probe(URLS[0], knobs, NOW)
    assert confirmation is not None
    notification = written(reporter, URLS[0], knobs)
    for callback in (confirmation, notification):
        message = orjson.loads(callback.body)
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
        signature = base64.b64decode(message["Signature"])
        key.verify(signature, text.encode(), PKCS1v15(), digest)
        with pytest.raises(InvalidSignature):
            key.verify(signature, text.encode() + b" ", PKCS1v15(), digest)
        assert message["SigningCertURL"].startswith("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-")
        assert callback.headers["x-amz-sns-message-type"] == message["Type"]
    forged = orjson.loads(written(reporter, URLS[0], knobs, "wrong").body)
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(forged["Signature"]), signing.sns_text(forged), PKCS1v15(), digest)


def test_a_repeated_notification_keeps_its_message_id() -> None:
    reporter = SnsCallbacks("demo", SECRET)
    ids = {orjson.loads(written(reporter, URLS[0], SnsReceipts()).body)["MessageId"] for _ in range(2)}
    assert len(ids) == 1
