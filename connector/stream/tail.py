"""What a new owner of a partition reads before its first event: which events are settled already.

Every record we write says in its header `settles` which event it finishes, and every commit says where such records
began for the events after it. Reading from there to the end makes the hand-over exact: an event whose result is durable
is never sent again, however far the committed offset lags behind it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec
import structlog
from aiokafka import ConsumerRecord, TopicPartition

from connector.clock import Clock
from connector.model import Source

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

log = structlog.get_logger(__name__)

SETTLES = "settles"
# How often a long read says how far it is.
PROGRESS_SECONDS = 5.0
# One poll of the reader; large enough that parsing, not polling, is the cost.
POLL_RECORDS = 20_000


def settles(topic: str, partition: int, offset: int) -> bytes:
    """The value of the header `settles`: the event's place in Kafka."""
    return f"{topic}/{partition}/{offset}".encode()


def settled_place(headers: Iterable[tuple[str, bytes]]) -> tuple[str, int] | None:
    """What a record with these headers finishes: `topic/partition` and offset. None where the header is not ours."""
    for name, value in headers:
        if name == SETTLES and value is not None:
            place, _, offset = value.decode("utf-8", "replace").rpartition("/")
            return (place, int(offset)) if offset.isdecimal() else None
    return None


class _Sourced(msgspec.Struct):
    source: Source


_decode_sourced = msgspec.json.Decoder(_Sourced).decode


def result_source(value: bytes | None) -> Source | None:
    """The event a result is of; None when it is no result of ours."""
    try:
        return _decode_sourced(value or b"").source
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def encode_metadata(ends: Mapping[str, int], *, closed: bool = False) -> str:
    """Commit metadata: `{"v":1,"ends":{"sms.results":123}}`. The broker keeps at most 4,096 bytes of it.

    With `closed` it is the last one of an epoch: nothing of the partition is under way any more.
    """
    document = {"v": 1, "ends": dict(ends)} | ({"closed": True} if closed else {})
    return json.dumps(document, separators=(",", ":"))


def is_closed(metadata: str) -> bool:
    """Whether the commit was the last one of an epoch that was closed in order."""
    try:
        document = json.loads(metadata)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("v") == 1 and document.get("closed") is True


def decode_metadata(metadata: str) -> dict[str, int]:
    """Read commit metadata; anything that is not ours (another client, an older version) reads as no ends at all."""
    try:
        document = json.loads(metadata)
        ends = document["ends"] if document["v"] == 1 else {}
        return {str(topic): int(end) for topic, end in ends.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


class Offsets:
    """A set of offsets of one source partition: a bitmap that slides along.

    While nothing is committed the whole results log is read. An offset more than two spans behind the newest one seen
    cannot be open any more (a worker never admits more than one span past its oldest open offset), so the bitmap holds
    at most four spans.
    """

    def __init__(self, span: int) -> None:
        self._span = span
        self._base: int | None = None
        self._flags = bytearray()
        self._first: int | None = None

    def add(self, offset: int) -> None:
        if self._base is None:
            self._base = max(0, offset - self._span)
        if offset < self._base:
            return
        self._first = offset if self._first is None else min(self._first, offset)
        index = offset - self._base
        if index >= 4 * self._span:
            drop = index - 2 * self._span
            del self._flags[:drop]
            self._base += drop
            self._first = self._base
            index = offset - self._base
        if index >= len(self._flags):
            self._flags.extend(bytes(index + 1 - len(self._flags)))
        self._flags[index] = 1

    def discard(self, offset: int) -> None:
        index = offset - (self._base or 0)
        if 0 <= index < len(self._flags):
            self._flags[index] = 0

    def __contains__(self, offset: int) -> bool:
        index = offset - (self._base or 0)
        return 0 <= index < len(self._flags) and bool(self._flags[index])

    def __bool__(self) -> bool:
        return self._base is not None

    def __iter__(self) -> Iterator[int]:
        base, index = self._base or 0, self._flags.find(1)
        while index >= 0:
            yield base + index
            index = self._flags.find(1, index + 1)

    def resume_at(self, since: int | None = None) -> int | None:
        """Where to go on when no offset is committed: the first unsettled offset after the first settled one.

        With `since`, after that offset where it comes before the first settled one: known to be where all began.
        """
        if self._base is None or self._first is None:
            return None
        first = self._first if since is None else min(self._first, max(since, self._base))
        hole = self._flags.find(0, first - self._base)
        return self._base + (len(self._flags) if hole < 0 else hole)


async def read_tail(
    reader: AIOKafkaConsumer,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    seen: Callable[[TopicPartition, ConsumerRecord], None],
    *,
    clock: Clock,
    wanted: Callable[[], bool],
) -> int:
    """Read every partition of `starts` forward to `ends`, calling `seen(partition, record)`.

    `wanted` is asked between polls; when it says False (the assignment has gone) the read ends early.
    Returns the number of records read.
    """
    todo = {tp for tp, start in starts.items() if start < ends[tp]}
    if not todo:
        return 0
    total = sum(ends[tp] - starts[tp] for tp in todo)
    reader.assign(list(todo))
    for tp in todo:
        reader.seek(tp, starts[tp])
    read, said = 0, clock.monotonic()
    while todo and wanted():
        for tp, records in (await reader.getmany(timeout_ms=200, max_records=POLL_RECORDS)).items():
            for record in records:
                if record.offset < ends[tp]:
                    read += 1
                    seen(tp, record)
        for tp in list(todo):
            if await reader.position(tp) >= ends[tp]:
                todo.discard(tp)
                reader.pause(tp)
        if clock.monotonic() - said >= PROGRESS_SECONDS:
            said = clock.monotonic()
            log.info("reading results back", read=read, of=total, partitions_left=len(todo))
    return read
