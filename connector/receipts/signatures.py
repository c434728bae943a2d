"""Signatures of callbacks, over the bytes that came and the URL that the provider called."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connector.receipts.callback import Callback
from connector.receipts.form_fields import FIELDS, form_pairs

WITHIN: Final = 300.0  # seconds that a signed time may differ by
SIGNATURES: Final = 10  # in one header
_MILLISECONDS: Final = 1e11


class MismatchError(Exception):
    """It is not proved, and why, without what was posted."""


Pairs = list[tuple[str, str]]


class SignedCallback:
    """A callback as signatures see it.

    Attributes:
        callback: as it came.
        url: as the provider called it: the public one, never what Host says.
    """

    def __init__(self, callback: Callback, public_url: str) -> None:
        self.callback = callback
        self.bare_url = public_url + callback.path
        self.url = f"{self.bare_url}?{callback.query}" if callback.query else self.bare_url

    def header(self, name: str) -> str:
        """A header's value. Raises MismatchError where there is none."""
        value = self.callback.headers.get(name.lower())
        if not value:
            raise MismatchError(f"the header {name} is missing")
        return value

    @property
    def is_form(self) -> bool:
        return "json" not in self.callback.headers.get("content-type", "").lower()

    @property
    def form(self) -> Pairs:
        """Fields of the body; none where it is JSON."""
        return pairs(self.callback.body.decode("utf-8", "replace")) if self.is_form else []

    @property
    def query(self) -> Pairs:
        return pairs(self.callback.query)

    def fresh(self, text: str, within: float) -> None:
        """Raises MismatchError where the time in `text` is not about now."""
        found = re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", text)
        if found is None:
            raise MismatchError("the signed time is no number")
        seconds = float(text)
        seconds = seconds / 1000 if seconds >= _MILLISECONDS else seconds
        if abs(self.callback.now - seconds) > within:
            raise MismatchError("the signed time is too long ago, or ahead")


def pairs(text: str) -> Pairs:
    """Fields of a form or a query, in their order. Raises MismatchError where there are too many."""
    try:
        return form_pairs(text)
    except ValueError:
        raise MismatchError("it has too many fields") from None


def same(expected: str | bytes, given: str | bytes) -> bool:
    """Whether two are equal, in a time that tells nothing."""
    first, second = (each.encode("utf-8", "replace") if isinstance(each, str) else each for each in (expected, given))
    return hmac.compare_digest(first, second)


def require(right: bool, reason: str = "the signature is wrong") -> None:
    """Raises MismatchError where it is not."""
    if not right:
        raise MismatchError(reason)


def _mac(secret: str, text: bytes, algorithm: Any) -> bytes:
    return hmac.digest(secret.encode(), text, algorithm)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


# ---- general --------------------------------------------------------------------------------------------------------


def check_secret(signed: SignedCallback, options: Mapping[str, Any]) -> None:
    if "header" in options:
        require(same(options["is"], signed.header(options["header"])), "the secret is wrong")
        return
    given = [value for name, value in signed.query if name == options["query"]]
    require(len(given) == 1 and same(options["is"], given[0]), "the secret is wrong")


def check_basic(signed: SignedCallback, options: Mapping[str, Any]) -> None:
    scheme, _, given = signed.header("Authorization").partition(" ")
    expected = _base64(f"{options['username']}:{options['password']}".encode())
    require(scheme.lower() == "basic" and same(expected, given.strip()), "user name or password is wrong")


def check_hmac(signed: SignedCallback, options: Mapping[str, Any]) -> None:
    if "timestamp" in options and "{timestamp}" in options.get("over", ""):
        signed.fresh(signed.header(options["timestamp"]), options.get("within", WITHIN))
    digest = hmac_digest(signed, options)
    given = signed.header(options["header"])
    prefix = options.get("prefix", "")
    require(given.startswith(prefix))
    given = given[len(prefix) :]
    if options.get("encoding", "hex") == "hex":
        require(same(digest.hex(), given.lower()))
    else:
        require(same(hmac_written(digest, options).rstrip("="), given.rstrip("=")))


def hmac_written(digest: bytes, options: Mapping[str, Any]) -> str:
    """A digest as the definition says it is written, without its prefix."""
    match options.get("encoding", "hex"):
        case "hex":
            return digest.hex()
        case "base64url":
            return base64.urlsafe_b64encode(digest).decode()
    return _base64(digest)


