"""Reading who must not be texted: from the snapshot and the topic to its end before events are admitted, and onwards.

The topic has one partition: whoever writes a number, with whatever client, writes it behind what was said before.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import structlog
from aiokafka import TopicPartition

from connector.clock import Clock
from connector.errors import Problem, TopicError
from connector.kafka.clients import started
from connector.kafka.fetched import ReadOptions
from connector.kafka.guarded import GuardedConsumer
from connector.kafka.outage import Outlast
from connector.kafka.reader import Bounds
from connector.kafka.skipped import Reason, Skipped
from connector.suppressions import snapshot
from connector.suppressions.phone_list import PhoneList
from connector.suppressions.record import KeyFormatError, phone_of, suppresses
from connector.suppressions.snapshot import LastRecord, SnapshotError, TooOldError

log = structlog.get_logger(__name__)

POLL_MILLISECONDS: Final = 500
LOADING_MILLISECONDS: Final = 50
"""So long waits who wants to open partitions, at most, behind a poll of who follows."""
LOOK_SECONDS: Final = 15.0
"""How often it is asked whether everything was read: a consumer whose brokers are away only hears nothing."""
SNAPSHOT_SECONDS: Final = 600.0
"""Between two snapshots of a list that changes."""
SNAPSHOT_AGAIN_SECONDS: Final = 4 * 3600.0
"""Between two of one that does not change: each says when the list was whole, and is too old a day later."""
SNAPSHOT_AGE_SECONDS: Final = 20 * 3600.0
"""Kafka keeps a record without a value, which lifts a suppression, for a day (`delete.retention.ms`): with a snapshot
that is older the number might stay suppressed for ever."""
RECORD_BYTES: Final = 64 * 1024
RECORDS: Final = 2_000
"""Between two turns of the event loop: some 5 ms. What more of them leave behind in memory is not given back."""


class SuppressionsCluster(Protocol):
    """Which cluster it is, and how far its topics go.

    Implemented by `Cluster` (connector/stream/partitions/cluster.py), put in place in
    `connector/stream/wiring/suppression.py`.
    """

    async def name(self) -> str:
        """The id of the cluster."""
        ...

    async def stable_ends(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Where the first transaction that is not decided begins, or the end."""
        ...

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Bounds]:
        """The logs' bounds, whatever is decided."""
        ...


@dataclass(frozen=True, slots=True)
class SuppressionStatus:
    """How far the list is.

    Attributes:
        numbers: entries; 0 until it is whole.
        read, expected: records read since the start, and those that were to be read then.
        unconfirmed: seconds since it was known that everything in the topic is read; None before.
    """

    numbers: int
    read: int
    expected: int
    unconfirmed: float | None


