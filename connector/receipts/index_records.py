"""What is looked up, and what it is looked up in, as records: entries in `topics.receipts_in`, the index's own, and how
far the index is.

The key of both decides the partition, so that an entry and what it waits for meet in one place. Neither number nor text
stands in the index.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from connector.model import Source, Status
from connector.receipts.callback import BatchToken, MessageToken, ReceiptEntry
from connector.receipts.correlation import INDEXED, KEY_BYTES, keys_in
from connector.receipts.receipt_records import HEADER_BYTES, VERSION, Fields, ReceiptPlace
from connector.untrusted import BoundedReader, UnreadableError

LOOKUP: Final = "lookup"
WATERMARK: Final = "watermark"
DAY: Final = 86_400.0
INDEX_BYTES: Final = 2 * 1024
MOST_KEYS: Final = 64
"""Of one result: two for each secret."""
WATERMARK_BYTES: Final = 256 * 1024  # of ten thousand partitions

_Instant = Annotated[float, Meta(ge=0, le=253_402_300_799.0)]
_Count = Annotated[int, Meta(ge=0, le=10_000_000)]


class LookupHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """The header `lookup` of an entry, as JSON.

    Attributes:
        arrived: when the callback came, seconds since the epoch.
        index, count: the how manyth of how many of its callback.
        batch_id, day: of the token of its request, where one came with it.
        others: further keys to look up, in hexadecimal, once this one was found nowhere: secrets are being changed.
    """

    v: Annotated[int, Meta(ge=0, le=9_999)]
    provider: Annotated[str, Meta(max_length=256)]
    arrived: _Instant
    index: _Count = 0
    count: _Count = 1
    batch_id: Annotated[str, Meta(max_length=64)] | None = None
    day: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    others: Annotated[str, Meta(max_length=1_024)] = ""


class IndexRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The value of a record of the index: one message that a key may mean.

    Attributes:
        source: the message's event.
        day: when its result was known, days since the epoch.
    """

    v: Annotated[int, Meta(ge=0, le=9_999)]
    source: ReceiptPlace
    day: Annotated[int, Meta(ge=0, le=10_000_000)]
    message_id: Annotated[str, Meta(max_length=256)] | None = None
    campaign_id: Annotated[str, Meta(max_length=256)] | None = None

    @property
    def token(self) -> MessageToken:
        """Whose it is, as a reference would say."""
        at = self.source
        return MessageToken(Source(at.topic, at.partition, at.offset), self.day, self.message_id, self.campaign_id)


class Watermark(msgspec.Struct, frozen=True):
    """How far the index is.

    Attributes:
        until: partition of `topics.results` → everything that was written to it before this is in the index;
            milliseconds since the epoch, by the brokers' clock.
    """

    v: Annotated[int, Meta(ge=0, le=9_999)]
    until: dict[Annotated[int, Meta(ge=0, le=2**31 - 1)], Annotated[int, Meta(ge=0, le=2**53)]]


class _IndexedResult(msgspec.Struct):
    """What the index needs of a result."""

    status: Status
    source: ReceiptPlace
    completed_at: Annotated[datetime, Meta(tz=True)]
    message_id: Annotated[str, Meta(max_length=256)] | None = None
    campaign_id: Annotated[str, Meta(max_length=256)] | None = None


_encode = msgspec.json.Encoder().encode
_read_lookup: BoundedReader[LookupHeader] = BoundedReader(LookupHeader, most=HEADER_BYTES)
_read_index: BoundedReader[IndexRecord] = BoundedReader(IndexRecord, most=INDEX_BYTES)
_read_watermark: BoundedReader[Watermark] = BoundedReader(Watermark, most=WATERMARK_BYTES)
_read_result: BoundedReader[_IndexedResult] = BoundedReader(_IndexedResult)


def lookup_record(entry: ReceiptEntry) -> Fields:
    """An entry that has to be looked up, by the first of its keys: that is the record's, and decides its partition."""
    token = entry.token if isinstance(entry.token, BatchToken) else None
    first, *others = entry.keys
    header = LookupHeader(
        VERSION,
        entry.provider,
        entry.arrived,
        entry.index,
        entry.count,
        None if token is None else token.batch_id,
        0 if token is None else token.day,
        b"".join(others).hex(),
    )
    return first, entry.document, [(LOOKUP, _encode(header))]


def read_lookup(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> ReceiptEntry:
    """What `lookup_record` wrote; others may write there too.

    Raises:
        UnreadableError: it is none of ours, or of another version.
    """
    found = [raw for name, raw in headers if name == LOOKUP]
    if len(found) != 1 or value is None or key is None or len(key) != KEY_BYTES:
        raise UnreadableError("no header `lookup`, no value, or no key of ours")
    header = _read_lookup(found[0])
    if header.v != VERSION:
        raise UnreadableError(f"format version {header.v}; this one knows {VERSION}")
    try:
        others = keys_in(bytes.fromhex(header.others))
    except ValueError:
        raise UnreadableError("its further keys are none") from None
    token = None if header.batch_id is None else BatchToken(header.batch_id, header.day)
    keys = (key, *others)
    return ReceiptEntry(header.provider, header.arrived, header.index, header.count, value, token, {}, keys)


def index_records(header: bytes, value: bytes | None) -> list[Fields]:
    """What the index keeps of a result, for each of the keys in its header; nothing where no receipt can be of it.

    Raises:
        UnreadableError: it is no result of ours.
    """
    result = _read_result(value)
    if result.status not in INDEXED:
        return []
    keys = keys_in(header)
    if len(keys) > MOST_KEYS:
        raise UnreadableError(f"{len(keys)} keys to look it up by")
    day = int(result.completed_at.timestamp() // DAY)
    known = IndexRecord(VERSION, result.source, day, result.message_id, result.campaign_id)
    raw = _encode(known)
    return [(key, raw, []) for key in keys]


def read_index(value: bytes | None) -> IndexRecord:
    """A message that a key may mean. Raises UnreadableError."""
    found = _read_index(value)
    if found.v != VERSION:
        raise UnreadableError(f"format version {found.v}; this one knows {VERSION}")
    return found


def watermark_record(until: dict[int, int]) -> Fields:
    """How far the index is, for each of its partitions; see `Watermark`."""
    return None, None, [(WATERMARK, _encode(Watermark(VERSION, until)))]


def read_watermark(headers: Iterable[tuple[str, bytes | None]]) -> Watermark | None:
    """How far the index is; None where the record says something else. Raises UnreadableError."""
    found = [raw for name, raw in headers if name == WATERMARK]
    if not found:
        return None
    mark = _read_watermark(found[0])
    if mark.v != VERSION:
        raise UnreadableError(f"format version {mark.v}; this one knows {VERSION}")
    return mark
