"""From the bytes of a callback to documents, one per entry; whatever they are, it ends there or in ValueError."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from connector.definition.receipt_tree import Receipts
from connector.receipts.callback import Callback
from connector.receipts.form_fields import FIELDS, form_pairs
from connector.response.charset import as_utf8
from connector.response.document import TEXT_LIMIT, parse_json, parse_xml
from connector.response.fields import Scope
from connector.response.path import Get, as_list

DISPOSITION: Final = 1_000  # characters of the header that names a part: reading it takes the square of that


class Documents:
    """Reads callbacks as a definition says. Compiling notes faults in `scope`."""

    def __init__(self, receipts: Receipts, scope: Scope, most: int) -> None:
        self._decode = receipts.decode
        self._most = most
        self._work = scope.work
        self._steps = [
            (step.encoding, _path(scope, step.path, f"receipts.decode[{position}]"))
            for position, step in enumerate(receipts.steps, 1)
        ]
        self._each = [_path(scope, path, f"receipts.each[{position}]") for position, path in enumerate(receipts.each)]
        self._unpack = [
            (step.encoding, _path(scope, step.path, f"receipts.unpack[{position}]"))
            for position, step in enumerate(receipts.unpack)
        ]

    def read(self, callback: Callback) -> list[dict[str, Any]]:
        """The documents of its entries. Raises ValueError, and TooMuchWorkError."""
        outer: dict[str, Any] = dict(fields(callback.query))
        document: Any = None
        if callback.body or self._decode not in ("form", "query", "auto"):
            document = self._body(callback)
        for encoding, get in self._steps:
            text = get(document)
            if isinstance(document, dict):
                outer |= document
            # What is read is not kept unread beside it: each of a thousand entries would hold the whole callback.
            outer = {name: value for name, value in outer.items() if value is not text}
            document = self._inside(encoding, text)
        return [self._unpacked(entry) for entry in self._entries(outer, document)]

    def _body(self, callback: Callback) -> Any:
        body, decode = callback.body, self._decode
        if decode == "auto":
            kind = callback.headers.get("content-type", "").lower()
            decode = "json" if "json" in kind else "xml" if "xml" in kind else "form"
        if decode == "query":
            return None
        if decode == "form":
            return self._form(callback)
        if decode == "text":
            return {"text": body[: 4 * TEXT_LIMIT].decode("utf-8", "replace")[:TEXT_LIMIT]}
        body = as_utf8(body, callback.headers.get("content-type"), None, cut=False)
        if decode == "xml":
            return parse_xml(body, self._work)
        if not body.strip():
            raise ValueError("the body is empty")
        return parse_json(body, self._work)

    def _form(self, callback: Callback) -> dict[str, Any]:
        kind = callback.headers.get("content-type", "").lower()
        if "multipart/form-data" in kind:
            return _multipart(callback)
        return fields(callback.body.decode("utf-8", "replace"))

    def _inside(self, encoding: str, value: Any) -> Any:
        """A text inside of a document, read."""
        if not isinstance(value, str):
            raise ValueError("a text that should be inside of it is missing")  # noqa: TRY004 one kind of fault
        raw = value.encode("utf-8", "replace")
        if encoding == "base64":
            try:
                raw = base64.b64decode(raw, validate=True)
            except binascii.Error:
                raise ValueError("a text inside of it is no base64") from None
        return parse_json(raw, self._work)

    def _entries(self, outer: dict[str, Any], document: Any) -> Iterator[dict[str, Any]]:
        """Each entry with the fields of those above it; the nearer one wins."""
        level: list[tuple[dict[str, Any], Any]] = [(outer, document)]
        for get in self._each:
            below = []
            for above, value in level:
                items = as_list(get(value)) or ()
                around = {**above, **_without(value, items)} if isinstance(value, dict) else above
                below += [(around, item) for item in items]
                if len(below) > self._most:
                    raise ValueError(f"it has more than {self._most} entries")
            level = below
        if not self._each and isinstance(document, list):
            level = [(outer, item) for item in document]
        if len(level) > self._most:
            raise ValueError(f"it has more than {self._most} entries")
        for above, value in level:
            if value is None and not self._each:
                yield above
            elif isinstance(value, dict):
                yield {**above, **value}
            else:
                raise ValueError("an entry is no map")

    def _unpacked(self, entry: dict[str, Any]) -> dict[str, Any]:
        for encoding, get in self._unpack:
            value = get(entry)
            if value is None:  # not every entry holds one
                continue
            inner = self._inside(encoding, value)
            if not isinstance(inner, dict):
                raise ValueError("a text inside of it holds no map")  # noqa: TRY004 one kind of fault
            entry = {**entry, **inner}
        return entry


def _without(value: dict[str, Any], items: Sequence[Any]) -> dict[str, Any]:
    """What stands around the entries of a callback, without the lists they stand in: otherwise each of them would hold
    all the others, and a thousand entries a million.
    """
    entries = {id(item) for item in items if isinstance(item, dict)}

    def pruned(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {
                name: pruned(each)
                for name, each in inner.items()
                if id(each) not in entries and not (isinstance(each, list) and _holds(each, entries))
            }
        return inner

    found: dict[str, Any] = pruned(value)
    return found


def _holds(found: Any, entries: set[int]) -> bool:
    if id(found) in entries:
        return True
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return any(_holds(each, entries) for each in inner)


def _path(scope: Scope, source: str, place: str) -> Get:
    return scope.path(source, place) or (lambda _: None)


def fields(text: str) -> dict[str, Any]:
    """Fields of a form or a query; of one that is repeated the last. Raises ValueError."""
    return dict(form_pairs(text))


def _multipart(callback: Callback) -> dict[str, Any]:
    """Fields of a multipart/form-data body: names and texts."""
    from email.message import Message as Mail
    from email.parser import BytesParser
    from email.policy import compat32

    if callback.body.count(b"\n--") > FIELDS:
        raise ValueError(f"it has more than {FIELDS} parts")
    head = f"Content-Type: {callback.headers['content-type']}\r\n\r\n".encode("utf-8", "replace")
    # The policy that reads no encoded words, of which the others make gigabytes.
    read = BytesParser(policy=compat32).parsebytes(head + callback.body)
    found: dict[str, Any] = {}
    parts: Sequence[Any] = read.get_payload() if read.is_multipart() else ()  # type: ignore[assignment]
    for part in parts[:FIELDS]:
        assert isinstance(part, Mail)
        if len(str(part.get("content-disposition", ""))) > DISPOSITION:
            raise ValueError("the name of a part is too long")
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            found[name] = content.decode("utf-8", "replace")
    if not found:
        raise ValueError("its parts cannot be read")
    return found


def written(document: Mapping[str, Any]) -> bytes:
    """A document as JSON. Raises ValueError where it is nested too deeply."""
    try:
        return orjson.dumps(document)
    except (TypeError, ValueError, RecursionError):  # numbers of more than 64 bits, halves of surrogate pairs
        try:
            return json.dumps(document, separators=(",", ":")).encode()
        except (RecursionError, ValueError, TypeError):
            raise ValueError("it is nested too deeply") from None
