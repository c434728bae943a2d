"""What connector/stream relies on inside Faust 0.15.3, seen at work on a real broker.

Each test names the private thing it holds. When a new release of Faust breaks one, that place in connector/stream is
where to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import IllegalStateError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata

from connector.kafka.clients import connect
from connector.kafka.skipped import Skipped
from connector.settings import Settings
from connector.stream.faust.app import attach_agents, create_app
from connector.stream.faust.consumer import LEFT_OUT_LOOK_SECONDS, ChunkConsumer
from connector.stream.faust.group import Group
from tests.kafka import records
from tests.kafka.find import Kafka
from tests.kafka.records import Committed, Event
from tests.stream.members import membership
from tests.waiting import eventually

pytestmark = pytest.mark.kafka

PARTITIONS = 4


@dataclass
class Running:
    """An app as connector/stream makes it, and what it saw in order."""

    app: faust.App
    group: Group
    bootstrap: str
    topic: str
    name: str
    seen: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def chunks(self) -> list[Any]:
        return [value for what, value in self.seen if what == "chunk"]

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for chunk in self.chunks for _, part in chunk.value for record in part]

    async def committed(self) -> dict[int, Committed]:
        return await asyncio.to_thread(records.committed, self.bootstrap, self.name, self.topic)


Opened = Callable[[Running], Awaitable[None]]


@asynccontextmanager
async def running(
    kafka: Kafka, unique: str, *, opened: Opened | None = None, taken: Callable[[], Awaitable[object]] | None = None
) -> AsyncIterator[Running]:
    """Run the app on this loop; `opened` is awaited in on_rebalance_complete, `taken` after each chunk."""
    settings = Settings.model_validate(
        {
            "group": unique,
            "kafka": {"bootstrap.servers": kafka.bootstrap},
            "topics": {"sources": [{"topic": unique}]},
        }
    )
    app = create_app(settings, connect(settings.kafka), skipped=Skipped(), membership=membership(settings))
    run = Running(app, Group(app), kafka.bootstrap, unique, unique)

    async def admit(message: Any) -> None:
        run.seen.append(("chunk", message))
        if taken is not None:
            await taken()

    async def failed(error: BaseException) -> None:
        run.seen.append(("failed", error))

    async def on_open(*_: Any, **__: Any) -> None:
        run.seen.append(("open", run.group.generation))
        await run.group.seek(dict.fromkeys(run.group.assignment(), 0))
        if opened is not None:
            await opened(run)
        run.seen.append(("opened", run.group.generation))

    async def on_revoke(*_: Any, **__: Any) -> None:
        run.seen.append(("revoked", run.group.generation))

    attach_agents(app, [unique], SimpleNamespace(admit=admit, failed=failed))
    app.on_rebalance_complete.connect(on_open, weak=False)
    app.on_partitions_revoked.connect(on_revoke, weak=False)
    await app.start()
    try:
        await eventually(lambda: any(what == "opened" and of > 0 for what, of in run.seen), "the assignment")
        yield run
    finally:
        await app.stop()


@pytest.fixture
def topic(kafka: Kafka, unique: str) -> str:
    records.create_topics(kafka.bootstrap, unique, partitions=PARTITIONS)
    return unique


async def test_the_scheduler_hands_over_whole_batches(kafka: Kafka, topic: str) -> None:
    """DefaultSchedulingStrategy.iterate gets {TP: [record]} and may yield anything shaped like one.

    The records are raw: they have neither topic nor partition, which the chunk knows.
    """
    events = [Event(b"%d" % n, b"k", n % PARTITIONS) for n in range(2000)]
    await asyncio.to_thread(records.produce, kafka.bootstrap, topic, events)
    async with running(kafka, topic) as run:
        await eventually(lambda: len(run.values) == 2000, "every record")
        assert sorted(run.values, key=lambda value: int(value or b"")) == [event.value for event in events]
        assert len(run.chunks) < 200
        for chunk in run.chunks:
            ((partition, part),) = chunk.value
            assert {record.key for record in part} == {b"k"}
            assert {int(record.value) % PARTITIONS for record in part} == {chunk.partition} == {partition}
            offsets = [record.offset for record in part]
            assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
            assert (chunk.topic, chunk.offset) == (topic, offsets[-1])
            assert not hasattr(part[0], "partition")


async def test_a_message_carries_the_generation_it_was_fetched_in(kafka: Kafka, topic: str) -> None:
    """Message.generation_id, app.consumer_generation_id."""
    await asyncio.to_thread(records.produce, kafka.bootstrap, topic, [b"x"])
    async with running(kafka, topic) as run:
        await eventually(lambda: run.chunks, "the record")
        assert run.chunks[0].generation_id == run.group.generation > 0


async def test_no_event_comes_before_on_rebalance_complete_has_ended(kafka: Kafka, topic: str) -> None:
    """app.on_rebalance_complete is awaited before events flow; on_partitions_assigned is not."""
    await asyncio.to_thread(records.produce, kafka.bootstrap, topic, [b"x"] * 100)

    async def slow(run: Running) -> None:
        for _ in range(30):  # several polls of Faust's fetcher
            await asyncio.sleep(0.05)

    async with running(kafka, topic, opened=slow) as run:
        await eventually(lambda: len(run.values) == 100, "every record")
        kinds = [what for what, _ in run.seen]
        assert kinds.index("opened") < kinds.index("chunk")
        # Faust revokes (nothing, of generation 0) before the first assignment, too.
        assert kinds.index("revoked") < kinds.index("open")


async def test_nothing_is_committed_but_what_we_commit(kafka: Kafka, topic: str) -> None:
    """acks=False: Faust's own bookkeeping commits nothing, not even when it stops."""
    await asyncio.to_thread(records.produce, kafka.bootstrap, topic, [b"x"] * 100)
    async with running(kafka, topic) as run:
        await eventually(lambda: len(run.values) == 100, "every record")
        await run.app.consumer.commit()
    assert await run.committed() == {}


