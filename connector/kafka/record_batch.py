"""Record batches of format v2 read by hand, for those that aiokafka's compiled reader cannot or must not read.

Slower (3 µs a record), but a record that is broken costs itself and no other, a header's name may be any bytes, and of
a record that is larger than an event may be only its beginning is ever in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from connector.kafka.skipped import Reason

HEADER_BYTES = 61
KEY_BYTES = 64 * 1024
"""Of a record that is too large, a key up to here is kept: the result's key, so that it goes where it belongs."""
MOST_HEADERS = 1_000
"""Headers of one record. An empty one is two bytes in the log and seventy in memory."""

_HEADER = struct.Struct(">qiibIhiqqqhii")
_CODEC, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_LENGTH = struct.Struct(">qi")

# A varint of 64 bits has at most so many bytes.
_VARINT_BYTES = 10
# Of a record that is too large: what stands before its key, and the key.
_HEAD_BYTES = 5 * _VARINT_BYTES + KEY_BYTES

HeaderFields = Iterable[tuple[str, bytes | None]]


class BatchHeader(NamedTuple):
    """What a batch says of itself; the checksum covers what follows it, not what comes before (base, length, magic)."""

    base: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records: int

    @property
    def codec(self) -> int:
        return self.attributes & _CODEC

    @property
    def transactional(self) -> bool:
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def control(self) -> bool:
        return bool(self.attributes & _CONTROL)

    @property
    def end(self) -> int:
        """One past its last offset."""
        return self.base + self.last_offset_delta + 1

    @property
    def dense(self) -> bool:
        """No record was taken out: the n-th has the n-th offset, whatever it says itself."""
        return self.records == self.last_offset_delta + 1

    def timestamp(self, delta: int) -> int:
        return self.max_timestamp if self.attributes & _LOG_APPEND_TIME else self.first_timestamp + delta


def size_at(data: bytes, position: int) -> int | None:
    """Bytes of the batch there; None where not even that is left, or where it cannot be right."""
    if len(data) - position < HEADER_BYTES:
        return None
    length: int = _LENGTH.unpack_from(data, position)[1]
    size = _LENGTH.size + length
    return size if HEADER_BYTES <= size <= len(data) - position else None


def header_at(data: bytes, position: int) -> BatchHeader:
    return BatchHeader._make(_HEADER.unpack_from(data, position))


class WalkedRecord(NamedTuple):
    """A record, with what the compiled reader's have."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: HeaderFields


class Unreadable:
    """Stands for a record that cannot be read, where an event would stand: it has an offset, and becomes a result.

    Attributes:
        offset, timestamp, key: as far as they are known; -1 and None where not.
        why: for people; nothing of the record's own words.
        headers: those it has where it was read and is only too large.
        batch: it is not this record alone: its batch cannot be read from here on.
    """

    __slots__ = ("batch", "headers", "key", "offset", "reason", "timestamp", "value", "why")

    def __init__(
        self,
        offset: int,
        why: str,
        reason: Reason = Reason.UNDECODABLE,
        *,
        timestamp: int = -1,
        key: bytes | None = None,
        headers: HeaderFields = (),
        batch: bool = False,
    ) -> None:
        self.offset = offset
        self.timestamp = timestamp
        self.key = key if key is None or len(key) <= KEY_BYTES else None
        self.value: bytes | None = None
        self.headers = headers
        self.why = why
        self.reason = reason
        self.batch = batch


class Pause(Enum):
    """Nothing has come, and work was done: somebody else's turn."""

    HERE = "here"


class BrokenError(Exception):
    """From here on nothing in the batch can be read. Says why."""


def too_large(
    offset: int, size: int, most: int, *, timestamp: int, key: bytes | None, headers: HeaderFields = ()
) -> Unreadable:
    why = f"it has {size:,} bytes, and events.bytes allows {most:,}"
    return Unreadable(offset, why, Reason.TOO_LARGE, timestamp=timestamp, key=key, headers=headers)


def too_many_headers(offset: int, count: int, *, timestamp: int, key: bytes | None) -> Unreadable:
    why = f"it has {count:,} headers, and {MOST_HEADERS:,} are allowed"
    return Unreadable(offset, why, Reason.TOO_LARGE, timestamp=timestamp, key=key)


def size_of(key: bytes | None, value: bytes | None, headers: HeaderFields) -> int:
    """What counts against `events.bytes`."""
    size = len(key or b"") + len(value or b"")
    for name, content in headers:
        size += len(name) + len(content or b"")
    return size