def hmac_digest(signed: SignedCallback, options: Mapping[str, Any]) -> bytes:
    """What a callback must be signed with. Raises MismatchError where a header that is signed is missing."""
    callback = signed.callback
    parts: dict[str, bytes] = {
        "body": callback.body,
        "url": signed.url.encode(),
        "path": callback.path.encode(),
        "query": callback.query.encode(),
        "method": callback.method.encode(),
    }
    over: str = options.get("over", "{body}")
    if "{pairs}" in over:
        parts["pairs"] = "".join(f"{name}{value}" for name, value in sorted(signed.form)).encode()
    for mark in ("nonce", "timestamp"):
        if mark in options:
            parts[mark] = signed.header(options[mark]).encode()
    pieces = re.split(r"\{(\w+)\}", over)
    text = b"".join(parts[piece] if odd % 2 else piece.encode() for odd, piece in enumerate(pieces))
    return _mac(options["secret"], text, options.get("algorithm", "sha256"))


def covers_query(kind: str, options: Mapping[str, Any]) -> bool:
    """Whether what proves a callback covers its query: as its URL, or as fields; or is the URL, and no signature."""
    if kind == "hmac":
        return "{url}" in options.get("over", "") or "{query}" in options.get("over", "")
    if kind == "jwt":
        return "url" in options
    return kind not in ("ed25519", "sns")


def check_jwt(signed: SignedCallback, options: Mapping[str, Any]) -> None:
    """RFC 7519 with HS256 and nothing else: what the token says about its own algorithm is not followed."""
    given = signed.header(options.get("header", "Authorization"))
    given = given[7:].strip() if given[:7].lower() == "bearer " else given
    head, _, rest = given.partition(".")
    claims_text, _, signature = rest.partition(".")
    digest = _mac(options["secret"], f"{head}.{claims_text}".encode("utf-8", "replace"), "sha256")
    require(same(base64.urlsafe_b64encode(digest).rstrip(b"="), signature))
    kind, claims = _object(head), _object(claims_text)
    require(kind.get("alg") == "HS256", "the token is not of HS256")
    now = signed.callback.now
    for name, sign in (("exp", 1), ("nbf", -1), ("iat", -1)):
        moment = claims.get(name)
        if moment is not None:
            right = isinstance(moment, (int, float)) and sign * (moment - now) >= -WITHIN
            require(right, f"the token's {name} is not about now")
    if "payload" in options:
        digest_of_body = hashlib.sha256(signed.callback.body).hexdigest()
        require(same(digest_of_body, str(claims.get(options["payload"])).lower()), "the token is of another body")
    if "url" in options:
        require(same(signed.url, str(claims.get(options["url"]))), "the token is of another URL")


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        raise MismatchError("the token cannot be read") from None
    require(isinstance(value, dict), "the token cannot be read")
    found: dict[str, Any] = value
    return found


