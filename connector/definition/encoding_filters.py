"""Filters that give the bytes of a text, or what stands for them: charsets, hexadecimal digits, digests.

Between two filters bytes are `bytes`; only filters that say so (`takes_bytes`) come after one that gives them. A digest
is bytes for these, and text in hexadecimal digits for all others: `x|sha256|base64`, `x|sha256|upper`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any, Final

from connector.definition.arguments import ExpressionError, Filter, FilterStep, Parameter
from connector.definition.charsets import CharsetError, charset
from connector.definition.conversions import scalar
from connector.definition.gsm import segments
from connector.definition.octets import Digest
from connector.errors import MessageError

ENCODING_FILTERS: Final[dict[str, Filter]] = {}

HASHES: Final = ("md5", "sha1", "sha256", "sha384", "sha512")
_FORMS: Final[dict[str | None, Callable[[bytes], Any]]] = {
    None: Digest,
    "hex": bytes.hex,
    "base64": lambda raw: base64.b64encode(raw).decode(),
}


def as_bytes(value: Any) -> bytes:
    """Bytes as they are, text in UTF-8."""
    return value if isinstance(value, bytes) else scalar(value).encode()


def _encode(name: str) -> Callable[[Any], bytes]:
    try:
        encode = charset(name).encode
    except CharsetError as error:
        raise ExpressionError(error.message, error.remedy) from None
    return lambda value: encode(scalar(value))


def _hex(name: str | None) -> FilterStep:
    encode = as_bytes if name is None else _encode(name)
    return lambda value: encode(value).hex()


def _form(name: str | None) -> Callable[[bytes], Any]:
    if name not in _FORMS:
        raise ExpressionError(f"`form` cannot be '{name}'", "write 'hex' or 'base64'")
    return _FORMS[name]


def _digest(algorithm: str) -> Callable[[str | None], FilterStep]:
    def build(form: str | None) -> FilterStep:
        written = _form(form)
        return lambda value: written(hashlib.new(algorithm, as_bytes(value), usedforsecurity=False).digest())

    return build


def _hmac(key: Any, algorithm: str, form: str | None) -> FilterStep:
    if algorithm not in HASHES:
        raise ExpressionError(f"`hash` of `hmac` cannot be '{algorithm}'", f"write one of: {', '.join(HASHES)}")
    written, secret = _form(form), as_bytes(key)
    return lambda value: written(hmac.digest(secret, as_bytes(value), algorithm))


def _unbase64(value: Any) -> Digest:
    text = scalar(value).translate(_URL_SAFE).rstrip("=")
    try:
        return Digest(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except ValueError:  # binascii.Error is one
        raise MessageError("takes base64") from None


_URL_SAFE: Final = str.maketrans("-_", "+/")


def _unhex(value: Any) -> Digest:
    try:
        return Digest(bytes.fromhex(scalar(value)))
    except ValueError:
        raise MessageError("takes hexadecimal digits") from None


def _max_segments(most: int) -> FilterStep:
    def limited(value: Any) -> str:
        text = scalar(value)
        count = segments(text)
        if count > most:
            raise MessageError(f"the text takes {count} SMS parts; at most {most} are allowed")
        return text

    return limited


def _pad(width: int, fill: str) -> FilterStep:
    if len(fill) != 1:
        raise ExpressionError("`fill` of `padstart` is one character", "write padstart(4), or padstart(4, ' ')")
    return lambda value: scalar(value).rjust(width, fill)


def _add(name: str, build: Callable[..., FilterStep], about: str, *parameters: Parameter, **facts: bool) -> None:
    ENCODING_FILTERS[name] = Filter(name, build, parameters, about=about, **facts)


_charset_name = Parameter("charset", "text")
_digest_form = Parameter("form", "text", default=None)

_add(
    "append", lambda x: lambda value: scalar(value) + scalar(x), "The text, and `x` after it.", Parameter("x", "value")
)
_add(
    "prepend", lambda x: lambda value: scalar(x) + scalar(value), "`x`, and the text after it.", Parameter("x", "value")
)
_add(
    "padstart",
    _pad,
    "At least n characters: zeros, or another `fill`, in front.",
    Parameter("n", "whole", 1, 100),
    Parameter("fill", "text", default="0"),
    normalises=True,
)
_add(
    "max_segments",
    _max_segments,
    "The text, if it is sent in at most n parts (160 or 70 characters, longer ones 153 or 67 a part).",
    Parameter("n", "whole", 1, 255),
)
_add(
    "encode",
    _encode,
    "The bytes of the text in `charset`, for pairs, URLs and plain text. What it cannot hold makes a message invalid.",
    _charset_name,
    gives_bytes=True,
)
_add(
    "hex",
    _hex,
    "The bytes of the text as hexadecimal digits, in `charset` or UTF-8: `hex('utf-16-be')`.",
    Parameter("charset", "text", default=None),
    takes_bytes=True,
    derives=True,
)
_add(
    "base64url",
    lambda: lambda value: base64.urlsafe_b64encode(as_bytes(value)).decode().rstrip("="),
    "Base64 with `-` and `_` in place of `+` and `/`, without `=`.",
    takes_bytes=True,
    derives=True,
)
_add(
    "unbase64",
    lambda: _unbase64,
    "The bytes that base64 stands for: a key that is given so.",
    derives=True,
    digest=True,
)
_add("unhex", lambda: _unhex, "The bytes that hexadecimal digits stand for.", derives=True, digest=True)
for _algorithm in HASHES:
    _add(
        _algorithm,
        _digest(_algorithm),
        f"{_algorithm.upper()} of the text in UTF-8, or of bytes; `form` is 'hex' (as in any text) or 'base64'.",
        _digest_form,
        takes_bytes=True,
        tells=True,
        derives=True,
        digest=True,
    )
_add(
    "hmac",
    _hmac,
    "HMAC with `key`, by SHA-256 or another `hash`: `hmac(${SMS_KEY}, 'sha1', 'base64')`.",
    Parameter("key", "value"),
    Parameter("hash", "text", default="sha256"),
    _digest_form,
    takes_bytes=True,
    tells=True,
    derives=True,
    digest=True,
)
