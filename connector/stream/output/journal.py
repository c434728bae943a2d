"""The journal of providers with `on_uncertain: report`: what is about to be sent, durable before it is sent.

A worker that is killed cannot say which requests had left. Under `resend` they are sent again; under `report` nothing
that may have been taken is, so the next owner has to know: an event that is journalled and has no result ends
`unknown`.

A record is `{"topic": …, "v": 1, "sent": [offsets], "batch_id": …}`, in the partition with the same number. At a clean
close `"released"` in place of `"sent"` takes back what the provider refused and the next owner may send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from connector.delivery.queue.item import Item
from connector.stream.output.journal_topic import JournalTopic
from connector.stream.partitions import formats
from connector.stream.partitions.formats import JOURNAL_OFFSETS, VERSION, JournalRecord
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition, partition_of
from connector.untrusted import UnreadableError

Word = Literal["sent", "released"]


class Entry(NamedTuple):
    """What a journal record says.

    Attributes:
        word: `sent` or `released`.
        topic: the source topic.
        offsets: in that topic, in the partition with the record's number.
        batch_id: of the request.
    """

    word: Word
    topic: str
    offsets: list[int]
    batch_id: str = ""


def encode(entry: Entry) -> bytes:
    """The record's value."""
    sent, released = (entry.offsets, None) if entry.word == "sent" else (None, entry.offsets)
    return formats.encode(JournalRecord(entry.topic, VERSION, sent, released, entry.batch_id))


def decode(value: bytes | None) -> Entry:
    """Read a record. Raises UnreadableError, or VersionError where another version has to read it."""
    record = formats.read_journal_record(value)
    if (record.sent is None) is (record.released is None):
        raise UnreadableError("neither `sent` nor `released`, or both")
    if record.sent is not None:
        return Entry("sent", record.topic, record.sent, record.batch_id)
    return Entry("released", record.topic, record.released or [], record.batch_id)


def apply(entry: Entry, journalled: OffsetSet) -> bool:
    """Note an entry in what is known of its partition, in the order of the log. False where it names no event there."""
    if entry.word == "sent":
        return journalled.add_all(entry.offsets)
    for offset in entry.offsets:
        journalled.discard(offset)
    return True


class Journal:
    """Writes the journal. Each partition has one write on its way at most; what comes meanwhile shares the next one.

    Args:
        topic: takes the records.
    """

    def __init__(self, topic: JournalTopic) -> None:
        self._topic = topic
        self._pending: dict[Partition, list[bytes]] = {}
        self._next: dict[Partition, asyncio.Task[None]] = {}  # write what is pending
        self._current: dict[Partition, asyncio.Task[None]] = {}

    async def sending(self, batch_id: str, items: Sequence[Item]) -> None:
        """Note that these items are about to be sent; returns when that is durable."""
        await self._note("sent", items, batch_id)

    async def release(self, items: Sequence[Item]) -> None:
        """Note that these items were refused and may be sent by the next owner; returns when that is durable."""
        await self._note("released", items)

    async def _note(self, word: Word, items: Sequence[Item], batch_id: str = "") -> None:
        writes = []
        for origin, offsets in _by_origin(items):
            pending = self._pending.setdefault(origin, [])
            for start in range(0, len(offsets), JOURNAL_OFFSETS):
                pending.append(encode(Entry(word, origin.topic, offsets[start : start + JOURNAL_OFFSETS], batch_id)))
            if origin not in self._next:
                self._next[origin] = asyncio.create_task(self._write(origin))
            writes.append(self._next[origin])
        await asyncio.wait(writes)  # who is given up meanwhile takes no write along that others wait for
        for write in writes:
            write.result()

    async def _write(self, origin: Partition) -> None:
        if origin in self._current:
            await asyncio.wait([self._current[origin]])
        self._current[origin] = self._next.pop(origin)
        try:
            await self._topic.append(origin, self._pending.pop(origin))
        finally:
            del self._current[origin]


def _by_origin(items: Sequence[Item]) -> Iterable[tuple[Partition, list[int]]]:
    offsets: dict[Partition, list[int]] = {}
    for item in items:
        offsets.setdefault(partition_of(item), []).append(item.offset)
    return offsets.items()
