"""Which results, or dead letters, a command or a page is about, and what is shown of one. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord

from connector.untrusted import BoundedReader, UnreadableError

ERRORS = "__connect.errors."
"""What the names of a dead letter's headers begin with."""

TEXTS = (
    *("message_id", "provider", "campaign_id", "to", "status", "reason", "code"),
    *("provider_message_id", "completed_at"),
)
"""Fields that are shown."""

_read = BoundedReader(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted; an empty field wants all.

    Attributes:
        statuses: any of these.
        providers: any of these.
        reason: part of the reason, whatever its case.
    """

    statuses: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    campaign: str | None = None
    message_id: str | None = None
    reason: str | None = None

    @property
    def all(self) -> bool:
        """Nothing is left out."""
        return self == Selection()

    def wants(self, result: Mapping[str, Any]) -> bool:
        """Whether this result is one of them."""
        return (
            (not self.statuses or result.get("status") in self.statuses)
            and (not self.providers or result.get("provider") in self.providers)
            and self.campaign in (None, result.get("campaign_id"))
            and self.message_id in (None, result.get("message_id"))
            and (self.reason is None or self.reason.lower() in str(result.get("reason") or "").lower())
        )

    def read(self, value: bytes | None) -> dict[str, Any] | None:
        """The result in a record's value when it is wanted; None also for what is no result."""
        if value is None or (self.message_id is not None and not may_hold(value, self.message_id)):
            return None
        document = decode(value)
        return document if document is not None and self.wants(document) else None


def decode(value: bytes | None) -> dict[str, Any] | None:
    """An event or a result: a JSON object; None for anything else.

    Anybody may write into a topic: of the fields that are shown, those that are no texts are left empty.
    """
    try:
        document = _read(value)
    except UnreadableError:
        return None
    for name in TEXTS:
        if not isinstance(document.get(name, ""), str):
            document[name] = None
    return document


def text_headers(record: ConsumerRecord) -> defaultdict[str, str]:
    """A record's headers as text, whatever is in them; empty where there is none of a name."""
    found: defaultdict[str, str] = defaultdict(str)
    for name, value in record.headers:
        found[name] = (value or b"").decode("utf-8", "replace")
    return found


def is_number(text: str) -> bool:
    """Whether it is one that Kafka has: `int` refuses some thousand digits, and takes those of other scripts."""
    return text.isascii() and text.isdecimal() and len(text) <= 19


def may_hold(value: bytes, message_id: str) -> bool:
    """Whether it is worth decoding: an id that JSON writes as it is must stand there."""
    escaped = not message_id.isascii() or not message_id.isprintable() or not set('"\\/').isdisjoint(message_id)
    return escaped or message_id.encode() in value
