"""How providers sign what they send, from their documentation and official clients. Pure: time and nonces are given."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

import orjson

VONAGE_METHODS: Final = ("md5hash", "md5", "sha1", "sha256", "sha512")


def twilio(secret: str, url: str, fields: Mapping[str, str]) -> str:
    """X-Twilio-Signature: HMAC-SHA1 over the URL and the sorted form."""
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()


def plivo_v2(secret: str, url: str, nonce: str) -> str:
    """X-Plivo-Signature-V2: the URL without its query, and the nonce."""
    return _plivo(secret, _bare(url) + nonce)


def plivo_v3(secret: str, method: str, url: str, fields: Mapping[str, str], nonce: str) -> str:
    """X-Plivo-Signature-V3: the URL with its query sorted, of a POST the sorted form behind it, and the nonce."""
    query = {name: sorted(values) for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}
    text = "&".join(f"{name}={value}" for name in sorted(query) for value in query[name])
    base = _bare(url)
    posted = "".join(name + fields[name] for name in sorted(fields)) if method == "POST" else ""
    if text or posted:
        base += f"?{text}"
    if text and posted:
        base += "."
    return _plivo(secret, f"{base}{posted}.{nonce}")


def _plivo(secret: str, text: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha256")).decode()


def _bare(url: str) -> str:
    scheme, host, path, _, _ = urlsplit(url)
    return urlunsplit((scheme, host, path, "", ""))


def vonage(secret: str, method: str, fields: Mapping[str, str]) -> str:
    """`sig` of the SMS API: a hash or an HMAC over the sorted fields, in hexadecimal digits."""
    text = "".join(f"&{name}={_plain(fields[name])}" for name in sorted(fields))
    if method == "md5hash":
        return hashlib.md5((text + secret).encode()).hexdigest()  # noqa: S324  what Vonage does
    return hmac.digest(secret.encode(), text.encode(), method).hex()


def _plain(value: str) -> str:
    return value.replace("&", "_").replace("=", "_")


def jwt(secret: str, claims: Mapping[str, Any]) -> str:
    """A JSON Web Token, HS256 (RFC 7519)."""
    head = _base64url(b'{"typ":"JWT","alg":"HS256"}')
    text = f"{head}.{_base64url(orjson.dumps(claims))}"
    return f"{text}.{_base64url(hmac.digest(secret.encode(), text.encode(), 'sha256'))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sns_text(message: Mapping[str, str]) -> bytes:
    """What SNS signs: names and values of these fields, each on a line of its own, in this order."""
    if message["Type"] == "Notification":
        names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    else:
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    return "".join(f"{name}\n{message[name]}\n" for name in names if name in message).encode()
