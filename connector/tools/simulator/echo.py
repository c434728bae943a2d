"""Replies that hold what their request held: providers quote it in an error, and so do the gateways before them."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

import orjson

from connector.tools.simulator.call import Call

# Names under which replies carry words for people, or codes.
_WORDS: Final = re.compile(r"(?i).*(message|msg|reason|desc|detail|text|info|error|title|cause|code).*")
# Headers every client sends, which say nothing.
_DULL: Final = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
)


def _characters(write: str) -> Callable[[str], str]:
    return lambda text: "".join([write.format(ord(it)) for it in text])


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}" if character.isascii() else json.dumps(character)[1:-1]


ENCODINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "plain": str,
    "upper": str.upper,
    "percent": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "percent-twice": lambda text: quote(quote(text, safe=""), safe=""),
    "html": html.escape,
    "html-numbers": _characters("&#{};"),
    "json": lambda text: json.dumps(text)[1:-1],
    "json-escapes": lambda text: "".join([_escape(it) for it in text]),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "hex": lambda text: text.encode().hex(),
    "hex-utf16": lambda text: text.encode("utf-16-be").hex().upper(),
    "quoted-printable": lambda text: "".join([f"={byte:02X}" for byte in text.encode()]),
    "devanagari-digits": lambda text: text.translate({ord("0") + digit: 0x966 + digit for digit in range(10)}),
    "spaced-digits": lambda text: re.sub(r"(?<=[0-9])(?=[0-9])", ".", text),
}
"""How a reply may write what it echoes."""


def request_text(call: Call) -> str:
    """Everything a request held, as one text."""
    headers = [f"{name}: {value}" for name, value in call.headers.items() if name.lower() not in _DULL]
    decoded = [call.basic and ":".join(call.basic), *call.pairs.values()]
    parts = [call.url, *headers, call.body.decode("utf-8", "replace"), *[it for it in decoded if it]]
    return " ".join(parts)


def echoed(body: bytes, call: Call, encoding: str) -> bytes:
    """A reply's body in which every word and code is followed by what the request held; text has it at its end."""
    addition = ENCODINGS[encoding](request_text(call))
    try:
        document = orjson.loads(body)
    except ValueError:
        return body + f" {addition}".encode()
    return orjson.dumps(_with(document, addition, name=""))


def _with(value: Any, addition: str, *, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _with(item, addition, name=key) for key, item in value.items()}
    if isinstance(value, list):
        return [_with(item, addition, name=name) for item in value]
    if isinstance(value, str) and _WORDS.fullmatch(name):
        return f"{value} {addition}"
    return value
