"""Checks of charsets, bytes and content types."""

from __future__ import annotations

import re
from typing import Final

from connector.config_text.source import Map
from connector.definition.charsets import Charset, CharsetError, charset
from connector.definition.expression import Expression
from connector.definition.findings import Findings
from connector.definition.payload import ENCODINGS
from connector.definition.tree import Constant, ObjectMember, Operation, Text
from connector.definition.walk import uses, where

_charset_in = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE).search

# A body of a kind → content types that say another kind.
_OTHER: Final = {
    "pairs": ("json", "xml", "text/plain"),
    "json": ("x-www-form-urlencoded", "xml"),
    "xml": ("x-www-form-urlencoded", "json"),
    "text": (),
    "multipart": (),
}
_SAID: Final = {"pairs": "a form", "json": "JSON", "xml": "XML"}


def written_content_type(operation: Operation) -> tuple[str, str] | None:
    """The header's name and its constant value; None where the definition writes none, or none that is constant."""
    for member in operation.headers.members:
        if isinstance(member, ObjectMember) and isinstance(member.key, str) and member.key.lower() == "content-type":
            return (member.key, str(member.value.value)) if isinstance(member.value, Constant) else None
    return None


def body_charset(operation: Operation) -> Charset:
    """The charset that the Content-Type names, UTF-8 where it names none. Raises CharsetError where it cannot be."""
    written = written_content_type(operation)
    named = _charset_in(written[1]) if written is not None else None
    if named is None:
        return charset("utf-8")
    found = charset(named[1])
    if found.codec == "gsm":
        raise CharsetError("GSM 03.38 is no charset of HTTP", "write encode('gsm') where the text stands")
    if operation.kind == "pairs" and not found.holds_ascii:
        raise CharsetError(
            f"a form cannot be written in {found.name}, which does not write ASCII as ASCII",
            f"leave it out, and write encode('{found.name}') where the text stands",
        )
    return found


def content_type(operation: Operation, source: Map, report: Findings) -> None:
    """The charset of the body exists, and the header does not say another kind of body."""
    written = written_content_type(operation)
    if written is None or operation.kind == "none" or (operation.kind == "pairs" and operation.method == "GET"):
        return
    name, said = written
    place = where(source, ("headers", name))
    try:
        body_charset(operation)
    except CharsetError as error:
        report.error(place, error.message, error.remedy)
    for other in _OTHER.get(operation.kind, ()):
        if other in said.lower():
            report.warn(
                place,
                f"the header says {said.partition(';')[0]}, and the body is {_SAID[operation.kind]}",
                "write what the provider expects",
            )


def charset_of_query(operation: Operation, source: Map, report: Findings) -> None:
    """A charset of the Content-Type is the body's: a URL and a query are written in UTF-8."""
    written = written_content_type(operation)
    named = _charset_in(written[1]) if written is not None else None
    if written is None or named is None:
        return
    try:
        found = charset(named[1])
    except CharsetError:
        return  # told where it is the body's
    if found.codec in ("utf-8", "ascii"):
        return
    as_query = operation.kind == "pairs" and operation.method == "GET"
    for use in uses(operation):
        in_url = use.path[0] in ("url", "query") or (as_query and use.path[0] == "parameters")
        texts = {"Body", "TemplateVariables", operation.content} & use.expression.names
        if in_url and texts and not use.expression.octets and not _WRITTEN.intersection(_filters(use.expression)):
            report.warn(
                where(source, use.path),
                f"this stands in the URL, which is written in UTF-8: {found.name} of the Content-Type is the body's",
                f"write encode('{found.name}') behind it, or leave the charset out",
            )


def lines(operation: Operation, source: Map, report: Findings) -> None:
    """In a body of plain text nothing is escaped: a line break in a value begins a line of the body."""
    if operation.kind != "text" or not isinstance(operation.body, Text) or len(operation.body.parts) == 1:
        return  # a body that is the text itself holds nothing to be mistaken for
    if operation.batching is not None and operation.batching.join == "\n":
        return  # a message that holds more of them than are written is invalid
    for use in uses(operation):
        names = use.expression.names - {"To"}
        if use.path[0] == "parameters" and names and not (_WRITTEN | _ONE_LINE).intersection(_filters(use.expression)):
            report.warn(
                where(source, use.path),
                f"nothing is escaped in plain text: a line break in {use.expression.written} begins a line of its own",
                f"write $${{{use.expression.source.removesuffix('?').rstrip()}|one_line}}, or another format",
            )


def _filters(expression: Expression) -> set[str]:
    return {call.filter.name for call in expression.filters if not call.filter.chooses}


_WRITTEN: Final = frozenset({"base64", "base64url", "urlencode", "hex", "digits", "e164", "national", "int", "hash32"})
"""What these give is ASCII in one line; so are digests."""

_ONE_LINE: Final = frozenset({"one_line", "replace", "json", "bool01", "ref", "map", "date", "md5", "sha256", "hmac"})


def octets(operation: Operation, source: Map, report: Findings) -> None:
    """Bytes stand where bytes can: in pairs, in a URL, in a body of plain text."""
    for use in uses(operation):
        if not use.expression.octets:
            continue
        nested = [segment[1:] for segment in use.path if segment in ENCODINGS]
        kind = nested[-1] if nested else use.path[0] if use.path[0] != "parameters" else operation.kind
        said = {"json": "JSON", "xml": "XML", "headers": "a header"}.get(kind)
        if said is not None:
            remedy = "write `hex` or `base64` behind it; a whole body in another charset is `charset=…` of Content-Type"
            report.error(where(source, use.path), f"`encode` gives bytes, which {said} cannot hold", remedy)


def one_coding(operation: Operation, source: Map, report: Findings) -> None:
    """Where a flag tells GSM texts from others, the text is not written in UTF-16 for both: half would be garbage."""
    found = list(uses(operation))
    flagged = any(
        call.filter.chooses and call.constant and use.expression.head.text == "Body"
        for use in found
        for call in use.expression.filters
    )
    if not flagged:
        return
    for use in found:
        filters = use.expression.filters
        if any(call.filter.chooses for call in filters) or not use.expression.sends("Body"):
            continue
        for call in filters:
            name = call.arguments[0] if call.filter.name in ("hex", "encode") else None
            if isinstance(name, str) and charset(name).codec.startswith("utf-16"):
                written = f"Body|{call.filter.name}('{name}')"
                report.warn(
                    where(source, use.path),
                    f"every text is written in {name}, also those for which `gsm` says otherwise elsewhere",
                    f"write $${{Body|gsm(Body, {written})}}, or the same flag for all",
                )
