"""The formats a body, a query or a nested document can have: JSON, form, XML; plain text is in `textual`.

Sources: JSON RFC 8259; form and query `application/x-www-form-urlencoded` (WHATWG URL, 5) with PHP brackets for
structures; XML 1.0, 2.2 (characters), 2.3 (names), 3.3.3 (white space in attributes).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote, quote_from_bytes

import orjson

from connector.definition.charsets import charset as charset_of
from connector.definition.expression import MISSING, Column, Expression
from connector.definition.tree import Constant, Nesting
from connector.errors import MessageError
from connector.model import Batch, Message
from connector.request.percent import Percent
from connector.request.structured_names import StructuredNames
from connector.request.textual import Build, TextEncoder, longer_text, whole_text
from connector.request.values import Encoder

BRACKETS: Final = Nesting()
BYTES: Final = "surrogateescape"
"""How bytes stand in a text body until it is encoded. Texts of messages hold none of them: no charset takes them."""


def encoder_for(encoding: str, charset: str, nesting: Nesting = BRACKETS) -> Encoder:
    """The encoder of a body kind (`json`, `pairs`, `form`, `xml`, `text`) in `charset`, `nesting` of forms."""
    match encoding:
        case "json":
            return JsonEncoder(charset, nesting)
        case "pairs" | "form":
            return FormEncoder(charset, "+", nesting)
        case "xml":
            return XmlEncoder(charset, nesting=nesting)
        case "base64":
            return Base64Encoder(charset)
        case _:
            return PlainEncoder(charset)


class PlainEncoder(TextEncoder):
    """`text`: a body that is one text."""

    def written_name(self, name: str) -> str:
        raise ValueError("a text body has no keys")

    def user_name(self, name: str) -> str:
        raise MessageError("a text body has no keys")

    def member(self, name: str) -> PlainEncoder:
        return self

    def element(self) -> PlainEncoder:
        raise ValueError("a text body holds no list")

    def nested(self, encoding: str) -> Encoder:
        return encoder_for(encoding, self.charset)

    def octets(self, raw: bytes) -> str:
        """Each byte as the character that `escaped` bytes of ASCII stand for: no text of a message holds one."""
        if not charset_of(self.charset).holds_ascii:
            raise ValueError(f"`encode` gives bytes, beside a Content-Type of {self.charset}")
        return raw.decode("ascii", BYTES)

    def document(self, value: Any) -> str:
        if not isinstance(value, str):
            raise MessageError("a text body takes a text")
        return value


class Base64Encoder(PlainEncoder):
    """`{$base64: …}`: the bytes of a text, or of a document that stands as text."""

    def document(self, value: Any) -> str:
        return b64encode(super().document(value).encode(self.charset, BYTES)).decode()


# ---- JSON -----------------------------------------------------------------------------------------------------------


class JsonEncoder:
    """Leaves are Python values: orjson escapes them when the whole document is written."""

    def __init__(self, charset: str = "utf-8", nesting: Nesting = BRACKETS) -> None:
        self.charset = charset
        self._nesting = nesting

    def constant(self, constant: Constant) -> Any:
        value, text = constant.value, constant.text
        if text is not None and not isinstance(value, str) and orjson.dumps(value) != text.encode():
            return orjson.Fragment(text)
        return value

    def whole(self, expression: Expression) -> Build:
        if expression.octets:
            raise ValueError("`encode` gives bytes, which JSON cannot hold")
        if not expression.raw:
            return expression.compile()
        build = whole_text(expression, str, _one_json_value)

        def raw(message: Message, batch: Batch) -> Any:
            text = build(message, batch)
            return text if text is MISSING else orjson.Fragment(text)

        return raw

    def column(self, expression: Expression) -> Column | None:
        return expression.column()

    def text(self, parts: Sequence[str | Expression]) -> Build:
        if any(isinstance(part, Expression) and part.octets for part in parts):
            raise ValueError("`encode` gives bytes, which JSON cannot hold")
        if not any(isinstance(part, Expression) and part.raw for part in parts):
            return longer_text(parts, str, str)
        build = longer_text(parts, _inside_json_string, _raw_inside_json_string)
        return lambda message, batch: orjson.Fragment(f'"{build(message, batch)}"')

    def spread(self, value: Any) -> Any:
        return value

    def inserted(self, text: str) -> Any:
        return text

    def written_name(self, name: str) -> str:
        return name

    def user_name(self, name: str) -> str:
        return name

    def member(self, name: str) -> JsonEncoder:
        return self

    def element(self) -> JsonEncoder:
        return self

    def nested(self, encoding: str) -> Encoder:
        return encoder_for(encoding, self.charset, self._nesting)

    def document(self, value: Any) -> str:
        text = json_bytes(value).decode()
        return text if self.charset == "utf-8" else _not_ascii.sub(_json_escape, text)


def json_bytes(value: Any) -> bytes:
    """Compact JSON in UTF-8; raises MessageError for what JSON cannot hold."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        # orjson's own words name the fault (half a surrogate pair, an integer over 64 bits, depth) and never the value.
        raise MessageError(f"a value that JSON cannot hold: {error}") from None


