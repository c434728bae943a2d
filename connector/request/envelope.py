"""Everything of a request but its records: URL, query, headers, authorization, and the body around them.

Compiled once per operation; `build` is called once per request, with the records already merged into their keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote

from connector.definition.charsets import CharsetError
from connector.definition.check_encoding import body_charset
from connector.definition.expression import MISSING
from connector.definition.signing import login_names
from connector.definition.tree import (
    QUERY,
    BasicAuth,
    Constant,
    Login,
    Object,
    ObjectMember,
    Operation,
    Replacement,
    Sign,
    Spread,
    Text,
)
from connector.errors import MessageError
from connector.model import Batch, Message, Request
from connector.request.auth import basic
from connector.request.encoders import BYTES, JsonEncoder, UrlEncoder, encoder_for, json_bytes
from connector.request.login_renderer import LoginRenderer
from connector.request.multipart import boundary, multipart_body
from connector.request.signer import Signer, sample
from connector.request.textual import Build, constant_text, header_text, longer_text, whole_text
from connector.request.values import Keys, MergePoint, NodeValue, compile_value, wrong

CONTENT_TYPES = {
    "json": "application/json",
    "pairs": "application/x-www-form-urlencoded",
    "xml": "application/xml; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}
"""Content type by body kind where the headers name none. JSON and forms are UTF-8 without saying so."""


class Envelope:
    """The compiled request of one operation, but for its records.

    Attributes:
        in_url: True when records stand in the URL: GET with pairs, or a key of the query.
    """

    def __init__(self, operation: Operation, keys: Sequence[MergePoint]) -> None:
        as_query = operation.kind == "pairs" and operation.method == "GET"
        has_body = operation.kind != "none" and not as_query
        self._method = operation.method
        signer = _signer(operation)
        self._stable = signer is not None and signer.stable
        self._signable = signer.check if signer is not None and signer.may_fail else None
        self._headers = _headers(operation, has_body=has_body)
        by_path = {key.path: key for key in keys if key.path[:1] != (QUERY,)}
        in_query = {key.path[1:]: key for key in keys if key.path[:1] == (QUERY,)}
        self.in_url = as_query or bool(in_query)
        queries = [_query(operation, operation.query, in_query, "query")]
        if as_query:
            assert isinstance(operation.body, Object)
            queries.append(_query(operation, operation.body, by_path, "parameters.pairs"))
        self._url = _url(operation, queries)
        self._body: Callable[[Message, Batch], bytes] | None = None
        if has_body:
            body = multipart_body if operation.kind == "multipart" else _body
            self._body = body(operation, by_path)
        for key in keys:
            if key.value is None:
                path = ".".join(key.path) or "."
                raise wrong("batching.key", f"`{path}` does not stand in the parameters")

    def build(self, message: Message, batch: Batch) -> Request:
        """The request of `batch`; `message` is any of it, since all give the same outside their records.

        Raises MessageError when something outside has no value or cannot stand where it does, or when the merged
        records cannot be written.
        """
        url = self._url(message, batch)
        headers = self._headers(message, batch)
        body = self._body
        rendered = None if body is None else body(message, batch)
        request = Request(self._method, url, headers, rendered, batch.id if self._stable else "")
        if self._signable is not None:
            self._signable(request)
        return request

    @property
    def may_be_unsignable(self) -> bool:
        """Whether what is added to requests may fail for some messages."""
        return self._signable is not None

    def size(self, request: Request) -> int:
        """What `batching.bytes` bounds: bytes of the URL for a query, else of the encoded body."""
        return len(request.url) if self.in_url else len(request.body or b"")


def _signer(operation: Operation) -> Signer | None:
    """What is added when a request is sent; None where nothing is. Raises DefinitionError where it fails for all."""
    match operation.auth:
        case Sign(additions):
            signer = Signer(additions)
        case Login():
            names = login_names(operation.auth)
            signer = Signer(operation.auth.use, names=names, place="auth.login.use")
            for request in operation.auth.requests:
                LoginRenderer(request, "auth.login.request").trial()
        case _:
            return None
    if not signer.may_fail:  # else that is told of each message, as it may work for all of them
        signer.trial(sample(operation))
    return signer


# ---- URL ------------------------------------------------------------------------------------------------------------

_authority = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE).match

# What a definition may write in a URL as it is: reserved and unreserved characters, and escapes already made.
_WRITTEN = "!$%&'()*+,/:;=?@[]~"


def _written_url(text: str) -> str:
    """The definition's own text: spaces and letters beyond ASCII encoded, everything else (and the host) as written."""
    host = _authority(text)
    start = host.end() if host else 0
    return text[:start] + quote(text[start:], safe=_WRITTEN)


