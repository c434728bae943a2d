"""What the command signs is taken by the receiver, in every way there is, and bound to its content as theirs is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.definition.receipt_verify import VERIFY
from connector.receipts.callback import Callback, Verified
from connector.receipts.proving import UnprovableError, proved
from tests.receipts.build import NOW, URL, definition, post, reader, token

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC = PRIVATE.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()
SECRET = "secret: '${SECRET}'"
WAYS = {
    "secret in the query": "secret: {query: key, is: '${SECRET}'}",
    "secret in a header": "secret: {header: X-Key, is: '${SECRET}'}",
    "basic": "basic: {username: us, password: '${SECRET}'}",
    "hmac": f"hmac: {{{SECRET}, header: X-Signature}}",
    "hmac over much": f"hmac: {{{SECRET}, header: X-Sig, prefix: 'v1=', encoding: base64, algorithm: sha512,"
    " timestamp: X-Time, nonce: X-Nonce, over: '{method} {url} {path} {query}.{timestamp}.{nonce}.{body}'}",
    "hmac over pairs": f"hmac: {{{SECRET}, header: X-Sig, encoding: base64url, algorithm: sha1,"
    " over: '{url}{pairs}'}",
    "jwt": f"jwt: {{{SECRET}, payload: payload_hash, url: url}}",
    "jwt in a header": f"jwt: {{{SECRET}, header: X-Token, payload: sum}}",
    "ed25519": f"ed25519: {{key: {PUBLIC}, header: X-Signature-Ed25519}}",
    "ed25519 with its time": f"ed25519: {{key: {PUBLIC}, header: X-Signature-Ed25519, timestamp: X-Timestamp}}",
    "twilio": f"twilio: {{{SECRET}}}",
    "plivo": f"plivo: {{{SECRET}}}",
    "vonage": f"vonage: {{{SECRET}}}",
    "vonage, md5hash": f"vonage: {{{SECRET}, algorithm: md5hash}}",
}
FORM = {"s": "d", "To": "+1415 555", "empty": "", "ü": "& ="}
SKETCHES = {
    "form": post(f"/m/acme/{token()}", FORM, query="b=2&a=1"),
    "json": post(f"/m/acme/{token()}", b'{"s": "d", "n": 1, "deep": {"a": [1]}}'),
    "query": Callback("GET", f"/m/acme/{token()}", "s=d&To=%2B1415", {}, b"", NOW),
}
BOUND = {
    "hmac",
    "hmac over much",
    "jwt",
    "jwt in a header",
    "ed25519",
    "ed25519 with its time",
    "vonage",
    "vonage, md5hash",
}
"""Ways that cover any body; Twilio, Plivo and pairs cover forms, and secrets nothing."""


def test_every_way_is_tried_here() -> None:
    assert {text.split(":")[0] for text in WAYS.values()} | {"sns"} == set(VERIFY.keys)


@pytest.mark.parametrize("sketch", SKETCHES)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_signed_is_taken_and_another_body_or_another_secret_is_not(
    tmp_path: Path, way: str, sketch: str
) -> None:
    text = f"verify: {{{WAYS[way]}}}\ndecode: auto\nstate: s\nstates: {{delivered: d}}"
    read, receipts = reader(tmp_path, text), definition(tmp_path, text).receipts
    assert receipts is not None
    made = proved(SKETCHES[sketch], receipts.verify[0], URL, "nonce-1", PEM)
    assert isinstance(read.verify(made), Verified), read.verify(made)
    assert not isinstance(read.verify(SKETCHES[sketch]), Verified)
    covered = way in BOUND or (sketch == "form" and not way.startswith(("secret", "basic")))
    if covered and made.body:
        altered = replace(made, body=made.body.replace(b"d", b"f", 1))
        assert not isinstance(read.verify(altered), Verified)


def test_only_the_service_itself_signs_notifications_and_a_private_key_is_asked_for(tmp_path: Path) -> None:
    sns = definition(tmp_path, "verify: {sns: {topics: 'arn:aws:sns:eu-west-1:1:x'}}\nstate: s\nstates: {delivered: d}")
    assert sns.receipts is not None
    with pytest.raises(UnprovableError, match="only Amazon SNS can sign"):
        proved(SKETCHES["json"], sns.receipts.verify[0], URL, "n")
    signed = definition(tmp_path, f"verify: {{{WAYS['ed25519']}}}\nstate: s\nstates: {{delivered: d}}")
    assert signed.receipts is not None
    for key in (None, "none at all"):
        with pytest.raises(UnprovableError, match="private key"):
            proved(SKETCHES["json"], signed.receipts.verify[0], URL, "n", key)