def _one_json_value(text: str) -> str:
    try:
        orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise MessageError("raw text in JSON must be one JSON value") from None
    return text


def _inside_json_string(text: str) -> str:
    return json_bytes(text).decode()[1:-1]


def _raw_inside_json_string(text: str) -> str:
    _one_json_value(f'"{text}"')
    return text


_not_ascii = re.compile(r"[^\x00-\x7f]")


def _json_escape(match: re.Match[str]) -> str:
    utf16 = match.group().encode("utf-16-be")
    return "".join(f"\\u{utf16[i]:02x}{utf16[i + 1]:02x}" for i in range(0, len(utf16), 2))


# ---- form and query -------------------------------------------------------------------------------------------------

_unsendable = re.compile(r"[^\x21-\x7e]").search


class FormEncoder(TextEncoder):
    """Pairs, percent-encoded. A structure becomes brackets, or what `nesting` says: `Messages[0][To]=…`.

    `space` is `+` in a form body and `%20` in a URL.
    """

    def __init__(self, charset: str, space: str, nesting: Nesting = BRACKETS) -> None:
        super().__init__(charset)
        if not charset_of(charset).holds_ascii:
            raise ValueError(f"a form cannot be written in {charset}, which does not write ASCII as ASCII")
        self._percent = Percent(charset, space)
        self._nesting = nesting
        self._names = StructuredNames(nesting, partial(quote, safe=""))
        self.numbers = self._names.numbered

    def escape(self, text: str) -> str:
        try:
            return self._percent.encode(text)
        except MessageError:
            self._encode(text)  # says at which character
            raise

    def octets(self, raw: bytes) -> str:
        return quote_from_bytes(raw, safe="")

    def check(self, text: str) -> str:
        """`raw` may bring its own `&` and `%`, but nothing that ends a URL or a request line."""
        if _unsendable(text):
            raise MessageError("raw text in pairs must be printable ASCII without spaces")
        return text

    def written_name(self, name: str) -> str:
        if not name:
            raise ValueError("a pair needs a name")
        return self.escape(name)

    def user_name(self, name: str) -> str:
        if not name or self._names.ambiguous(name):
            raise MessageError("a variable's name that pairs cannot hold")
        return self.escape(name)

    def member(self, name: str) -> FormEncoder:
        return self

    def element(self) -> FormEncoder:
        return self

    def nested(self, encoding: str) -> Encoder:
        return encoder_for(encoding, self.charset, self._nesting)

    def document(self, value: Any) -> str:
        if not isinstance(value, dict):
            raise MessageError("pairs take an object")
        pairs: list[tuple[str, str]] = []
        for name, item in value.items():
            self._names.pairs(name, item, pairs)
        return "&".join([f"{name}={text}" for name, text in pairs])