def decoded_key(text: str) -> bytes:
    """A public key of 32 bytes as it is written: hexadecimal or base64. Raises ValueError."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    try:
        raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError("it is neither hexadecimal nor base64") from None
    if len(raw) == 44 and raw.startswith(bytes.fromhex("302a300506032b6570032100")):  # as DER
        raw = raw[12:]
    if len(raw) != 32:
        raise ValueError("it is no Ed25519 key of 32 bytes")
    return raw


def check_ed25519(signed: SignedCallback, options: Mapping[str, Any]) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    pem = "".join(line for line in options["key"].splitlines() if not line.startswith("-----"))
    text = signed.callback.body
    if "timestamp" in options:
        moment = signed.header(options["timestamp"])
        signed.fresh(moment, options.get("within", WITHIN))
        text = moment.encode() + text
    given = signed.header(options["header"])
    try:
        raw = bytes.fromhex(given) if re.fullmatch(r"[0-9a-fA-F]{128}", given) else base64.b64decode(given)
        Ed25519PublicKey.from_public_bytes(decoded_key(pem.strip())).verify(raw, text)
    except (InvalidSignature, ValueError):
        raise MismatchError("the signature is wrong") from None


# ---- of one provider ------------------------------------------------------------------------------------------------


def _with_and_without_port(url: str) -> Sequence[str]:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    port = {"https": ":443", "http": ":80"}.get(scheme, "")
    bare = host.removesuffix(port) if port else host
    if port and (host.endswith(port) or ":" not in host.rpartition("]")[2]):
        return (f"{scheme}://{bare}{slash}{path}", f"{scheme}://{bare}{port}{slash}{path}")
    return (url,)


def check_twilio(signed: SignedCallback, options: Mapping[str, Any]) -> None:
    given = signed.header("X-Twilio-Signature")
    digest = [value for name, value in signed.query if name == "bodySHA256"]
    if digest:
        expected = hashlib.sha256(signed.callback.body).hexdigest()
        require(len(digest) == 1 and same(expected, digest[0].lower()), "the body is another one")
    else:
        require(signed.is_form, "the body is not signed")
    form = [] if digest else signed.form
    require(
        any(same(twilio_signature(url, form, options["secret"]), given) for url in _with_and_without_port(signed.url))
    )


def twilio_signature(url: str, form: Pairs, secret: str) -> str:
    """What Twilio signs a URL and a form with."""
    text = "".join([name + value for name, value in sorted(set(form))])
    return _base64(_mac(secret, (url + text).encode(), "sha1"))


def check_plivo(signed: SignedCallback, options: Mapping[str, Any]) -> None:
    headers = signed.callback.headers
    if signed.callback.method == "GET":
        require(not signed.callback.body, "a GET with a body, which is not signed")
    if headers.get("x-plivo-signature-v3"):
        expected = plivo_signature(signed, signed.header("X-Plivo-Signature-V3-Nonce"), options["secret"])
        given = headers["x-plivo-signature-v3"]
    else:
        given = signed.header("X-Plivo-Signature-V2")
        text = signed.bare_url + signed.header("X-Plivo-Signature-V2-Nonce")
        expected = _base64(_mac(options["secret"], text.encode(), "sha256"))
    require(any(same(expected, one.strip()) for one in given.split(",")[:SIGNATURES]))


def plivo_signature(signed: SignedCallback, nonce: str, secret: str) -> str:
    """What Plivo signs a callback with, version 3."""
    return _base64(_mac(secret, f"{_plivo_url(signed)}.{nonce}".encode(), "sha256"))


def _plivo_url(signed: SignedCallback) -> str:
    """What V3 signs: the URL with its query sorted, and the form, sorted, names and values without anything between."""
    query: dict[str, list[str]] = {}
    for name, value in signed.query:
        query.setdefault(name, []).append(value)
    sorted_query = "&".join(f"{name}={value}" for name in sorted(query) for value in sorted(query[name]))
    form: dict[str, list[str]] = {}
    for name, value in signed.form if signed.callback.method != "GET" else ():
        form.setdefault(name, []).append(value)
    written = "".join(name + value for name in sorted(form) for value in sorted(form[name]))
    base = f"{signed.bare_url}?{sorted_query}" if sorted_query or written else signed.bare_url
    return f"{base}.{written}" if sorted_query and written else base + written


def check_vonage(signed: SignedCallback, options: Mapping[str, Any]) -> None:
    fields = dict(signed.query)
    body = signed.callback.body
    if body and not signed.is_form:
        try:
            read = json.loads(body)
        except (ValueError, RecursionError):
            raise MismatchError("the body is no JSON") from None
        require(isinstance(read, dict) and len(read) <= FIELDS, "the body is no map")
        fields |= {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in read.items()}
    elif body:
        fields |= dict(signed.form)
    given = fields.pop("sig", "")
    if not given:
        raise MismatchError("the field sig is missing")
    signed.fresh(fields.get("timestamp", ""), options.get("within", WITHIN))
    require(same(vonage_signature(fields, options), given.lower()))


def vonage_signature(fields: Mapping[str, str], options: Mapping[str, Any]) -> str:
    """What Vonage signs parameters with."""
    marks = str.maketrans("&=", "__")
    text = "".join(f"&{name}={fields[name].translate(marks)}" for name in sorted(fields))
    algorithm = options.get("algorithm", "sha256")
    if algorithm == "md5hash":
        return hashlib.md5((text + options["secret"]).encode(), usedforsecurity=False).hexdigest()
    return _mac(options["secret"], text.encode("utf-8", "surrogatepass"), algorithm).hex()


CHECKS: Final[dict[str, Callable[[SignedCallback, Mapping[str, Any]], None]]] = {
    "secret": check_secret,
    "basic": check_basic,
    "hmac": check_hmac,
    "jwt": check_jwt,
    "ed25519": check_ed25519,
    "twilio": check_twilio,
    "plivo": check_plivo,
    "vonage": check_vonage,
}
