"""A request as a fake provider sees it, and its answer: plain values, so that a fake is tested without a network."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

if TYPE_CHECKING:
    from connector.tools.simulator.receipts.fate import SentMessage

LogEntry = dict[str, Any]
"""One message of a request, for the log: `to` and `text` as received, `ref` the caller's reference, `id` what the
fake gave it, `code` its reason where it refused."""


@dataclass(frozen=True)
class Call:
    """An HTTP request addressed to one fake.

    Attributes:
        method: in capitals.
        path: percent-encoded as sent, without the fake's prefix and the query.
        query_string: as sent.
        headers: case-insensitive mapping.
        body: the whole body.
        url: absolute, as the client addressed it (signatures cover it).
    """

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes
    url: str = ""

    @cached_property
    def query(self) -> dict[str, str]:
        """Query parameters; of repeated ones the last."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @cached_property
    def form(self) -> dict[str, str]:
        """The body as application/x-www-form-urlencoded; of repeated fields the last."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def media(self) -> str:
        """The media type of the body in lower case, without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def pairs(self) -> dict[str, str]:
        """Query and form together, as providers with one handler for GET and POST read them."""
        return {**self.query, **self.form} if self.method == "POST" else self.query

    def json(self) -> Any:
        """The body as JSON; raises ValueError."""
        return orjson.loads(self.body)

    @property
    def basic(self) -> tuple[str, str] | None:
        """User name and password of HTTP Basic authentication (RFC 7617)."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return (user, password) if colon else None

    @property
    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer` (RFC 6750)."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        return value.strip() if scheme.lower() == "bearer" else None


@dataclass(slots=True)
class Answer:
    """What a fake answers, and what it made of the messages.

    Attributes:
        status: HTTP status.
        document: the reply: bytes and text as they are, anything else as JSON. A callable makes it from `results`.
        results: the reply's per-message list, if any: faults shuffle and shorten it before `document` is made.
        media: Content-Type.
        headers: further headers.
        taken: messages the provider would now send.
        refused: messages it said no to.
        values: what the request said once for all its messages.
        sent: the taken messages as far as receipts are told of them.
    """

    status: int
    document: Any
    results: list[Any] | None = None
    media: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    taken: list[LogEntry] = field(default_factory=list)
    refused: list[LogEntry] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    sent: list[SentMessage] = field(default_factory=list)

    def encode(self) -> bytes:
        """The reply's body."""
        document = self.document
        if isinstance(document, Callable):  # type: ignore[arg-type]
            document = document(self.results)
        if isinstance(document, bytes):
            return document
        return document.encode() if isinstance(document, str) else orjson.dumps(document)


class RefusedCall(Exception):  # noqa: N818  an answer, raised where a check fails, not a fault of the simulator
    """The request as a whole is refused with `answer`."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"HTTP {answer.status}")
