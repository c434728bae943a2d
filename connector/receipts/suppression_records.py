"""Who must not be texted, as records of a compacted topic: the last record of a phone is what counts.

The key is the phone's digits, so that every spelling is one; with a sender behind it, where only that sender's messages
are meant. The value says since when and by what. A record without a value lifts it; its headers say the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from connector.receipts.phones import key_of
from connector.receipts.receipt_records import Fields, ReceiptPlace
from connector.untrusted import BoundedReader

RECORD_BYTES: Final = 8 * 1024
BY: Final = "by"
_SENDER: Final = b"/"


class By(StrEnum):
    """What put a phone on the list, or took it off."""

    REPLY = "reply"  # the person said so
    BLOCKED = "blocked"  # the provider did
    PERSON = "person"  # somebody of ours, with a command


class SuppressionRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value of a record.

    Attributes:
        phone: as E.164 has it.
        since: when the person said so, or somebody of ours.
        by: `reply`, `blocked` or `person`; others may write their own word.
        sender: only messages from this number or name; None: from any.
        provider: name of the definition that told.
        entry: what it was read from: its record in `topics.inbound`.
        note: for people.
    """

    phone: Annotated[str, Meta(min_length=1, max_length=64)]
    since: datetime
    by: Annotated[str, Meta(max_length=64)]
    sender: Annotated[str, Meta(max_length=256)] | None = None
    provider: Annotated[str, Meta(max_length=256)] | None = None
    entry: ReceiptPlace | None = None
    note: Annotated[str, Meta(max_length=2_000)] | None = None


_encode = msgspec.json.Encoder().encode
_read: BoundedReader[SuppressionRecord] = BoundedReader(SuppressionRecord, most=RECORD_BYTES)


def suppression_key(phone: str, sender: str | None = None) -> bytes:
    """The key of a phone's record."""
    key = key_of(phone)
    return key if sender is None else key + _SENDER + sender.encode("utf-8", "replace")


def read_suppression_key(key: bytes) -> tuple[bytes, str | None]:
    """The phone's digits, and the sender."""
    phone, slash, sender = key.partition(_SENDER)
    return phone, sender.decode("utf-8", "replace") if slash else None


def suppression(record: SuppressionRecord) -> Fields:
    """Nobody texts the phone from now on."""
    return suppression_key(record.phone, record.sender), _encode(record), []


def lift(record: SuppressionRecord) -> Fields:
    """The phone may be texted again: no value, and who says so in a header."""
    return suppression_key(record.phone, record.sender), None, [(BY, _encode(record))]


def read_suppression(value: bytes | None) -> SuppressionRecord | None:
    """The value of a record; None where it lifts. Raises UnreadableError."""
    return None if value is None else _read(value)


def lifted_by(headers: Iterable[tuple[str, bytes | None]]) -> SuppressionRecord | None:
    """Who lifted it, where that is said. Raises UnreadableError."""
    said = next((value for name, value in headers if name == BY), None)
    return None if said is None else _read(said)
