"""aiokafka's fetcher, made to outlive what is written in topics: what it fetched is read by `fetched`, step by step.

aiokafka raises where a batch cannot be decoded, and raises it again with the next fetch, for ever; it decodes headers'
names as UTF-8; it opens a batch whole, whatever its size; it makes an object of each record of a fetch before the first
one is handed over.

Two names of aiokafka are replaced: the fetched bytes are kept beside `MemoryRecords` (process-wide; nothing else
changes by it), and a fetcher that was made is given the class `GuardedFetcher`.

It also wakes seldom where nothing comes. aiokafka's looks five times a second whether there is something to do, though
whatever there may be wakes it: an answer, what was consumed, a seek, a partition that is resumed.
"""

# ruff: noqa: SLF001  a class of ours in aiokafka's place, held by tests/contract

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer import fetcher as upstream
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import RecordTooLargeError
from aiokafka.record.memory_records import MemoryRecords

from connector.kafka import codecs
from connector.kafka.fetch_pacing import FetchPacing
from connector.kafka.fetched import BatchSteps, Fetched, GuardedRecords, ReadOptions
from connector.kafka.patient_coordinator import PatientCoordinator

LOOK_SECONDS = 1.0
"""How often a fetcher looks around though nothing woke it (aiokafka: 0.2)."""


class KeptRecords(MemoryRecords):  # type: ignore[misc]
    """What was fetched of a partition; the bytes as well, which the compiled class shows nobody."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class TopicTurns:
    """Whose records are handed over first, of topics that one consumer reads.

    A poll takes what one partition with a backlog has. Were partitions taken as they were fetched, a topic with twelve
    of them held up each event of another by twelve polls: half a second for a one-time password beside a campaign.
    """

    def __init__(self) -> None:
        self._polls = 0
        self._last: dict[str, int] = {}

    def order(self, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Those first whose topic's last turn is longest ago; of one topic as they came."""
        return sorted(partitions, key=lambda tp: self._last.get(tp.topic, 0))

    def note(self, drained: Mapping[TopicPartition, Fetched]) -> None:
        """The topic that a poll took most of has had its turn; who had little to read stays in front."""
        records = Counter[str]()
        for tp, taken in drained.items():
            records[tp.topic] += len(taken)
        if records:
            self._polls += 1
            self._last[max(records, key=records.__getitem__)] = self._polls