class UrlEncoder(FormEncoder):
    """Pairs and path segments of a URL: UTF-8, a space is `%20`."""

    def __init__(self, nesting: Nesting = BRACKETS) -> None:
        super().__init__("utf-8", "%20", nesting)

    def check(self, text: str) -> str:
        if "#" in text:
            raise MessageError("raw text in a URL must not hold `#`: what follows it is never sent")
        return super().check(text)


# ---- XML ------------------------------------------------------------------------------------------------------------

_not_xml = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]").search
_name = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*(:[A-Za-z_][A-Za-z0-9_.-]*)?").fullmatch
_plain_name = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*").fullmatch  # a prefix would have to be declared
_IN_TEXT = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;"))
_IN_ATTRIBUTE = (*_IN_TEXT, ('"', "&quot;"), ("\n", "&#10;"), ("\t", "&#9;"))


class XmlEncoder(TextEncoder):
    """Elements; `@name` is an attribute, `#text` the text beside attributes, a list repeats its element.

    `leaf` is "@" inside an attribute, "#" inside `#text`, "" in an element: the first two hold no structure.
    """

    def __init__(self, charset: str, leaf: str = "", nesting: Nesting = BRACKETS) -> None:
        super().__init__(charset)
        self._nesting = nesting
        self.leaf = leaf
        self._written = _IN_ATTRIBUTE if leaf == "@" else _IN_TEXT

    def escape(self, text: str) -> str:
        if _not_xml(text):
            raise MessageError("a character that XML cannot hold")
        for char, written in self._written:
            text = text.replace(char, written)
        if self.charset == "utf-8":
            return text
        try:
            self._encode(text)
        except MessageError:
            keeps = charset_of(self.charset).keeps
            return "".join([char if keeps(char) else f"&#{ord(char)};" for char in text])
        return text

    def check(self, text: str) -> str:
        """`raw` may bring its own markup, but it must be whole: it cannot end what it stands in."""
        from defusedxml.ElementTree import ParseError, fromstring

        try:
            root = fromstring(f'<r a="{text}"/>' if self.leaf == "@" else f"<r>{text}</r>")
        except (ParseError, ValueError):
            raise MessageError("raw text in XML must be well-formed") from None
        if self.leaf == "@" and len(root.attrib) != 1:
            raise MessageError("raw text in an XML attribute cannot end it")
        return super().check(text)

    def written_name(self, name: str) -> str:
        self.element()
        if name != "#text" and not _name(name.removeprefix("@")):
            raise ValueError(f"`{name}` is no XML name")
        return name

    def user_name(self, name: str) -> str:
        if not _plain_name(name):
            raise MessageError("a variable's name that is no XML name")
        return name

    def member(self, name: str) -> XmlEncoder:
        return XmlEncoder(self.charset, name[0] if name[0] in "@#" else "", self._nesting)

    def element(self) -> XmlEncoder:
        if self.leaf:
            raise ValueError("an attribute or `#text` holds text, not a structure")
        return self

    def nested(self, encoding: str) -> Encoder:
        return encoder_for(encoding, self.charset, self._nesting)

    def document(self, value: Any) -> str:
        if not isinstance(value, dict) or len(value) != 1:
            raise MessageError("an XML document takes an object with one key, its root element")
        ((name, item),) = value.items()
        if isinstance(item, list) and len(item) != 1:
            raise MessageError("an XML document has one root element")
        out: list[str] = []
        _element(name, item, out)
        return "".join(out)


def _element(name: str, value: Any, out: list[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _element(name, item, out)
    elif isinstance(value, dict):
        _structured(name, value, out)
    elif value:
        out.append(f"<{name}>{value}</{name}>")
    else:
        out.append(f"<{name}/>")


def _structured(name: str, value: dict[str, Any], out: list[str]) -> None:
    out.append(f"<{name}")
    out.extend(f' {key[1:]}="{text}"' for key, text in value.items() if key[0] == "@")
    children = [(key, item) for key, item in value.items() if key[0] != "@"]
    if not children:
        out.append("/>")
        return
    out.append(">")
    for key, item in children:
        if key == "#text":
            out.append(item)
        else:
            _element(key, item, out)
    out.append(f"</{name}>")
