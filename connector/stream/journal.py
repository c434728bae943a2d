"""The journal of providers with `on_uncertain: report`: what is about to be sent, durable before it is sent.

A worker that is killed cannot say which requests had left. Under `resend` they are sent again; under `report` nothing
that may have been taken is, so the next owner has to know: an event that is journalled and has no result ends
`unknown`.

A record is `{"batch_id": …, "topic": …, "sent": [offsets]}`, in the partition with the same number. At a clean
close `{"topic": …, "released": [offsets]}` takes back what the provider refused and the next owner may send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Literal, NamedTuple

import orjson

from connector.delivery.item import Item
from connector.stream.partition import Partition
from connector.stream.tail import Offsets

Word = Literal["sent", "released"]

# Offsets per record: 1,000 take at most 20 kB, far below any topic's limit.
RECORD_OFFSETS = 1_000


class Entry(NamedTuple):
    """A journal record.

    Attributes:
        word: `sent` or `released`.
        topic: the source topic.
        offsets: in that topic, in the partition with the record's number.
    """

    word: Word
    topic: str
    offsets: list[int]


def encode(entry: Entry, batch_id: str = "") -> bytes:
    """The record's value."""
    document = {"topic": entry.topic, entry.word: entry.offsets}
    return orjson.dumps({"batch_id": batch_id, **document} if batch_id else document)


def decode(value: bytes | None) -> Entry | None:
    """Read a record; None when it is not one of ours."""
    try:
        document = orjson.loads(value or b"")
        word: Word = "sent" if "sent" in document else "released"
        return Entry(word, str(document["topic"]), [int(offset) for offset in document[word]])
    except (ValueError, TypeError, KeyError):
        return None


def apply(entry: Entry, journalled: Offsets) -> None:
    """Note an entry in what is known of its partition, in the order of the log."""
    for offset in entry.offsets:
        if entry.word == "sent":
            journalled.add(offset)
        else:
            journalled.discard(offset)


Append = Callable[[Partition, Sequence[bytes]], Awaitable[None]]


class Journal:
    """Writes the journal. Each partition has one write on its way at most; what comes meanwhile shares the next one.

    Args:
        append: writes values to a partition of the journal and returns when they are acknowledged.
    """

    def __init__(self, append: Append) -> None:
        self._append = append
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
            for start in range(0, len(offsets), RECORD_OFFSETS):
                entry = Entry(word, origin.topic, offsets[start : start + RECORD_OFFSETS])
                pending.append(encode(entry, batch_id))
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
            await self._append(origin, self._pending.pop(origin))
        finally:
            del self._current[origin]


def _by_origin(items: Sequence[Item]) -> Iterable[tuple[Partition, list[int]]]:
    offsets: dict[Partition, list[int]] = {}
    for item in items:
        offsets.setdefault(item.origin, []).append(item.offset)
    return offsets.items()