async def test_a_commit_carries_metadata_and_says_what_it_refused(kafka: Kafka, topic: str) -> None:
    """app.consumer._thread.call_thread, ._ensure_consumer(), AIOKafkaConsumer.commit with OffsetAndMetadata."""
    await asyncio.to_thread(records.produce, kafka.bootstrap, topic, [Event(b"x", partition=0)] * 10)
    async with running(kafka, topic) as run:
        await run.group.commit({TopicPartition(topic, 0): OffsetAndMetadata(7, "results=41")})
        assert await run.committed() == {0: Committed(7, "results=41")}
        with pytest.raises(IllegalStateError):
            await run.group.commit({TopicPartition("another-topic", 0): OffsetAndMetadata(1, "")})


async def test_a_commit_works_while_partitions_are_being_revoked(kafka: Kafka, topic: str) -> None:
    """on_partitions_revoked is awaited before the member leaves its generation."""
    await asyncio.to_thread(records.produce, kafka.bootstrap, topic, [Event(b"x", partition=0)] * 10)
    outcome: list[object] = []
    async with running(kafka, topic) as first:

        async def commit(*_: Any, **__: Any) -> None:
            if not outcome:
                outcome.append(await first.group.commit({TopicPartition(topic, 0): OffsetAndMetadata(10, "late")}))

        first.app.on_partitions_revoked.connect(commit, weak=False)
        async with running(kafka, topic):
            await eventually(lambda: outcome, "the revocation")
    assert outcome == [None]
    assert (await first.committed())[0] == Committed(10, "late")


async def test_a_topic_that_waits_holds_up_no_other(kafka: Kafka, unique: str) -> None:
    """ThrowableQueue.pressure_high_size and pressure_drop_size: partitions of a full buffer are left out, the fetcher
    goes on with those of other agents; when there is room again everything comes.
    """
    bulk, urgent = f"{unique}.bulk", f"{unique}.urgent"
    records.create_topics(kafka.bootstrap, bulk, partitions=30)
    records.create_topics(kafka.bootstrap, urgent, partitions=1)
    settings = Settings.model_validate(
        {"group": unique, "kafka": {"bootstrap.servers": kafka.bootstrap}, "topics": {"sources": [bulk, urgent]}}
    )
    app = create_app(settings, connect(settings.kafka), skipped=Skipped(), membership=membership(settings))
    room, taken, waiting = asyncio.Event(), {bulk: 0, urgent: 0}, asyncio.Event()

    async def admit(message: Any) -> None:
        if message.topic == bulk:
            waiting.set()
            await room.wait()
        taken[message.topic] += sum(len(part) for _, part in message.value)

    async def failed(error: BaseException) -> None:
        raise error

    async def on_open(*_: Any, **__: Any) -> None:
        group = Group(app)
        await group.seek(dict.fromkeys(group.assignment(), 0))

    attach_agents(app, [bulk, urgent], SimpleNamespace(admit=admit, failed=failed))
    app.on_rebalance_complete.connect(on_open, weak=False)
    await app.start()
    try:
        for turn in range(8):  # each brings a chunk per partition
            events = [Event(b"%d" % turn, partition=number) for number in range(30)]
            await asyncio.to_thread(records.produce, kafka.bootstrap, bulk, events)
            await asyncio.to_thread(records.produce, kafka.bootstrap, urgent, [b"x"])
            await eventually(lambda: taken[urgent] > turn, "the urgent record")  # noqa: B023
        assert waiting.is_set()
        assert taken[bulk] == 0
        queues = [agent.channel.queue for agent in app.agents.values()]
        room.set()
        await eventually(lambda: taken[bulk] == 240, "the others")
        assert all(queue.pressure_high_size < 60 for queue in queues)
    finally:
        await app.stop()