def _url(operation: Operation, queries: Sequence[Build]) -> Build:
    """The whole URL: the definition's, then the pairs of each query."""
    node = operation.url
    encoder = UrlEncoder()
    parts = node.parts if isinstance(node, Text) else (constant_text(node),)
    base_of = longer_text(parts, encoder.escape, encoder.check, _written_url)

    def url(message: Message, batch: Batch) -> str:
        base: str = base_of(message, batch)
        if _moves(base):
            raise MessageError("a value makes a segment of the URL's path `.` or `..`")
        pairs = "&".join([pairs for query in queries if (pairs := query(message, batch))])
        if not pairs:
            return base
        if base[-1] in "?&":
            return base + pairs
        return f"{base}{'&' if '?' in base else '?'}{pairs}"

    return url


_moves = re.compile(r"^[^?]*/\.\.?(?:[/?]|$)").match


def _query(operation: Operation, node: Object, keys: Keys, place: str) -> Build:
    encoder = UrlEncoder(operation.nesting)
    build = compile_value(node, encoder, keys, place).required()

    def query(message: Message, batch: Batch) -> str:
        value = build(message, batch)
        return "" if value is MISSING else encoder.document(value)

    return query


# ---- headers --------------------------------------------------------------------------------------------------------


def _headers(operation: Operation, *, has_body: bool) -> Callable[[Message, Batch], tuple[tuple[str, str], ...]]:
    """The definition's headers in their order; before them the content type and basic authorization it leaves to us."""
    fields = [_header(member) for member in operation.headers.members]
    named = {name.lower() for name, _ in fields}
    ours: list[tuple[str, str]] = []
    parts = has_body and operation.kind == "multipart"
    if has_body and not parts and "content-type" not in named:
        ours.append(("Content-Type", CONTENT_TYPES[operation.kind]))
    if isinstance(operation.auth, BasicAuth):
        ours.append(("Authorization", basic(operation.auth)))
    first = tuple(ours)

    def headers(message: Message, batch: Batch) -> tuple[tuple[str, str], ...]:
        if not fields:
            return first
        values = [(name, build(message, batch)) for name, build in fields]
        return first + tuple([field for field in values if field[1] is not MISSING])

    def with_boundary(message: Message, batch: Batch) -> tuple[tuple[str, str], ...]:
        content_type = f"multipart/form-data; boundary={boundary(batch)}"
        return (("Content-Type", content_type), *headers(message, batch))

    return with_boundary if parts else headers


def _header(member: ObjectMember | Spread) -> tuple[str, Build]:
    assert isinstance(member, ObjectMember)  # names of headers are constant, their values flat: loading sees to it
    assert isinstance(member.key, str)
    place = f"headers.{member.key}"
    node = member.value
    try:
        if isinstance(node, Constant):
            value = header_text(constant_text(node))
            return member.key, lambda message, batch: value
        if isinstance(node, Text):
            return member.key, longer_text(node.parts, header_text, header_text)
    except MessageError as error:
        raise wrong(place, error.reason) from None
    assert isinstance(node, Replacement)
    absent = None if node.expression.optional else f"{node.expression.written} has no value"
    return member.key, NodeValue(whole_text(node.expression, header_text, header_text), absent).required()


# ---- body -----------------------------------------------------------------------------------------------------------


def _body(operation: Operation, keys: Keys) -> Callable[[Message, Batch], bytes]:
    """The encoded body. The charset is the one the headers name, UTF-8 where they name none."""
    assert operation.body is not None
    charset = _charset_of(operation)
    errors = BYTES if operation.kind == "text" else "strict"
    encoder = encoder_for(operation.kind, charset, operation.nesting)
    place = f"parameters.{operation.kind}"
    build = compile_value(operation.body, encoder, keys, place).required()
    if isinstance(encoder, JsonEncoder) and charset == "utf-8":

        def json_body(message: Message, batch: Batch) -> bytes:
            value = build(message, batch)
            return b"" if value is MISSING else json_bytes(value)

        return json_body
    declaration = f'<?xml version="1.0" encoding="{charset}"?>' if operation.kind == "xml" else ""

    def body(message: Message, batch: Batch) -> bytes:
        value = build(message, batch)
        return b"" if value is MISSING else (declaration + encoder.document(value)).encode(charset, errors)

    return body


def _charset_of(operation: Operation) -> str:
    """As the headers write it; `utf-8` for all spellings of it."""
    try:
        charset = body_charset(operation)
    except CharsetError as error:
        raise wrong("headers.Content-Type", error.message, error.remedy) from None
    return "utf-8" if charset.codec == "utf-8" else charset.name
