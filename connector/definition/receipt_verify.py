"""`verify` in `receipts`: what proves that a callback is the provider's."""

from __future__ import annotations

import re
from typing import Any, Final

from connector.config_text.source import List, PlacedValue, Value
from connector.definition.findings import Findings
from connector.definition.receipt_tree import Verification
from connector.definition.shape import Choice, Kinds, ListOf, MapKey, Plain, Record, Schema, Shape, duration

HASHES: Final = ("md5", "sha1", "sha256", "sha384", "sha512")
_text = Plain(r"(?s).+", "write what it must be; an empty one is right for everybody")
_header = Plain(r"[A-Za-z0-9-]{1,100}", "write the name of a header")
_SECRET: Final = MapKey("secret", _text, "The shared secret.", "${SECRET}", required=True)
_WITHIN: Final = MapKey("within", duration(1, 86400, "1s to 24h"), "How old or new the time may be; default 5m.", "5m")
MARKS: Final = ("body", "url", "path", "query", "method", "nonce", "timestamp", "pairs")
_mark = re.compile(r"\{([^{}]*)\}")


class OverShape(Plain):
    """`{timestamp}.{body}`: what a signature is made over."""

    def read(self, source: PlacedValue, report: Findings) -> str | None:
        text = super().read(source, report)
        for name in _mark.findall(text or ""):
            if name not in MARKS:
                remedy = f"known: {', '.join(f'{{{mark}}}' for mark in MARKS)}"
                report.error(source.place, f"`{{{name[:40]}}}` is no part of a request", remedy)
        if text is not None and not {"body", "pairs"} & set(_mark.findall(text)):
            message = "the signature does not cover what the callback says"
            report.error(source.place, message, "write {body} or {pairs} into `over`")
        return text


VERIFY: Final = Kinds(
    MapKey(
        "secret",
        Record(
            MapKey("query", Plain(), "The query parameter that holds it.", "secret"),
            MapKey("header", _header, "Or: the header.", "X-Token"),
            MapKey("is", _text, "What it must be.", "${SECRET}", required=True),
        ),
        "A secret that comes with each callback.",
    ),
    MapKey(
        "basic",
        Record(
            MapKey("username", _text, "User name.", "${DLR_USER}", required=True),
            MapKey("password", _text, "Password.", "${DLR_PASSWORD}", required=True),
        ),
        "HTTP Basic authentication.",
    ),
    MapKey(
        "hmac",
        Record(
            _SECRET,
            MapKey("algorithm", Choice(*HASHES), "The hash; default sha256.", "sha256"),
            MapKey("over", OverShape(), "What is signed; default `{body}`.", "{timestamp}.{body}"),
            MapKey("header", _header, "Where the signature stands.", "X-Signature", required=True),
            MapKey("prefix", Plain(), "What stands before it.", "sha256="),
            MapKey("encoding", Choice("hex", "base64", "base64url"), "How it is written; default hex.", "base64"),
            MapKey("nonce", _header, "The header of `{nonce}`.", "X-Nonce"),
            MapKey("timestamp", _header, "The header of `{timestamp}`, in seconds or milliseconds.", "X-Timestamp"),
            _WITHIN,
        ),
        "HMAC over parts of the request.",
    ),
    MapKey(
        "jwt",
        Record(
            _SECRET,
            MapKey("header", _header, "Where the token stands; default Authorization.", "Authorization"),
            MapKey("payload", Plain(), "The claim with the SHA-256 of the body.", "payload_hash", required=True),
            MapKey("url", Plain(), "The claim with the public URL.", "url"),
        ),
        "A JSON Web Token, HS256.",
    ),
    MapKey(
        "ed25519",
        Record(
            MapKey("key", _text, "The public key: PEM, base64 or hexadecimal.", "${PUBLIC_KEY}", required=True),
            MapKey("header", _header, "Where the signature stands.", "X-Signature-Ed25519", required=True),
            MapKey("timestamp", _header, "The header of the time, which is signed before the body.", "X-Timestamp"),
            _WITHIN,
        ),
        "An Ed25519 signature.",
    ),
    MapKey(
        "sns",
        Record(
            MapKey(
                "topics",
                ListOf(Plain(r"arn:[a-z0-9-]+:sns:.+|\$\{.+", "write arn:aws:sns:…"), or_one=True),
                "ARNs of the topics: subscriptions are confirmed for these alone.",
                ["arn:aws:sns:eu-west-1:123456789012:receipts"],
                required=True,
            ),
        ),
        "Amazon SNS.",
    ),
    MapKey("twilio", Record(_SECRET), "Twilio's signature; the secret is the auth token."),
    MapKey("plivo", Record(_SECRET), "Plivo's, V3 where it is there, else V2; the secret is the auth token."),
    MapKey(
        "vonage",
        Record(
            _SECRET,
            MapKey("algorithm", Choice("md5hash", "md5", "sha1", "sha256", "sha512"), "Default sha256.", "md5hash"),
            _WITHIN,
        ),
        "Vonage's signature over the parameters.",
    ),
    words=("none", "url"),
)


class VerifyShape(Shape):
    """One way or a list of them."""

    def read(self, source: PlacedValue, report: Findings) -> tuple[Verification, ...]:
        found = []
        for item in source.items if isinstance(source, List) else (source,):
            read = VERIFY.read(item, report)
            if read is not None and (read[1] is not None or read[0] in VERIFY.words):
                found.append(Verification(read[0], self._options(read[0], read[1], item, report)))
        if isinstance(source, List) and not source.items:
            report.error(source.place, "an empty list proves nothing", "write one way at least, or leave `verify` out")
        return tuple(found)

    def _options(self, kind: str, read: Any, item: PlacedValue, report: Findings) -> dict[str, Any]:
        options = {key: value for key, value in (read or {}).items() if value is not None}
        if "topics" in options:  # an optional reference that is not set leaves none, of which nothing is proved
            options["topics"] = tuple(topic for topic in options["topics"] if topic is not None)
        if kind == "secret" and ("query" in options) == ("header" in options) and not isinstance(item, Value):
            report.error(item.place, "a secret stands in one place", "write exactly one of `query` and `header`")
        over = options.get("over", "")
        for mark in ("nonce", "timestamp"):
            if kind == "hmac" and f"{{{mark}}}" in over and mark not in options:
                report.error(item.place, f"`over` has {{{mark}}}, and no header is named", f"write `{mark}: X-…`")
        return options

    def schema(self) -> Schema:
        one = VERIFY.schema()
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
