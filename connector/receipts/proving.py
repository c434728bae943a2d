"""The other side of verification: a callback as the provider would sign it, to try out a receiver with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from connector.definition.receipt_tree import Verification
from connector.receipts.callback import Callback
from connector.receipts.signatures import (
    SignedCallback,
    hmac_digest,
    hmac_written,
    plivo_signature,
    twilio_signature,
    vonage_signature,
)

Options = Mapping[str, Any]


class UnprovableError(Exception):
    """It cannot be signed here, and what to do instead."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")


def proved(callback: Callback, way: Verification, public_url: str, nonce: str, key: str | None = None) -> Callback:
    """The callback with what `way` asks for: headers, and where they are signed fields as well.

    Args:
        callback: what is to be signed.
        way: how, by the definition.
        public_url: scheme, host and port of the receiver, as the provider calls it.
        nonce: of signatures that have one.
        key: the private key of an Ed25519 signature, PEM.

    Raises:
        UnprovableError: only the provider itself can sign in this way.
    """
    if way.kind in ("none", "url"):
        return callback
    if way.kind == "sns":
        raise UnprovableError(
            "only Amazon SNS can sign its notifications", "publish to the topic, or let the simulator"
        )
    if way.kind == "ed25519":
        return _ed25519(callback, way.options, key)
    return PROOFS[way.kind](callback, way.options, public_url, nonce)


def _with(callback: Callback, **headers: str) -> Callback:
    return _headed(callback, {name.replace("_", "-"): value for name, value in headers.items()})


def _headed(callback: Callback, headers: Mapping[str, str]) -> Callback:
    return replace(callback, headers={**callback.headers, **{name.lower(): it for name, it in headers.items()}})


def _query(callback: Callback, fields: Mapping[str, str]) -> Callback:
    return replace(callback, query="&".join(filter(None, (callback.query, urlencode(fields)))))


def _secret(callback: Callback, options: Options, public_url: str, nonce: str) -> Callback:
    if "header" in options:
        return _headed(callback, {options["header"]: options["is"]})
    return _query(callback, {options["query"]: options["is"]})


def _basic(callback: Callback, options: Options, public_url: str, nonce: str) -> Callback:
    pair = base64.b64encode(f"{options['username']}:{options['password']}".encode()).decode()
    return _with(callback, authorization=f"Basic {pair}")


def _hmac(callback: Callback, options: Options, public_url: str, nonce: str) -> Callback:
    marks = {"timestamp": str(int(callback.now)), "nonce": nonce}
    callback = _headed(callback, {options[mark]: value for mark, value in marks.items() if mark in options})
    digest = hmac_digest(SignedCallback(callback, public_url), options)
    return _headed(callback, {options["header"]: options.get("prefix", "") + hmac_written(digest, options)})


def _jwt(callback: Callback, options: Options, public_url: str, nonce: str) -> Callback:
    claims: dict[str, Any] = {"iat": int(callback.now), "jti": nonce}
    if "payload" in options:
        claims[options["payload"]] = hashlib.sha256(callback.body).hexdigest()
    if "url" in options:
        claims[options["url"]] = SignedCallback(callback, public_url).url
    head, middle = (_part(json.dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, claims))
    signature = _part(hmac.new(options["secret"].encode(), f"{head}.{middle}".encode(), "sha256").digest())
    return _headed(callback, {options.get("header", "Authorization"): f"Bearer {head}.{middle}.{signature}"})


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _ed25519(callback: Callback, options: Options, key: str | None) -> Callback:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if key is None:
        raise UnprovableError("an Ed25519 signature needs the private key", "name its file with --private-key")
    try:
        loaded = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        loaded = None
    if not isinstance(loaded, Ed25519PrivateKey):
        raise UnprovableError("the private key is no Ed25519 key", "write it as PEM, without a password")
    text = callback.body
    if "timestamp" in options:
        moment = str(int(callback.now))
        callback = _headed(callback, {options["timestamp"]: moment})
        text = moment.encode() + text
    return _headed(callback, {options["header"]: base64.b64encode(loaded.sign(text)).decode()})


def _twilio(callback: Callback, options: Options, public_url: str, nonce: str) -> Callback:
    signed = SignedCallback(callback, public_url)
    if not signed.is_form:
        callback = _query(callback, {"bodySHA256": hashlib.sha256(callback.body).hexdigest()})
        signed = SignedCallback(callback, public_url)
    return _with(callback, x_twilio_signature=twilio_signature(signed.url, signed.form, options["secret"]))


def _plivo(callback: Callback, options: Options, public_url: str, nonce: str) -> Callback:
    signature = plivo_signature(SignedCallback(callback, public_url), nonce, options["secret"])
    return _with(callback, x_plivo_signature_v3=signature, x_plivo_signature_v3_nonce=nonce)


def _vonage(callback: Callback, options: Options, public_url: str, nonce: str) -> Callback:
    """Into the parameters, wherever they stand."""
    own = {"timestamp": str(int(callback.now)), "nonce": nonce}
    query = dict(parse_qsl(callback.query, keep_blank_values=True))
    if not callback.body:
        return _query(callback, {**own, "sig": vonage_signature({**query, **own}, options)})
    if SignedCallback(callback, public_url).is_form:
        form = dict(parse_qsl(callback.body.decode("utf-8", "replace"), keep_blank_values=True)) | own
        form["sig"] = vonage_signature({**query, **form}, options)
        return replace(callback, body=urlencode(form).encode())
    document = {**json.loads(callback.body), **own}
    fields = {name: value if isinstance(value, str) else json.dumps(value) for name, value in document.items()}
    document["sig"] = vonage_signature({**query, **fields}, options)
    return replace(callback, body=json.dumps(document).encode())


PROOFS: Final[Mapping[str, Callable[[Callback, Options, str, str], Callback]]] = {
    "secret": _secret,
    "basic": _basic,
    "hmac": _hmac,
    "jwt": _jwt,
    "twilio": _twilio,
    "plivo": _plivo,
    "vonage": _vonage,
}
