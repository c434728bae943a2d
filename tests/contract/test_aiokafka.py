"""What the connector relies on inside aiokafka 0.14, and one fault of it that the connector works around."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import KafkaTimeoutError, NoOffsetForPartitionError
from aiokafka.producer import message_accumulator
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator
from aiokafka.record import default_records, legacy_records
from aiokafka.record.memory_records import MemoryRecords

from connector.kafka.batches import Fields, fill
from connector.stream.transport import leave_raw
from tests.kafka import records
from tests.kafka.find import Kafka
from tests.kafka.records import Event

NOW = 1_700_000_000_000


def test_the_compiled_record_codec_is_loaded() -> None:
    """Pure Python costs about ten times as much per record."""
    for module in (default_records, legacy_records):
        for name in ("RecordBatch", "RecordBatchBuilder", "Record"):
            found = next(getattr(module, full) for full in dir(module) if full.endswith(name) and "Py" not in full)
            assert "_crecords" in found.__module__, found


class Elapsing:
    """A clock that moves when the accumulator waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class FullBatch:
    """The batch in front: each wait for it takes 100 s and finds another one behind it."""

    def __init__(self, clock: Elapsing, waits: Iterator[None]) -> None:
        self._clock, self._waits = clock, waits

    async def wait_drain(self, timeout: float) -> None:  # noqa: ASYNC109  aiokafka's name
        next(self._waits)
        self._clock.now += 100.0


async def test_add_batch_times_out_early_when_it_has_to_wait_more_than_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """MessageAccumulator.add_batch subtracts the time since its start in each lap: 100, then 200, then 300 s.

    A budget of 500 s is spent after three waits of 100 s. stream/writer.py repeats a write that times out; when this
    test fails the fault is mended and the repetition is only a courtesy.
    """
    clock, laps = Elapsing(), iter([None] * 10)
    monkeypatch.setattr(message_accumulator, "time", SimpleNamespace(monotonic=clock.monotonic))
    accumulator = MessageAccumulator(cluster=None, batch_size=1000, compression_type=0, batch_ttl=1)
    accumulator._batches[TopicPartition("t", 0)].append(FullBatch(clock, laps))
    with pytest.raises(KafkaTimeoutError):
        await accumulator.add_batch(None, TopicPartition("t", 0), timeout=500)
    assert clock.now == 300.0


@pytest.mark.kafka
async def test_an_idempotent_batch_is_appended_whole_and_acknowledged_with_its_offset(
    kafka: Kafka, unique: str
) -> None:
    """AIOKafkaProducer.create_batch and send_batch; keys, headers and the partition are ours to choose."""
    records.create_topics(kafka.bootstrap, unique, partitions=2)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, enable_idempotence=True, acks="all")
    await producer.start()
    try:
        offsets = []
        for number in range(3):
            batch = producer.create_batch()
            for index in range(100):
                value = b"%d" % (number * 100 + index)
                assert batch.append(key=b"k", value=value, timestamp=None, headers=[("h", b"v")]) is not None
            acknowledged = await producer.send_batch(batch, unique, partition=1)
            offsets.append((await acknowledged).offset)
    finally:
        await producer.stop()
    found = await asyncio.to_thread(records.read_all, kafka.bootstrap, unique)
    assert offsets == [0, 100, 200]
    assert [(r.partition, r.offset, r.value) for r in found] == [(1, n, b"%d" % n) for n in range(300)]
    assert {(r.key, r.headers["h"]) for r in found} == {(b"k", b"v")}


@pytest.mark.kafka
async def test_without_a_committed_offset_a_consumer_told_none_says_so(kafka: Kafka, unique: str) -> None:
    """auto_offset_reset="none": no blind start on old data, and no silent restart of the topic."""
    records.create_topics(kafka.bootstrap, unique, partitions=1)
    await asyncio.to_thread(records.produce, kafka.bootstrap, unique, [b"x"])
    consumer = AIOKafkaConsumer(
        unique, bootstrap_servers=kafka.bootstrap, group_id=unique, auto_offset_reset="none", enable_auto_commit=False
    )
    await consumer.start()
    try:
        with pytest.raises(NoOffsetForPartitionError):
            await consumer.getone()
    finally:
        await consumer.stop()