async def test_a_fetcher_that_has_nothing_to_fetch_looks_again_soon(
    kafka: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Consumer._wait_next_records, _get_active_partitions and _buffered_partitions: while every partition is left out
    because the buffer is full, Faust's second is not slept.
    """
    looks: list[float] = []
    wait, room, produced = ChunkConsumer._wait_next_records, asyncio.Event(), 0

    async def note(self: ChunkConsumer, timeout: float) -> Any:  # noqa: ASYNC109
        looks.append(asyncio.get_running_loop().time())
        return await wait(self, timeout)

    monkeypatch.setattr(ChunkConsumer, "_wait_next_records", note)
    async with running(kafka, topic, taken=room.wait) as run:
        while len(run.app.consumer._buffered_partitions) < PARTITIONS:
            assert produced < 100 * PARTITIONS, "the buffer never fills"
            events = [Event(b"x", partition=number) for number in range(PARTITIONS)]
            await asyncio.to_thread(records.produce, kafka.bootstrap, topic, events)
            produced += PARTITIONS
        looks.clear()
        await eventually(lambda: len(looks) > 10, "more looks")
        assert min(after - before for before, after in pairwise(looks)) < 10 * LEFT_OUT_LOOK_SECONDS
        room.set()
        await eventually(lambda: len(run.values) == produced, "all of them")


async def test_the_consumer_knows_the_end_of_the_log(kafka: Kafka, topic: str) -> None:
    """app.consumer.highwater: of the last fetch."""
    await asyncio.to_thread(records.produce, kafka.bootstrap, topic, [Event(b"x", partition=1)] * 10)
    async with running(kafka, topic) as run:
        await eventually(lambda: run.group.end(topic, 1) == 10, "the log's end")
        assert run.group.assignment() == {TopicPartition(topic, number) for number in range(PARTITIONS)}


async def test_seeking_while_opening_decides_where_events_start(kafka: Kafka, topic: str) -> None:
    """AIOKafkaConsumer.seek on Faust's consumer thread, inside on_rebalance_complete."""
    await asyncio.to_thread(records.produce, kafka.bootstrap, topic, [Event(b"%d" % n, partition=0) for n in range(10)])

    async def skip(run: Running) -> None:
        await run.group.commit({TopicPartition(topic, 0): OffsetAndMetadata(4, "")})
        await run.group.seek({TopicPartition(topic, 0): 4})

    async with running(kafka, topic, opened=skip) as run:
        await eventually(lambda: run.values, "records")
        await eventually(lambda: b"9" in run.values, "the last record")
        assert run.values == [b"%d" % n for n in range(4, 10)]


@pytest.mark.parametrize("start", [0, 4])
async def test_what_was_fetched_and_thrown_away_is_read_again(kafka: Kafka, topic: str, start: int) -> None:
    """Faust relies on seek_to_committed for it; aiokafka's does nothing where the committed offset is 0."""
    await asyncio.to_thread(records.produce, kafka.bootstrap, topic, [Event(b"%d" % n, partition=0) for n in range(10)])

    async def begin(run: Running) -> None:
        await run.group.commit({TopicPartition(topic, 0): OffsetAndMetadata(start, "")})
        await run.group.seek({TopicPartition(topic, 0): start})

    async with running(kafka, topic, opened=begin) as run:
        await eventually(lambda: b"9" in run.values, "the last record")
        await run.app.consumer.perform_seek()
        await eventually(lambda: run.values.count(b"9") == 2, "the last record again")
        assert run.values == [b"%d" % n for n in range(start, 10)] * 2


async def test_all_partitions_are_rewound_by_one_request(
    kafka: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka asks for the offset of one partition after the other, before the first event."""
    asked: list[set[Any]] = []
    fetch = GroupCoordinator.fetch_committed_offsets

    async def counted(self: GroupCoordinator, partitions: Any) -> Any:
        asked.append(set(partitions))
        return await fetch(self, partitions)

    async with running(kafka, topic) as run:
        await run.group.commit({TopicPartition(topic, 2): OffsetAndMetadata(0, "")})
        monkeypatch.setattr(GroupCoordinator, "fetch_committed_offsets", counted)
        assert await run.app.consumer.seek_to_committed() == {TopicPartition(topic, 2): 0}
        assert asked == [{TopicPartition(topic, number) for number in range(PARTITIONS)}]


async def test_an_offset_that_is_gone_crashes_the_app(kafka: Kafka, topic: str) -> None:
    """auto_offset_reset="none" on Faust's consumer: never a silent restart at one end of the log or the other."""

    async def beyond(run: Running) -> None:
        await run.group.seek({TopicPartition(topic, 0): 1_000_000})

    async with running(kafka, topic, opened=beyond) as run:
        await eventually(lambda: run.app.crashed, "the crash")
        assert isinstance(run.app.crash_reason, OffsetOutOfRangeError)
