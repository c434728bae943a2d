"""What workers write for each other, and the versions of it: commit metadata, `settles`, retry headers, the journal.

Workers of two versions share a group while a rolling upgrade goes on, and anybody may write into a topic. So each
format is read within bounds, keys that are not known are passed over, and a record says its version:

- `v` in commit metadata, retry headers and journal records; without it, it is 1, as connector 0.1 writes them.
- `settles` is `topic/partition/offset` and has no room for one. Another format of it gets a header of its own, beside
  this one for as long as workers that know only this one may run: who cannot read it sends the event again.

Version 1 of each is read by connector 0.1, which ignores further keys. A key that must not be ignored needs a new `v`.

What another version says is never guessed. Commit metadata then reads as no ends: opening takes longer. A retry record
or a journal record keeps its event as it is, neither sent nor settled, for a worker that can read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

from connector.model import Source
from connector.untrusted import BoundedReader, UnreadableError

VERSION = 1

SETTLES = "settles"
"""The header that names the event a record finishes: `topic/partition/offset`."""
# A topic's name has 249 characters at most, a partition's number 10 digits, an offset 19.
SETTLES_BYTES = 249 + 1 + 10 + 1 + 19

RETRY = "retry"
"""The header of a retry record; see `RetryHeader`."""

METADATA_BYTES = 4096
"""What a broker keeps of a commit's metadata."""

JOURNAL_OFFSETS = 1_000
"""Offsets per journal record: they take at most 20 kB, far below any topic's limit."""

# What Kafka's protocol can say.
PartitionNumber = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Offset = Annotated[int, Meta(ge=0, le=2**63 - 1)]
# Seconds since the epoch, to the year 9999: what `datetime` can say.
Instant = Annotated[float, Meta(ge=0, le=253_402_300_799.0)]
KafkaTopicName = Annotated[str, Meta(min_length=1, max_length=249)]
Version = Annotated[int, Meta(ge=0, le=9_999)]


class VersionError(Exception):
    """A record of another version.

    Attributes:
        needed: the version that can read it.
    """

    def __init__(self, needed: int) -> None:
        super().__init__(f"format version {needed}; this worker knows {VERSION}")
        self.needed = needed


class EventPlace(msgspec.Struct, frozen=True):
    """A `Source` whose numbers are some that Kafka has."""

    topic: KafkaTopicName
    partition: PartitionNumber
    offset: Offset


class Metadata(msgspec.Struct, frozen=True):
    """Of a commit: `{"v":1,"ends":{"sms.results":123}}`.

    Attributes:
        ends: per topic we write to, where records may begin that settle the events after the committed offset.
        closed: it is the last one of an epoch: nothing of the partition is under way any more.
        owed: events whose results are owed, from the committed offset on: how many are not and how many are, in turns.
        waiting_from: of entries that are looked up, the first one that waits; all before it are done with.
        counts: by `name_of` a campaign with a cap, how many events it has before the committed offset.
    """

    ends: dict[KafkaTopicName, Offset] = msgspec.field(default_factory=dict)
    v: Version = VERSION
    closed: bool | msgspec.UnsetType = msgspec.UNSET
    owed: list[Offset] | msgspec.UnsetType = msgspec.UNSET
    waiting_from: Offset | msgspec.UnsetType = msgspec.UNSET
    counts: dict[str, Offset] | msgspec.UnsetType = msgspec.UNSET


class RetryHeader(msgspec.Struct, frozen=True):
    """The header `retry`, as JSON.

    Attributes:
        source: the event's place; the identity of its result.
        attempts: requests it was in so far.
        due: wall seconds before which it is not to be sent; 0 as soon as its tier has passed.
        deadline: wall seconds after which it is not sent any more.
        received_at: when the connector first read the event.
        uncertain: an earlier request with it may have been taken.
        ordinal: which event of its campaign it is in its partition, where it waits because of the campaign's cap.
    """

    source: Source
    received_at: Annotated[datetime, Meta(tz=True)]
    attempts: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    due: Instant = 0.0
    deadline: Annotated[float, Meta(ge=-(10.0**12), le=10.0**12)] | None = None
    uncertain: bool = False
    v: Version = VERSION
    ordinal: Offset | msgspec.UnsetType = msgspec.UNSET


class JournalRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is about to be sent, or may be sent again: `{"batch_id": …, "topic": …, "sent": [offsets], "v": 1}`.

    Attributes:
        topic: the source topic; the partition is the record's own.
        sent, released: offsets there; one of the two.
        batch_id: our id of the request.
    """

    topic: KafkaTopicName
    v: Version
    sent: Annotated[list[Offset], Meta(max_length=JOURNAL_OFFSETS)] | None = None
    released: Annotated[list[Offset], Meta(max_length=JOURNAL_OFFSETS)] | None = None
    batch_id: Annotated[str, Meta(max_length=128)] = ""


class _ReadJournalRecord(JournalRecord, frozen=True, omit_defaults=True):
    v: Version = 1


class _Versioned(msgspec.Struct):
    v: Version = 1


class _ForeignJournalRecord(msgspec.Struct):
    """What can be made out of a journal record of another version: which events it may be about."""

    topic: KafkaTopicName
    v: Version = 1
    sent: list[Offset] = msgspec.field(default_factory=list)
    released: list[Offset] = msgspec.field(default_factory=list)


class _Sourced(msgspec.Struct):
    source: EventPlace


T = TypeVar("T", bound="Metadata | RetryHeader | JournalRecord")
_version = BoundedReader(_Versioned)
_sourced = BoundedReader(_Sourced)
_foreign = BoundedReader(_ForeignJournalRecord)
_encode = msgspec.json.Encoder().encode


class _Format(Generic[T]):
    """Reads one of them."""

    def __init__(self, kind: type[T], *, most: int | None = None) -> None:
        self._read: BoundedReader[T] = BoundedReader(kind, most=most)

    def __call__(self, raw: bytes | str | None) -> T:
        """Raises UnreadableError, or VersionError where it would have to be read by another version."""
        try:
            found = self._read(raw)
        except UnreadableError:
            if (version := _version_of(raw)) != VERSION:
                raise VersionError(version) from None
            raise
        if found.v != VERSION:
            raise VersionError(found.v)
        return found


def _version_of(raw: bytes | str | None) -> int:
    try:
        return _version(raw).v
    except UnreadableError:
        return VERSION


def journalled_by_another(value: bytes | None) -> tuple[str, list[int]]:
    """Topic and offsets of events that a journal record of another version is about. Raises UnreadableError."""
    found = _foreign(value)
    return found.topic, found.sent + found.released


read_retry = _Format(RetryHeader)
read_journal_record: _Format[JournalRecord] = _Format(_ReadJournalRecord)
read_metadata = _Format(Metadata, most=METADATA_BYTES)


def encode_metadata(metadata: Metadata) -> str:
    """Commit metadata as the broker keeps it, up to METADATA_BYTES."""
    return _encode(metadata).decode()


def encode(record: RetryHeader | JournalRecord) -> bytes:
    """A retry header or a journal record."""
    return _encode(record)


def ends_of(metadata: str) -> Mapping[str, int]:
    """The ends in commit metadata; none where it is not ours, or of another version: reading takes longer then."""
    try:
        return read_metadata(metadata).ends
    except (UnreadableError, VersionError):
        return {}


def waiting_from(metadata: str, position: int) -> int:
    """The first entry that waits, as commit metadata of `position` says; `position` where it says none."""
    try:
        said = read_metadata(metadata).waiting_from
    except (UnreadableError, VersionError):
        return 0
    return position if said is msgspec.UNSET else said


def counts_of(metadata: str) -> Mapping[str, int]:
    """Events of campaigns with a cap before a committed offset; none where the metadata is not ours."""
    try:
        return read_metadata(metadata).counts or {}
    except (UnreadableError, VersionError):
        return {}


def turns(position: int, owed: Iterable[int]) -> list[int]:
    """Offsets from `position` on as `Metadata.owed` has them."""
    found: list[int] = []
    end = position
    for offset in sorted(owed):
        if offset == end and found:
            found[-1] += 1
        elif offset >= end:
            found += [offset - end, 1]
        end = offset + 1
    return found


def owed_of(metadata: str, position: int, end: int) -> list[int]:
    """Events whose results are owed, as commit metadata of `position` says; none from `end` on, where the log ends."""
    try:
        said = read_metadata(metadata).owed
    except (UnreadableError, VersionError):
        return []
    found: list[int] = []
    at = position
    for skipped, owed in zip(said[::2], said[1::2], strict=False) if said else ():
        at = min(at + skipped, end)
        found += range(at, min(at + owed, end))
        at = min(at + owed, end)
    return found


def is_closed(metadata: str) -> bool:
    """Whether the commit was the last one of an epoch that was closed in order."""
    try:
        return read_metadata(metadata).closed is True
    except (UnreadableError, VersionError):
        return False


def settles(topic: str, partition: int, offset: int) -> bytes:
    """The value of the header `settles`: the event's place in Kafka."""
    return f"{topic}/{partition}/{offset}".encode()


def settled_place(headers: Iterable[tuple[str, bytes | None]]) -> tuple[str, int] | None:
    """What a record with these headers finishes: `topic/partition` and offset.

    None where there is no such header, more than one, or one that names no place. Whether the place is one that the
    record can finish is for the caller to see.
    """
    found = [value for name, value in headers if name == SETTLES]
    if len(found) != 1 or found[0] is None or len(found[0]) > SETTLES_BYTES:
        return None
    place, _, offset = found[0].decode("ascii", "replace").rpartition("/")
    return (place, int(offset)) if offset.isdecimal() else None


def result_source(value: bytes | None) -> Source | None:
    """The event a result is of; None where it is no result of ours."""
    try:
        place = _sourced(value).source
    except UnreadableError:
        return None
    return Source(place.topic, place.partition, place.offset)