class SuppressionReader:
    """A consumer without a group, which fills the list.

    Args:
        options: for the aiokafka client.
        folder: of the snapshot; None: there is none.
        skipped: where records that name nobody are counted.

    Attributes:
        seen: records read since the start.
        expected: records to the end of the topic at the start.
        complete_at: monotonic seconds when everything was known to be read; None before.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        cluster: SuppressionsCluster,
        topic: str,
        phones: PhoneList,
        folder: str | None,
        skipped: Skipped,
        clock: Clock,
    ) -> None:
        self._options = {**options, "auto_offset_reset": "earliest"}
        self._cluster = cluster
        self._topic = topic
        self._phones = phones
        self._path = None if folder is None else Path(folder) / "suppressions.snapshot"
        self._skipped = skipped
        self._clock = clock
        self._consumer: GuardedConsumer | None = None
        self._partition = TopicPartition(topic, 0)
        self._turn = asyncio.Lock()
        # Whom the topic lifts, while it is found out whether it speaks of all whom a snapshot holds.
        self._lifted: PhoneList | None = None
        self._of_old_snapshot: LastRecord | None = None
        self._made_anew = False
        self._unreached: tuple[int, float, float] | None = None
        self._expected_first: LastRecord | None = None
        self._last: LastRecord | None = None
        self._saved: LastRecord | None = None
        self._saved_at = float("-inf")
        self._complete_wall = self._saved_complete = 0.0
        self._cluster_name = ""
        self.seen = 0
        self.expected = 0
        self.complete_at: float | None = None

    @property
    def status(self) -> SuppressionStatus:
        """For metrics and pages."""
        complete_at = self.complete_at
        return SuppressionStatus(
            numbers=0 if self._phones.loading else len(self._phones),
            read=self.seen,
            expected=self.expected,
            unconfirmed=None if complete_at is None else self._clock.monotonic() - complete_at,
        )

    async def start(self, numbers: Collection[int]) -> None:
        """Connect, and read the snapshot, where that is still to be done; `numbers` are the topic's partitions.

        Raises:
            TopicError: it is not there, or has more than one partition.
        """
        if self._consumer is not None:
            return
        if not numbers:
            remedy = "run `sms-connector topics create`, or correct the name in `topics.suppressions`"
            raise TopicError([Problem("is not on the cluster, or may not be seen", remedy, path=self._topic)])
        reading = ReadOptions(self._skipped, isolation="committed", raw=True, most=RECORD_BYTES)
        consumer = GuardedConsumer(**self._options, reading=reading, group_id=None, enable_auto_commit=False)
        await started(consumer)
        try:
            consumer.assign([self._partition])
            self._cluster_name = await self._cluster.name()
            await self._load()
            await self._seek(consumer)
        except BaseException:
            await consumer.stop()
            raise
        self._consumer = consumer

    async def stop(self) -> None:
        """Disconnect, and save what has changed since the last snapshot."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()
            await self._save()

    async def catch_up(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Read everything that is in the topic now; given up where it is not `wanted` any more."""
        assert self._consumer is not None
        end = await self._end()
        if self._phones.loading:
            self.expected = self.seen + max(0, end - await self._consumer.position(self._partition))
        while not await self._reached(end):
            if not wanted():
                return
            await self._read(end)
        if self._expected_first is not None:  # it was the last record, and is gone: another topic, or cleaned away
            await self._begin_anew("the last record it knows is not in the topic")
            await self.catch_up(wanted)
            return
        if self._phones.loading:
            await self._complete(end)
            self._note_complete()
        else:
            await self._look()

    async def run(self, outlast: Outlast) -> None:
        """Follow, for ever; brokers that are away are waited for."""
        while True:
            deadline = self._clock.monotonic() + LOOK_SECONDS
            while self._clock.monotonic() < deadline:
                await outlast(lambda: self._read(None), doing=f"reading {self._topic}")
            if not self._phones.loading:
                await outlast(self._look, doing=f"looking at the end of {self._topic}")
                await self._save_when_due()

    async def _look(self) -> None:
        """Complete is what stood in the topic at a look: also behind a transaction that was open then."""
        assert self._consumer is not None
        end, now = await self._written_end(), (self._clock.monotonic(), self._clock.wall())
        position = await self._consumer.position(self._partition)
        if self._unreached is not None and position >= self._unreached[0]:
            self.complete_at, self._complete_wall = self._unreached[1:]
            self._unreached = None
        if position >= end:
            self._note_complete()
        elif self._unreached is None:
            self._unreached = end, *now

    async def _written_end(self) -> int:
        return int((await self._cluster.bounds([self._partition]))[self._partition].end)

    def _note_complete(self) -> None:
        self.complete_at, self._complete_wall = self._clock.monotonic(), self._clock.wall()
        self._unreached = None

    async def _end(self) -> int:
        return (await self._cluster.stable_ends([self._partition]))[self._partition]

    async def _reached(self, end: int) -> bool:
        assert self._consumer is not None
        position: int = await self._consumer.position(self._partition)
        return position >= end

    async def _read(self, end: int | None) -> None:
        """Take in what has come, unless everything before `end` is: then nothing more is waited for."""
        async with self._turn:  # catching up and following take turns
            assert self._consumer is not None
            if end is not None and await self._reached(end):
                return
            wait = LOADING_MILLISECONDS if self._phones.loading else POLL_MILLISECONDS
            polled = await self._consumer.getmany(timeout_ms=wait, max_records=RECORDS)
            for records in polled.values():
                if not self._is_expected(records):
                    await self._begin_anew("it is of an earlier topic of this name")
                    return
                self._notice_another_topic(records)
                self._apply(records)

    def _notice_another_topic(self, records: Sequence[Any]) -> None:
        """Offsets never go back in one topic; that of the last record a snapshot knows is never given again."""
        if not records:
            return
        last, old = self._last, self._of_old_snapshot
        if last is not None and records[0].offset < last.offset:
            log.error(
                "the topic of suppressions was made anew; this worker goes on with what it knew as well",
                topic=self._topic,
                remedy="write the numbers again: `sms-connector suppress import`",
            )
        if old is not None and records[0].offset <= old.offset <= records[-1].offset:
            same = (it for it in records if it.offset == old.offset)
            self._made_anew = any(LastRecord.of(it.offset, it.timestamp, it.key, it.value) != old for it in same)

    def _is_expected(self, records: Sequence[Any]) -> bool:
        """Whether the first record read behind a snapshot is the last one that the snapshot knows."""
        expected = self._expected_first
        if expected is None or not records:
            return True
        self._expected_first = None
        first = records[0]
        return LastRecord.of(first.offset, first.timestamp, first.key, first.value) == expected

    def _apply(self, records: Sequence[Any]) -> None:
        add, lift, lifted = self._phones.add, self._phones.lift, self._lifted
        before, stop = None, False  # an import writes one value millions of times
        for record in records:
            try:
                phone = phone_of(record.key)
            except KeyFormatError as error:
                self._skipped.note(self._topic, 0, record.offset, Reason.UNDECODABLE, what=str(error))
                continue
            if record.value is None or record.value != before:
                before, stop = record.value, suppresses(record.value)
            if stop:
                add(phone)
            else:
                lift(phone)
                if lifted is not None:
                    lifted.add(phone)
        if records:
            last = records[-1]
            self.seen += len(records)
            self._last = LastRecord.of(last.offset, last.timestamp, last.key, last.value)

    async def _complete(self, end: int) -> None:
        """The list is whole: from now on it may be asked.

        Raises:
            TopicError: it is shorter than it may be.
        """
        async with self._turn:  # who follows applies nothing between the sorting and its end
            prepared = await asyncio.to_thread(self._phones.prepare)
            await self._refuse_a_loss(end)
            self._phones.finish(prepared)
        _trim()
        log.info("suppressions read", topic=self._topic, numbers=len(self._phones), records=self.seen)

    async def _refuse_a_loss(self, end: int) -> None:
        """Nobody is texted again because the topic was deleted, cut or made anew.

        Whom a snapshot holds the topic names: whoever was lifted since is in it for a day, longer than a snapshot is
        used. An older one says nothing of a topic that goes on, but of one that is another.
        """
        lifted, old = self._lifted, self._of_old_snapshot
        if lifted is None or self._path is None:
            return
        if old is None or self._made_anew or end <= old.offset:
            lost = await asyncio.to_thread(self._count_lost, self._path, lifted)
            if lost:
                message = (
                    f"says nothing of {lost} numbers that must not be texted, which the snapshot {self._path} has: "
                    "was the topic deleted, cut or made anew? Workers that start now would text them"
                )
                remedy = (
                    f"write them again with `sms-connector suppress import --snapshot {self._path}`; if they may be "
                    "texted, delete that file"
                )
                raise TopicError([Problem(message, remedy, path=self._topic)])
        self._lifted = self._of_old_snapshot = None

    def _count_lost(self, path: Path, lifted: PhoneList) -> int:
        has, was_lifted = self._phones.has, lifted.has
        try:
            return sum(1 for phone in snapshot.entries(path) if not (has(phone) or was_lifted(phone)))
        except (OSError, SnapshotError):  # it may vanish at any time
            return 0

    # ---- the snapshot -----------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        if self._path is None:
            return
        oldest, cluster = self._clock.wall() - SNAPSHOT_AGE_SECONDS, self._cluster_name
        try:
            contents = await asyncio.to_thread(
                snapshot.read, self._path, self._phones, cluster=cluster, topic=self._topic, oldest=oldest
            )
        except (OSError, SnapshotError) as error:
            if isinstance(error, TooOldError) and error.last is not None:
                self._lifted, self._of_old_snapshot = PhoneList(), error.last
            log.warning(
                "snapshot of suppressions not used; the topic is read whole", path=str(self._path), why=str(error)
            )
            return
        if contents is not None:
            self._last = self._saved = self._expected_first = contents.last
            self._saved_complete = contents.complete_at

    async def _seek(self, consumer: GuardedConsumer) -> None:
        if self._last is None:
            await consumer.seek_to_beginning(self._partition)
        else:
            consumer.seek(self._partition, self._last.offset)

    async def _begin_anew(self, why: str) -> None:
        """The snapshot was of another topic: read this one whole."""
        log.warning("snapshot of suppressions not used; the topic is read whole", path=str(self._path), why=why)
        assert self._consumer is not None
        self._phones.restore_empty()
        self._lifted = PhoneList()
        self._last = self._saved = self._expected_first = None
        await self._seek(self._consumer)

    async def _save_when_due(self) -> None:
        if self._clock.monotonic() >= self._saved_at + SNAPSHOT_SECONDS:
            await self._save()

    async def _save(self) -> None:
        """Write one where something has changed, or the last one ages. It may fail: the next start reads more."""
        if self._path is None or self._phones.loading:
            return
        last, complete_at = self._last, self._complete_wall
        if last == self._saved and complete_at < self._saved_complete + SNAPSHOT_AGAIN_SECONDS:
            return
        self._saved_at = self._clock.monotonic()
        try:
            await asyncio.to_thread(
                snapshot.write,
                self._path,
                self._phones,
                cluster=self._cluster_name,
                topic=self._topic,
                last=last,
                complete_at=complete_at,
            )
        except OSError as error:
            log.warning("snapshot of suppressions not written", path=str(self._path), error=str(error))
        else:
            self._saved, self._saved_complete = last, complete_at


def _trim() -> None:
    """Give back what loading took: a fifth of the list stands in holes between its pieces (glibc only)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
