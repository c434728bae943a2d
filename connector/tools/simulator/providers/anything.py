"""A provider that accepts whatever it is sent: to try a definition before its provider has opened an account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree.ElementTree import ParseError

import orjson
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from connector.tools.simulator.call import Answer, Call, LogEntry
from connector.tools.simulator.callbacks.clevertap_callbacks import CleverTapCallbacks
from connector.tools.simulator.fake import Fake
from connector.tools.simulator.knobs import Knobs
from connector.tools.simulator.receipts.fate import SentMessage

PHONES = re.compile(r"[\s,;<|]*(\+?[0-9]{5,19})(?=[\s,;<|]|$)")
TRANSPORT_HEADERS = frozenset({"host", "content-length", "date", "authorization", "traceparent", "x-amz-date"})
MAX_DEPTH = 32


class AnythingOptions(Knobs, frozen=True, kw_only=True):
    """`reply`: the JSON document or text to answer instead of the usual one; `reply_status`: its HTTP status."""

    reply: Any = None
    reply_status: int = 200


class Anything(Fake):
    """Any method and path → 200 `{"status": "accepted", "id"}`, or the reply the knobs give.

    A token request (RFC 6749, `grant_type=client_credentials`) gets a token, whatever the credentials.
    It cannot know which value is the recipient, so its log lists every value of the URL, the headers and the body that
    consists of phone numbers: an audit looks its own numbers up among them. Receipts are told of what stands beside a
    value named `mid`, in JSON, query or form.
    """

    name = "generic"
    about = "accepts and records anything"
    paths = ("/any/path",)
    options = AnythingOptions
    reports = CleverTapCallbacks

    def answer(self, call: Call) -> Answer:
        if b"client_credentials" in call.body and call.form.get("grant_type") == "client_credentials":
            token = {"access_token": f"t{self.number():x}", "token_type": "Bearer", "expires_in": 3600}
            return Answer(200, token, headers={"Cache-Control": "no-store"})
        taken: list[LogEntry] = [{"to": phone} for phone in dict.fromkeys(_phones(call))]
        identifier = f"g{self.number():x}"
        values = {"id": identifier, "method": call.method, "bytes": len(call.body)}
        status, document = 200, {"status": "accepted", "id": identifier}
        if self.knobs.reply is not None:
            status, document = self.knobs.reply_status, self.knobs.reply
        phones = [str(record["to"]) for record in taken]
        sent = [
            SentMessage(phone, identifier, self.now(), ref=mid)
            for beside, mid in _marked(call)
            for phone in (beside or phones)[:1]
        ]
        return Answer(status, document, taken=taken, values=values, sent=sent)


def _marked(call: Call) -> Iterator[tuple[list[str], str]]:
    """Every value named `mid`, with the phone numbers beside it."""
    try:
        document = orjson.loads(call.body)
    except ValueError:
        document = call.pairs
    yield from _mids(document, 0)


def _mids(node: Any, depth: int) -> Iterator[tuple[list[str], str]]:
    if depth > MAX_DEPTH:
        return
    if isinstance(node, dict):
        if isinstance(node.get("mid"), str):
            beside = [value for name, value in node.items() if name != "mid" and isinstance(value, str)]
            yield [value for value in beside if PHONES.fullmatch(value)], node["mid"]
        for value in node.values():
            yield from _mids(value, depth + 1)
    elif isinstance(node, list):
        for value in node:
            yield from _mids(value, depth + 1)


def _phones(call: Call) -> Iterator[str]:
    for value in _values(call):
        position = 0
        found = []
        while match := PHONES.match(value, position):
            found.append(match[1])
            position = match.end()
        if found and not value[position:].strip(" \t\r\n,;<|"):
            yield from found


def _values(call: Call) -> Iterator[str]:
    yield from (unquote(part) for part in call.path.split("/"))
    yield from call.query.values()
    yield from (value for name, value in call.headers.items() if name.lower() not in TRANSPORT_HEADERS)
    yield from _decoded(call.body.decode("utf-8", "replace"), 0)


def _decoded(text: str, depth: int) -> Iterator[str]:
    """Values of a text that may be JSON, XML or a form, whatever its media type says; JSON inside a form as well."""
    if depth > MAX_DEPTH:
        return
    start = text.lstrip()[:1]
    if start and start in "{[":
        try:
            yield from _leaves(orjson.loads(text), depth)
        except ValueError:
            yield text
    elif start == "<":
        try:
            for element in fromstring(text).iter():
                yield from (value for value in (element.text, *element.attrib.values()) if value)
        except (ParseError, DefusedXmlException):
            yield text
    elif "=" in text:
        for _, value in parse_qsl(text, keep_blank_values=True):
            yield from _decoded(value, depth + 1) if value[:1] in {"{", "["} else (value,)
    else:
        yield text


def _leaves(node: Any, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        return
    if isinstance(node, dict):
        for key, value in node.items():
            yield key  # a map may be keyed by phone number
            yield from _leaves(value, depth + 1)
    elif isinstance(node, list):
        for value in node:
            yield from _leaves(value, depth + 1)
    elif isinstance(node, str | int):
        yield str(node)
