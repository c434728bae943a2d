"""What Kafka neither takes nor refuses: written down as owed, and ended where its topic is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata, TopicPartition

from connector.clock import ManualClock
from connector.errors import RefusedError
from connector.kafka.batches import RecordFields, unpack
from connector.stream.output import dispatch as dispatching
from connector.stream.output.debts import Debts, decode
from connector.stream.output.dispatch import BatchPlace, Dispatch
from connector.stream.output.overdue import CALM_LOOK_SECONDS, LATE_SECONDS, OVERDUE_LOOK_SECONDS, Overdue
from connector.stream.output.replaceable_producer import ReplaceableProducer
from connector.stream.output.shrinking import forms
from connector.stream.output.writability import Writability
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.formats import owed_of
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from tests.stream.dispatching import FakeProof, read_back
from tests.stream.test_debts import metadata_of, record

PATIENCE = 60.0


class Mute:
    """A producer whose batches are answered when the test says so; of topics that are not there it knows nothing."""

    def __init__(self, there: dict[str, set[int]]) -> None:
        self.there = there
        self.batches: list[tuple[BatchBuilder, asyncio.Future[RecordMetadata], str]] = []

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(100_000, 0)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def refresh(self) -> None: ...

    async def partitions_for(self, topic: str) -> set[int]:
        while topic not in self.there:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return self.there[topic]

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        future: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        self.batches.append((batch, future, topic))
        return future

    def acknowledge(self) -> None:
        for batch, future, topic in self.batches:
            future.set_result(RecordMetadata(topic, 0, TopicPartition(topic, 0), 0, 0, 0, 0))
            assert len(unpack(batch)) == batch.record_count(), "who has looked into it has not spoiled it"
        self.batches.clear()


class Writer:
    """Holds what waits behind the batches that are on their way."""

    def __init__(self) -> None:
        self.noted: list[Collection[Partition] | None] = []

    async def note(self, origins: Collection[Partition] | None = None) -> None:
        self.noted.append(origins)


class Case:
    def __init__(self, *, journal: bool = True) -> None:
        self.clock = ManualClock()
        self.there: dict[str, set[int]] = {"results": {0}, "dead": {0}, "journal": {0}, "retry": {0}}
        self.reachable = True
        self.origin = Partition("in", 0, Ledger(0), ReplayMarks(0, {"results": 7}), {}, 0, OffsetSet(100))
        self.origin.ledger.admit_run(0, 1000)
        self.written: list[bytes] = []
        self.metadata = ""
        self.journal = journal
        self.producer = Mute(dict(self.there))
        self.writable = Writability(self.clock, patience=PATIENCE)
        self.debts = Debts(
            journal=SimpleNamespace(append=self._append), positions=SimpleNamespace(commit_again=self._commit)
        )
        self.proof = FakeProof()
        self.dispatch = Dispatch(
            ReplaceableProducer(lambda: self.producer),  # type: ignore[arg-type, return-value]
            writable=self.writable,
            read_back=read_back(),
            proof=self.proof,  # type: ignore[arg-type]
            clock=self.clock,
        )
        owned = Assignment()
        owned.own([self.origin], [], 1)
        self.writer = Writer()
        self.overdue = Overdue(
            self.dispatch,
            writable=self.writable,
            debts=self.debts,
            writer=self.writer,  # type: ignore[arg-type]
            cluster=self,  # type: ignore[arg-type]
            owned=owned,
            results="results",
        )

    async def partitions(self, topics: Collection[str]) -> dict[str, set[int]]:
        if not self.reachable:
            raise KafkaConnectionError
        return {topic: self.there.get(topic, set()) for topic in topics}

    async def _append(self, _: Partition, values: Sequence[bytes], *, optional: bool) -> bool:
        assert optional
        if self.journal:
            self.written += values
        return self.journal

    async def _commit(self, partition: Partition) -> bool:
        self.metadata = metadata_of({}, 0, partition.owed)
        return True

    async def sending(self, *offsets: int, topic: str = "results", **options: Any) -> asyncio.Task[list[RecordFields]]:
        options = {"debts": self.debts, "forms": forms} if topic == "results" else options
        place, batches = BatchPlace(self.origin, topic, 0), self.dispatch.pack([record(it) for it in offsets])
        task = asyncio.create_task(self.dispatch.send(place, batches, **options))
        await turns()
        return task

    async def look(self) -> None:
        await self.overdue.find_gone()
        await self.overdue.note()

    @property
    def owed(self) -> list[int]:
        return sorted(it.offset for it in map(decode, self.written) if it is not None)


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatching, "AGAIN_SECONDS", 0.0)


async def test_results_that_nobody_acknowledges_are_written_down_once_and_their_batch_goes_on() -> None:
    case = Case()
    task = await case.sending(3, 4)
    await case.look()
    assert case.owed == [], "a moment is nothing"
    case.clock.advance(LATE_SECONDS)
    await case.look()
    await case.look()
    assert case.owed == [3, 4]
    assert case.debts.unwritten == 0
    assert case.writer.noted == [{case.origin}] * 2, "what waits behind them likewise"
    assert not case.writable.holding
    case.producer.acknowledge()
    assert await task == []
    case.debts.settled(case.origin, [3, 4])
    assert case.debts.count == 0
    assert case.proof.topics == ["results"]


async def test_where_the_journal_does_not_take_them_either_the_commit_says_so() -> None:
    case = Case(journal=False)
    task = await case.sending(3, 4)
    case.clock.advance(LATE_SECONDS)
    await case.look()
    assert owed_of(case.metadata, 0, 1000) == [3, 4]
    task.cancel()


async def test_the_last_word_of_a_process_does_not_wait_until_they_are_late() -> None:
    case = Case()
    task = await case.sending(3)
    await case.overdue.last_word()
    assert case.owed == [3]
    assert case.writer.noted == [None]
    task.cancel()


async def test_a_topic_that_is_gone_stops_sending_and_ends_with_the_remedy() -> None:
    case = Case()
    task = await case.sending(3)
    del case.there["results"]
    case.clock.advance(LATE_SECONDS)
    await case.look()
    assert case.writable.holding
    assert not task.done()
    case.clock.advance(PATIENCE)
    await case.look()
    with pytest.raises(RefusedError, match="topics create") as caught:
        await task
    assert caught.value.exit_code == 78
    assert case.dispatch.abandoned, "a producer holds its batch: it is not to be written in another epoch"
    assert not case.producer.batches[0][1].cancelled(), "aiokafka does not expect that"
    with pytest.raises(RefusedError):
        await case.dispatch.send(
            BatchPlace(case.origin, "results", 0), case.dispatch.pack([record(9)]), debts=case.debts
        )
    assert case.owed == [3, 9]


@pytest.mark.parametrize("topic", ["results", "retry", "journal"])
async def test_a_topic_that_is_back_is_written_to_again(topic: str) -> None:
    case = Case()
    task = await case.sending(3, topic=topic)
    there = case.there.pop(topic)
    case.clock.advance(LATE_SECONDS)
    await case.look()
    assert case.writable.holding
    case.there[topic] = there
    await case.look()
    assert not case.writable.holding
    case.producer.acknowledge()
    assert await task == []


async def test_a_topic_that_lacks_the_partition_is_as_good_as_gone() -> None:
    case = Case()
    task = await case.sending(3)
    case.there["results"] = {1, 2}
    case.clock.advance(LATE_SECONDS)
    await case.look()
    assert case.writable.holding
    task.cancel()


async def test_brokers_that_do_not_answer_are_no_topic_that_is_gone() -> None:
    case = Case()
    task = await case.sending(3)
    case.reachable = False
    case.clock.advance(LATE_SECONDS + PATIENCE)
    await case.look()
    assert not case.writable.holding
    assert case.owed == [3]
    task.cancel()


@pytest.mark.parametrize("known", [True, False], ids=["batch", "partitions"])
async def test_dead_letters_that_are_gone_hold_up_nobody(known: bool) -> None:
    """They are left over at once from then on, and taken again when the topic is back."""
    case = Case()
    place = BatchPlace(case.origin, "dead", 0)
    if known:
        task: asyncio.Task[Any] = await case.sending(3, topic="dead", optional=True)
    else:
        del case.producer.there["dead"]
        task = asyncio.create_task(case.dispatch.partitions(place))
        await turns()
    there = case.there.pop("dead")
    case.clock.advance(LATE_SECONDS)
    await case.look()
    with pytest.raises(RefusedError):
        await task
    assert not case.writable.holding
    with pytest.raises(RefusedError):
        await case.dispatch.partitions(place)
    case.there["dead"] = case.producer.there["dead"] = there
    await case.look()
    assert await case.dispatch.partitions(place) == {0}


async def test_with_the_results_what_no_commit_has_passed_is_owed() -> None:
    """Their records have gone with the topic: nobody could know again that they were sent."""
    case = Case()
    case.origin.ledger.settle([2, 3, 7])
    task = await case.sending(5)
    del case.there["results"]
    case.clock.advance(LATE_SECONDS)
    await case.look()
    assert owed_of(case.metadata, 0, 1000) == [2, 3, 7]
    assert case.owed == [5]
    task.cancel()


async def test_more_of_them_than_a_commit_holds_stand_in_the_journal() -> None:
    case = Case()
    case.origin.ledger.admit_run(1000, 10_000)
    case.origin.ledger.settle(range(1, 10_000, 2))
    del case.there["results"]
    task = await case.sending(0)
    case.clock.advance(LATE_SECONDS)
    await case.look()
    assert case.owed == [0, *range(1, 10_000, 2)]
    task.cancel()


async def test_somebody_elses_cancellation_is_none_of_a_topic_that_is_gone() -> None:
    case = Case()
    task = await case.sending(3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not case.dispatch.abandoned
    assert case.dispatch.late(0.0) == []


def test_a_topic_that_is_gone_is_told_with_what_to_do() -> None:
    refused = Writability(ManualClock(), patience=1.0).refuse("results", UnknownTopicOrPartitionError())
    assert "is not on the cluster any more" in str(refused)


@pytest.mark.parametrize("calm", [True, False])
async def test_it_looks_seldom_while_nothing_waits(calm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent right after a look is late after several."""
    case, slept = Case(), asyncio.get_running_loop().create_future()
    sending = None if calm else await case.sending(3)

    async def sleep(seconds: float) -> None:
        if not slept.done():
            slept.set_result(seconds)
        await asyncio.Event().wait()

    monkeypatch.setattr("connector.stream.output.overdue.asyncio.sleep", sleep)
    loop = asyncio.ensure_future(case.overdue.run())
    assert await slept == (CALM_LOOK_SECONDS if calm else OVERDUE_LOOK_SECONDS)
    assert CALM_LOOK_SECONDS + OVERDUE_LOOK_SECONDS < LATE_SECONDS
    loop.cancel()
    if sending is not None:
        sending.cancel()