class _Feed:
    """Bytes that come in pieces: what is needed at once is put together, what is skipped is never kept."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.data: bytes = b""
        self.at = 0

    def has(self, count: int) -> bool:
        """Whether so many bytes are left, from `at` on; they are in `data` then."""
        while len(self.data) - self.at < count:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            left = self.data[self.at :]
            self.data, self.at = (left + piece if left else piece), 0
        return True

    def skip(self, count: int) -> Iterator[bool]:
        """Pass over so many, a piece at a time; False where there are fewer."""
        while count > (there := len(self.data) - self.at):
            count -= there
            piece = next(self._pieces, None)
            self.data, self.at = piece or b"", 0
            yield piece is not None
            if piece is None:
                return
        self.at += count


def walk(
    header: BatchHeader, pieces: Iterator[bytes], start: int, most: int
) -> Iterator[WalkedRecord | Unreadable | Pause | None]:
    """Each record of a batch; a Pause after each piece that is stepped over.

    Args:
        header: of the batch.
        pieces: its records, decompressed.
        start: None stands for each record before this offset.
        most: bytes of the largest event.

    Raises:
        BrokenError: what follows cannot be read; records that were yielded hold.
        TooLargeError, UndecodableError: likewise, of the decompression.
    """
    feed = _Feed(pieces)
    expected = header.base
    for index in range(header.records):
        if expected >= header.end:  # more records than offsets: they are nobody's
            return
        feed.has(_VARINT_BYTES)  # fewer at the end
        try:
            length, begin = _varint(feed.data, feed.at)
        except IndexError:
            raise BrokenError(f"record {index + 1} of {header.records} is missing") from None
        if length <= 0:
            raise BrokenError(f"record {index + 1} of {header.records} has {length} bytes")
        feed.at = begin
        large = length > 2 * most + KEY_BYTES
        if not feed.has(min(length, _HEAD_BYTES) if large else length):
            raise BrokenError(f"record {index + 1} of {header.records} is cut off")
        found = _large(header, feed, length, expected, most) if large else _record(header, feed, length, expected, most)
        if (
            not header.base <= found.offset < header.end
            or found.offset < expected
            or (header.dense and found.offset != expected)
        ):  # it does not say where it stands, or it lies
            where = min(expected, header.end - 1)
            found = Unreadable(where, f"its offset in the batch is {found.offset - header.base}", key=found.key)
        expected = found.offset + 1
        yield found if found.offset >= start else None  # before the rest of a large one, which may be too much
        for more in feed.skip(length):
            if not more:
                raise BrokenError(f"record {index + 1} of {header.records} is cut off")
            yield Pause.HERE


def _large(header: BatchHeader, feed: _Feed, length: int, expected: int, most: int) -> Unreadable:
    """Its place and its key; the rest is not even decompressed into memory at once."""
    offset, timestamp, key = expected, -1, None
    try:
        data, position = feed.data, feed.at + 1
        delta, position = _varint(data, position)
        timestamp = header.timestamp(delta)
        delta, position = _varint(data, position)
        offset = header.base + delta
        key_length, position = _varint(data, position)
        if 0 <= key_length <= KEY_BYTES:
            key = data[position : position + key_length]
    except IndexError:
        pass
    return too_large(offset, length, most, timestamp=timestamp, key=key)


def _record(header: BatchHeader, feed: _Feed, length: int, expected: int, most: int) -> WalkedRecord | Unreadable:
    data, position = feed.data, feed.at
    end = position + length
    offset, timestamp, key = expected, -1, None
    try:
        delta, position = _varint(data, position + 1)
        timestamp = header.timestamp(delta)
        delta, position = _varint(data, position)
        offset = header.base + delta
        key, position = _bytes(data, position, end)
        value, position = _bytes(data, position, end)
        count, position = _varint(data, position)
        if count > MOST_HEADERS:
            return too_many_headers(offset, count, timestamp=timestamp, key=key)
        headers = []
        for _ in range(count):
            name, position = _bytes(data, position, end)
            content, position = _bytes(data, position, end)
            headers.append(((name or b"").decode("utf-8", "backslashreplace"), content))
    except (IndexError, ValueError):
        return Unreadable(offset, "its structure is broken", timestamp=timestamp, key=key)
    if position != end or count < 0:
        return Unreadable(offset, "its structure is broken", timestamp=timestamp, key=key)
    if (size := size_of(key, value, headers)) > most:
        return too_large(offset, size, most, timestamp=timestamp, key=key, headers=headers)
    return WalkedRecord(offset, timestamp, key, value, headers)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number in Kafka's zigzag encoding, and where it ends. Raises IndexError where it does not."""
    byte = data[position]
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), position + 1
    value, shift = byte & 0x7F, 7
    for place in range(position + 1, position + _VARINT_BYTES):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), place + 1
        shift += 7
    raise IndexError("a varint of more than 10 bytes")


def _bytes(data: bytes, position: int, end: int) -> tuple[bytes | None, int]:
    """Bytes with their length before them; None where it is negative. Raises ValueError where they leave the record."""
    length, position = _varint(data, position)
    if length < 0:
        return None, position
    if position + length > end:
        raise ValueError("longer than its record")
    return data[position : position + length], position + length