@pytest.mark.kafka
async def test_a_record_larger_than_a_fetch_comes_whole(kafka: Kafka, unique: str) -> None:
    """`FETCH_BYTES` is no bound on an event's size, nor do those behind it wait for ever."""
    records.create_topics(kafka.bootstrap, unique, partitions=1)
    values = [b"small", b"x" * 500_000, b"small too"]
    for value in values:
        await asyncio.to_thread(records.produce, kafka.bootstrap, unique, [value])
    consumer = AIOKafkaConsumer(
        unique, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", max_partition_fetch_bytes=1_000
    )
    await consumer.start()
    try:
        assert [(await consumer.getone()).value for _ in values] == values
    finally:
        await consumer.stop()


@pytest.mark.kafka
async def test_an_assigned_consumer_commits_for_a_group_and_its_pause_holds(kafka: Kafka, unique: str) -> None:
    """The retry reader: assign() with a group_id, no membership."""
    records.create_topics(kafka.bootstrap, unique, partitions=2)
    events = [Event(b"%d" % n, partition=n % 2) for n in range(10)]
    await asyncio.to_thread(records.produce, kafka.bootstrap, unique, events)
    first, second = TopicPartition(unique, 0), TopicPartition(unique, 1)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, group_id=unique, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([first, second])
        consumer.pause(second)
        batch = await consumer.getmany(timeout_ms=5000)
        assert set(batch) == {first}
        assert await consumer.getmany(timeout_ms=500) == {}
        await consumer.commit({first: 3})
        consumer.resume(second)
        assert set(await consumer.getmany(timeout_ms=5000)) == {second}
    finally:
        await consumer.stop()
    places = await asyncio.to_thread(records.committed, kafka.bootstrap, unique, unique)
    assert {number: place.offset for number, place in places.items()} == {0: 3}


def test_records_appended_at_once_are_those_appended_one_by_one() -> None:
    """`fill` does what BatchBuilder.append does, with its builder and its counter."""
    found: list[Fields] = [(b"k" * (n % 3) or None, b"v" * n, [("settles", str(n).encode())]) for n in range(50)]
    alone, together = (BatchBuilder(1500, 0) for _ in range(2))
    taken = [alone.append(timestamp=NOW, key=key, value=value, headers=it) for key, value, it in found]
    count = taken.index(None)
    assert 0 < count < len(found)
    assert fill(together, found[:5], NOW) == 5
    assert fill(together, found[5:], NOW) == count - 5
    assert together.closed()
    assert together.record_count() == alone.record_count() == count
    assert together._build() == alone._build()


class Fetched:
    """What a fetcher holds of one partition at offset 0, and how far it was handed over."""

    def __init__(self, value: bytes) -> None:
        tp = TopicPartition("sms.messages", 0)
        self.position = SimpleNamespace(paused=False, position=0, consumed_to=self._move)
        assignment = SimpleNamespace(active=True, state_value=lambda _: self.position)
        records = PartitionRecords(tp, MemoryRecords(value), [], 0, None, None, True, 0)
        self.result = FetchResult(tp, assignment=assignment, partition_records=records, backoff=0)
        self._records = {tp: self.result}

    def _move(self, offset: int) -> None:
        self.position.position = offset


def written(magic: int) -> bytes:
    """Ten records as they stand in a log of that format."""
    fields: list[Fields] = [
        (b"k" * n or None, b"v" * n if n != 3 else None, [("traceparent", b"x")] * (n % 2)) for n in range(10)
    ]
    if magic == 2:
        batch = default_records.DefaultRecordBatchBuilder(magic, 0, 0, -1, -1, -1, 1 << 20)
        for offset, (key, value, headers) in enumerate(fields):
            batch.append(offset, NOW + offset, key, value, headers)
    else:
        batch = legacy_records.LegacyRecordBatchBuilder(magic, 0, 1 << 20)
        for offset, (key, value, _) in enumerate(fields):
            batch.append(offset, NOW + offset, key, value)
    return bytes(batch.build())


@pytest.mark.parametrize("magic", [1, 2])
def test_raw_records_say_what_consumer_records_say(magic: int) -> None:
    """And are handed over in the same portions, with the same position after each."""
    usual, raw = Fetched(written(magic)), Fetched(written(magic))
    leave_raw(raw)
    for most in (4, 1, None):
        told, left = usual.result.getall(most), raw.result.getall(most)
        assert [type(it).__name__ for it in told] == ["ConsumerRecord"] * len(told)
        assert "ConsumerRecord" not in {type(it).__name__ for it in left}
        assert [(it.offset, it.timestamp, it.key, it.value, tuple(it.headers)) for it in left] == [
            (it.offset, it.timestamp, it.key, it.value, tuple(it.headers)) for it in told
        ]
        assert raw.position.position == usual.position.position
        assert raw.result.has_more() == usual.result.has_more()
    leave_raw(raw)  # nothing is left