class GuardedFetcher(Fetcher):  # type: ignore[misc]
    """Reads what was fetched through `GuardedRecords`."""

    reading: ReadOptions
    failures: dict[TopicPartition, tuple[int, int]]
    turns: TopicTurns
    pacing: FetchPacing | None
    """When the next fetch may be asked for; at once where there is none."""

    def _get_actions_per_node(self, assignment: Any) -> Any:
        if self.pacing is not None and (delay := self.pacing.delay) > 0:
            return [], {}, delay, False, []
        return super()._get_actions_per_node(assignment)

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> bool:
        answer: bool = await super()._proc_fetch_request(assignment, node_id, request)
        # In the same turn of the loop as they were put there: nobody has seen them.
        for tp, result in list(self._records.items()):
            if type(result) is FetchResult:
                fetched = result._partition_records
                if type(fetched) is PartitionRecords:
                    data, aborted = fetched._records.data, fetched._aborted_transactions
                    start = fetched.next_fetch_offset
                    result._partition_records = self._guarded(assignment, tp, data, start=start, aborted=aborted)
                    # aiokafka breaks the reference cycle with its iterator at its end, which is never reached here.
                    # A fetch, up to a megabyte, would stay until a full garbage collection: those are rare.
                    fetched._records_iterator = None
            elif isinstance(result._error, RecordTooLargeError):
                # It could not make out the first batch, since one comes whole (KIP-74), and has moved on by itself.
                state = assignment.state_value(tp)
                start = state.position - 1
                state.consumed_to(start)
                nothing = self._guarded(assignment, tp, b"", start=start, aborted=())
                self._records[tp] = FetchResult(tp, assignment=assignment, partition_records=nothing, backoff=0)
        return answer

    def _guarded(
        self, assignment: Any, tp: TopicPartition, data: bytes, *, start: int, aborted: Sequence[tuple[int, int]]
    ) -> GuardedRecords:
        return GuardedRecords(
            BatchSteps(
                tp,
                data,
                start=start,
                end=max(assignment.state_value(tp).highwater or 0, start + 1),
                aborted=aborted if self._isolation_level == READ_COMMITTED else (),
                reading=self.reading,
                failures=self.failures,
            )
        )

    async def fetched_records(
        self,
        partitions: Sequence[TopicPartition],
        timeout: float = 0,  # noqa: ASYNC109  aiokafka's
        max_records: int | None = None,
    ) -> dict[TopicPartition, Fetched]:
        """What aiokafka's does, but for a bound in bytes, and turns for others while nothing comes of much work. Once
        other partitions are assigned it answers at once: it was asked about those of before.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (timeout or 0)
        if self._subscriptions.reassignment_in_progress:
            await self._subscriptions.wait_for_assignment()
        assignment = self._subscriptions.subscription.assignment
        while assignment.active:
            if self._subscriptions.reassignment_in_progress:
                await self._subscriptions.wait_for_assignment()
                continue
            drained, busy = self._drain(partitions, math.inf if max_records is None else max_records)
            if drained:
                return drained
            if busy:
                await asyncio.sleep(0)
                continue
            if (left := deadline - loop.time()) <= 0:
                return drained
            waiter = self._create_fetch_waiter()
            news = [waiter, assignment.unassign_future]
            await asyncio.wait(news, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if not waiter.done() or self._closed:
                waiter.cancel()
                return {}
            waiter.result()
        return {}

    def _drain(self, partitions: Sequence[TopicPartition], most: float) -> tuple[dict[TopicPartition, Fetched], bool]:
        """One turn: what each partition has, and whether one has more that only takes work."""
        drained: dict[TopicPartition, Fetched] = {}
        held = len(self._records)
        try:
            busy = self._take(partitions, most, drained)
        finally:
            if self.pacing is not None:
                self.pacing.note(sum(map(len, drained.values())))
            if len(self._records) < held:
                self._ask_again()
        return drained, busy

    def _take(self, partitions: Sequence[TopicPartition], most: float, drained: dict[TopicPartition, Fetched]) -> bool:
        busy = False
        for tp in self.turns.order(self._records):
            if partitions and tp not in partitions:
                if not self._subscriptions.is_assigned(tp):
                    del self._records[tp]
                continue
            result = self._records[tp]
            if type(result) is not FetchResult:
                if drained:
                    break  # it is raised with the next call
                del self._records[tp]
                result.check_raise()
                continue
            if not result.check_assignment(tp):
                del self._records[tp]
                continue
            records: GuardedRecords = result._partition_records
            taken = records.pop(most)
            result._update_position()
            if records.done:
                del self._records[tp]
            else:
                busy = busy or not taken
            if taken or taken.end > taken.start:
                drained[tp] = taken
                most -= len(taken)
                if most <= 0:
                    break
        # Behind those that had their turn: nobody with much to read keeps others waiting.
        for tp in drained:
            if tp in self._records:
                self._records.move_to_end(tp)
        self.turns.note(drained)
        return busy

    def _ask_again(self) -> None:
        """Partitions have nothing left here: the next fetch is asked for, when its time has come."""
        if self.pacing is not None and (delay := self.pacing.delay) > 0:
            asyncio.get_running_loop().call_later(delay, lambda: self._notify(self._wait_consume_future))
        else:
            self._notify(self._wait_consume_future)


upstream.MemoryRecords = KeptRecords
codecs.bound_legacy()


def guard(consumer: AIOKafkaConsumer, reading: ReadOptions, pacing: FetchPacing | None = None) -> None:
    """Make a consumer that was started read so. Its isolation level is its own."""
    fetcher = consumer._fetcher
    fetcher.__class__ = GuardedFetcher
    fetcher.reading, fetcher.failures, fetcher.turns, fetcher.pacing = reading, {}, TopicTurns(), pacing
    fetcher._fetcher_timeout = LOOK_SECONDS


class GuardedConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """A consumer that reads so from its start.

    Args:
        reading: how.
        options: for aiokafka; the isolation level follows from `reading`.
    """

    def __init__(self, *topics: str, reading: ReadOptions, **options: Any) -> None:
        level = "read_committed" if reading.isolation == "committed" else "read_uncommitted"
        super().__init__(*topics, isolation_level=level, **options)
        self._reading = reading

    async def start(self) -> None:
        """Connect. Raises aiokafka.errors.KafkaConnectionError where no broker answers."""
        await super().start()
        guard(self, self._reading)
        if type(self._coordinator) is GroupCoordinator:
            self._coordinator.__class__ = PatientCoordinator
