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


class _Write:
    """Records of one partition that are written together.

    Attributes:
        records: encoded.
        task: writes them.
    """

    __slots__ = ("_waiting", "records", "task")

    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self._waiting: list[asyncio.Future[BaseException | None]] = []

    def ended(self) -> asyncio.Future[BaseException | None]:
        """Why it failed, or None, once that is known.

        A future of their own for all who ask: it is cancelled with them, and whoever is given up takes no write along
        that others wait for. `asyncio.wait` for the task does the same for three times as much, in each request.
        """
        waiting: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        return waiting

    def end(self, failure: BaseException | None) -> None:
        """It is durable, or has failed."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(failure)


class Journal:
    """Writes the journal. Each partition has one write on its way at most; what comes meanwhile shares the next one.

    Args:
        topic: takes the records.
    """

    def __init__(self, topic: JournalTopic) -> None:
        self._topic = topic
        self._next: dict[Partition, _Write] = {}  # takes what comes
        self._current: dict[Partition, _Write] = {}

    async def sending(self, batch_id: str, items: Sequence[Item]) -> None:
        """Note that these items are about to be sent; returns when that is durable."""
        await self._note("sent", items, batch_id)

    async def release(self, items: Sequence[Item]) -> None:
        """Note that these items were refused and may be sent by the next owner; returns when that is durable."""
        await self._note("released", items)

    async def _note(self, word: Word, items: Sequence[Item], batch_id: str = "") -> None:
        ends = []
        for origin, offsets in _by_origin(items):
            write = self._next.get(origin)
            if write is None:
                write = self._next[origin] = _Write()
                write.task = asyncio.create_task(self._write(origin, write))
            for start in range(0, len(offsets), JOURNAL_OFFSETS):
                part = offsets[start : start + JOURNAL_OFFSETS]
                write.records.append(encode(Entry(word, origin.topic, part, batch_id)))
            ends.append(write.ended())
        for failure in [await end for end in ends]:
            if failure is not None:
                raise failure

    async def _write(self, origin: Partition, write: _Write) -> None:
        failure: BaseException | None = None
        try:
            if origin in self._current:
                await self._current[origin].ended()
            self._current[origin] = self._next.pop(origin)
            await self._topic.append(origin, write.records)
        except Exception as error:
            failure = error  # raised in each who waits: none of them may send
        except BaseException as error:
            failure = error
            raise
        finally:
            for writes in (self._next, self._current):
                if writes.get(origin) is write:
                    del writes[origin]
            write.end(failure)


def _by_origin(items: Sequence[Item]) -> Iterable[tuple[Partition, list[int]]]:
    offsets: dict[Partition, list[int]] = {}
    for item in items:
        offsets.setdefault(partition_of(item), []).append(item.offset)
    return offsets.items()
