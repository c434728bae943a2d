"""What the connector relies on inside aiokafka 0.14, and one fault of it that the connector works around."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka import client as client_module
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.consumer.fetcher import Fetcher, PartitionRecords
from aiokafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NoOffsetForPartitionError,
    OutOfOrderSequenceNumber,
)
from aiokafka.producer import message_accumulator
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator
from aiokafka.record import default_records, legacy_records
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import RecordMetadata

from connector.kafka import connecting
from connector.kafka.access import NOT_TOLD, AclOperation, _MetadataRequest, _MetadataResponse8, allowed
from connector.kafka.batches import RecordFields, fill, look, unpack
from connector.kafka.codecs import CODECS
from connector.kafka.fetched import BatchSteps, Fetched, GuardedRecords, ReadOptions
from connector.kafka.guarded import GuardedConsumer, GuardedFetcher, KeptRecords
from connector.kafka.record_batch import Unreadable
from connector.kafka.skipped import Skipped
from connector.stream.output.replaceable_producer import ReplaceableProducer
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

    A budget of 500 s is spent after three waits of 100 s. stream/output/writer.py repeats a write that times out; when
    this test fails the fault is mended and the repetition is only a courtesy.
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
async def test_what_was_fetched_waits_for_no_collection(kafka: Kafka, unique: str) -> None:
    """A worker collects garbage rarely (`gc.set_threshold`); aiokafka makes a reference cycle of each fetch."""
    records.create_topics(kafka.bootstrap, unique, partitions=1)
    await asyncio.to_thread(records.produce, kafka.bootstrap, unique, [b"event"] * 100)
    consumer = GuardedConsumer(
        unique,
        reading=ReadOptions(Skipped()),
        bootstrap_servers=kafka.bootstrap,
        auto_offset_reset="earliest",
        group_id=None,
    )
    gc.collect()
    gc.disable()
    try:
        await consumer.start()
        read = 0
        while read < 100:
            found = await consumer.getmany(timeout_ms=1_000, max_records=30)
            read += sum(map(len, found.values()))
        assert [it for it in gc.get_objects() if isinstance(it, (PartitionRecords, KeptRecords))] == []
    finally:
        gc.enable()
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
    found: list[RecordFields] = [(b"k" * (n % 3) or None, b"v" * n, [("settles", str(n).encode())]) for n in range(50)]
    alone, together = (BatchBuilder(1500, 0) for _ in range(2))
    taken = [alone.append(timestamp=NOW, key=key, value=value, headers=it) for key, value, it in found]
    count = taken.index(None)
    assert 0 < count < len(found)
    assert fill(together, found[:5], NOW) == 5
    assert fill(together, found[5:], NOW) == count - 5
    assert together.closed()
    assert together.record_count() == alone.record_count() == count
    assert together._build() == alone._build()


def test_a_batch_can_be_looked_into_on_its_way() -> None:
    """Before aiokafka gives it a sequence number, and after: what it sends is the same."""
    found: list[RecordFields] = [(b"k", b"v" * n, [("settles", str(n).encode())]) for n in range(20)]
    untouched, looked_into = (BatchBuilder(10_000, 0) for _ in range(2))
    for batch in (untouched, looked_into):
        assert fill(batch, found, NOW) == len(found)
        batch.close()
    assert look(looked_into) == found
    for batch in (untouched, looked_into):
        batch._set_producer_state(77, 1, 5)
    assert look(looked_into) == found
    assert bytes(looked_into._build()) == bytes(untouched._build())
    assert look(looked_into) == found


def written(magic: int, codec: int) -> bytes:
    """Ten records as they stand in a log of that format."""
    fields: list[RecordFields] = [
        (b"k" * n or None, b"v" * n if n != 3 else None, [("traceparent", b"x")] * (n % 2)) for n in range(10)
    ]
    if magic == 2:
        batch = default_records.DefaultRecordBatchBuilder(magic, codec, 0, -1, -1, -1, 1 << 20)
        for offset, (key, value, headers) in enumerate(fields):
            batch.append(offset, NOW + offset, key, value, headers)
    else:
        batch = legacy_records.LegacyRecordBatchBuilder(magic, codec, 1 << 20)
        for offset, (key, value, _) in enumerate(fields):
            batch.append(offset, NOW + offset, key, value)
    built = bytes(batch.build())
    # A wrapper has the offset of its last record: brokers write it.
    return (9).to_bytes(8, "big") + built[8:] if magic < 2 and codec else built


FORMATS = [(0, 0), (0, 1), (0, 2), *((magic, codec) for magic in (1, 2) for codec in (0, 1, 2, 3)), (2, 4)]


@pytest.mark.parametrize(("magic", "codec"), FORMATS, ids=str)
@pytest.mark.parametrize("start", [0, 6])
def test_fetched_records_are_read_as_aiokafka_reads_them(magic: int, codec: int, start: int) -> None:
    """PartitionRecords: its fields `_records` and `next_fetch_offset`, and what it yields of each format and codec."""
    tp = TopicPartition("sms.messages", 0)
    kept = KeptRecords(written(magic, codec))
    usual = PartitionRecords(tp, kept, [], start, None, None, True, 0)
    assert usual._records.data == written(magic, codec)
    told = list(PartitionRecords(tp, MemoryRecords(kept.data), [], start, None, None, True, 0))
    told = [it for it in told if it.offset >= start]  # it goes back where old formats come one by one
    for raw in (True, False):
        reading = ReadOptions(Skipped(), raw=raw)
        aborted, start = usual._aborted_transactions, usual.next_fetch_offset
        records = GuardedRecords(
            BatchSteps(tp, kept.data, start=start, end=10, aborted=aborted, reading=reading, failures={})
        )
        found = []
        while not records.done:
            found += records.pop(3)
        assert [(it.offset, it.timestamp, it.key, it.value, tuple(it.headers)) for it in found] == [
            (it.offset, it.timestamp, it.key, it.value, tuple(it.headers)) for it in told
        ]
        assert {type(it).__name__ == "ConsumerRecord" for it in found} == {not raw}
    assert len(told) == 10 - start
    assert codec in {0, *CODECS}


def test_the_reader_of_old_formats_opens_what_it_was_compressed_with_by_names_of_its_module() -> None:
    """_crecords.legacy_records.gzip_decode and its like: `bound_legacy` puts bounds in their place."""
    batch = legacy_records.LegacyRecordBatchBuilder(1, 1, 1 << 30)
    batch.append(0, NOW, None, bytes(20 << 20))
    tp, reading = TopicPartition("sms.messages", 0), ReadOptions(Skipped(), unreadable="stand")
    records = GuardedRecords(
        BatchSteps(tp, bytes(batch.build()), start=0, end=1, aborted=(), reading=reading, failures={})
    )
    (stands,) = records.pop(10)
    assert "TooLargeError" in stands.why


async def test_a_guarded_consumer_reads_through_the_guard(kafka: Kafka, unique: str) -> None:
    """aiokafka.consumer.fetcher.MemoryRecords, AIOKafkaConsumer._fetcher, Fetcher._proc_fetch_request,
    .fetched_records, ._records, ._subscriptions, ._wait_consume_future, ._create_fetch_waiter; FetchResult.
    """
    await asyncio.to_thread(records.create_topics, kafka.bootstrap, unique, partitions=2)
    values = [b"%d" % n for n in range(3000)]
    await asyncio.to_thread(records.produce, kafka.bootstrap, unique, values, codec="zstd")
    consumer = GuardedConsumer(
        bootstrap_servers=kafka.bootstrap, reading=ReadOptions(Skipped()), enable_auto_commit=False
    )
    await consumer.start()
    try:
        assert type(consumer._fetcher) is GuardedFetcher
        places = [TopicPartition(unique, number) for number in range(2)]
        consumer.assign(places)
        await consumer.seek_to_beginning()
        found: list[bytes] = []
        while len(found) < 3000:
            for tp, got in (await consumer.getmany(timeout_ms=500, max_records=700)).items():
                assert type(got) is Fetched
                assert [it.offset for it in got] == list(range(got.start, got.end))
                assert {(it.topic, it.partition) for it in got} == {tp}
                found += [it.value for it in got]
        assert sorted(found) == sorted(values)
        assert sum([await consumer.position(tp) for tp in places]) == 3000
        consumer.seek(places[0], 0)
        again = (await consumer.getmany(places[0], timeout_ms=5000))[places[0]]
        assert again.start == 0
    finally:
        await consumer.stop()


def test_a_fetcher_is_told_what_to_do_and_how_long_to_wait_where_that_is_nothing() -> None:
    """Fetcher._get_actions_per_node: requests, resets, seconds, whether to ask for metadata, what else wakes it; and
    ._fetcher_timeout, which are these seconds.
    """
    fetcher = Fetcher.__new__(Fetcher)
    fetcher._fetcher_timeout = 7.0
    assert fetcher._get_actions_per_node(SimpleNamespace(tps=())) == ([], {}, 7.0, False, [])


async def test_a_fetch_is_answered_when_other_partitions_are_assigned(kafka: Kafka, unique: str) -> None:
    """Assignment.active and .unassign_future: it was to bring what comes of the first, and would for a minute."""
    await asyncio.to_thread(records.create_topics, kafka.bootstrap, unique, partitions=2)
    consumer = GuardedConsumer(
        bootstrap_servers=kafka.bootstrap, reading=ReadOptions(Skipped()), enable_auto_commit=False
    )
    await consumer.start()
    try:
        first, second = (TopicPartition(unique, number) for number in range(2))
        consumer.assign([first])
        waiting = asyncio.create_task(consumer.getmany(timeout_ms=600_000))
        async with asyncio.timeout(30):
            while not consumer._fetcher._fetch_waiters:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            consumer.assign([second])
            assert await waiting == {}
            await consumer.seek_to_beginning(second)
            await asyncio.to_thread(records.produce, kafka.bootstrap, unique, [Event(b"x", partition=1)])
            assert set(await consumer.getmany(timeout_ms=600_000)) == {second}
    finally:
        await consumer.stop()


async def test_a_topic_that_has_had_no_turn_is_read_before_what_else_was_fetched(kafka: Kafka, unique: str) -> None:
    """Fetcher._records: what is not read yet, in the order of fetches; more is fetched while some is left."""
    busy, quiet = f"{unique}.busy", f"{unique}.quiet"
    for topic, partitions in ((busy, 4), (quiet, 1)):
        await asyncio.to_thread(records.create_topics, kafka.bootstrap, topic, partitions=partitions)
    await asyncio.to_thread(records.produce, kafka.bootstrap, busy, [b"%d" % n for n in range(4000)])
    consumer = GuardedConsumer(
        bootstrap_servers=kafka.bootstrap, reading=ReadOptions(Skipped()), enable_auto_commit=False
    )
    await consumer.start()
    try:
        lone = TopicPartition(quiet, 0)
        consumer.assign([*(TopicPartition(busy, number) for number in range(4)), lone])
        await consumer.seek_to_beginning()
        found: set[TopicPartition] = set()
        while not found:
            found = set(await consumer.getmany(timeout_ms=5000, max_records=10))
        assert {tp.topic for tp in found} == {busy}
        await asyncio.to_thread(records.produce, kafka.bootstrap, quiet, [b"lone"])
        async with asyncio.timeout(20):
            while lone not in consumer._fetcher._records:  # noqa: ASYNC110  it is fetched although nothing is read
                await asyncio.sleep(0.01)
        assert len(consumer._fetcher._records) > 1, "others wait as well"
        assert lone in await consumer.getmany(timeout_ms=5000, max_records=10)
    finally:
        await consumer.stop()


async def test_a_batch_that_aiokafka_cannot_make_out_is_one_offset(kafka: Kafka, unique: str) -> None:
    """Fetcher sets RecordTooLargeError in FetchError._error, and consumed_to() the offset behind it."""
    await asyncio.to_thread(records.create_topics, kafka.bootstrap, unique, partitions=1)
    await asyncio.to_thread(records.produce, kafka.bootstrap, unique, [b"a", b"b"])
    reading = ReadOptions(Skipped(), unreadable="stand")
    consumer = GuardedConsumer(bootstrap_servers=kafka.bootstrap, reading=reading, enable_auto_commit=False)
    await consumer.start()
    try:
        tp = TopicPartition(unique, 0)
        send, cut = consumer._client.send, [True]

        async def cut_off(node: object, request: object) -> object:
            answer = await send(node, request)
            if cut and type(answer).__name__.startswith("FetchResponse") and answer.topics[0][1][0][-1]:
                cut.clear()
                answer.topics[0][1][0] = (*answer.topics[0][1][0][:-1], answer.topics[0][1][0][-1][:40])
            return answer

        consumer._client.send = cut_off
        consumer.assign([tp])
        await consumer.seek_to_beginning()
        found: list[object] = []
        while len(found) < 2:
            for got in (await consumer.getmany(timeout_ms=500)).values():
                found += got
        assert isinstance(found[0], Unreadable)
        assert (found[0].offset, found[1].offset, found[1].value) == (0, 1, b"b")
    finally:
        await consumer.stop()


@pytest.mark.kafka
async def test_after_a_refused_batch_a_producer_is_out_of_order_and_a_new_one_is_not(kafka: Kafka, unique: str) -> None:
    """MessageAccumulator._pop_batch counts sequence numbers before the broker answers: `ReplaceableProducer` makes it
    anew.
    """
    records.create_topics(kafka.bootstrap, unique, partitions=1, settings={"max.message.bytes": "1000"})
    outlet = ReplaceableProducer(
        lambda: AIOKafkaProducer(
            bootstrap_servers=kafka.bootstrap, enable_idempotence=True, acks="all", max_batch_size=10_000
        )
    )
    await outlet.start()

    async def put(value: bytes) -> RecordMetadata:
        batch = outlet.create_batch()
        batch.append(timestamp=None, key=b"k", value=value, headers=[("settles", b"t/0/1")])
        built.append(batch)
        return await (await outlet.put(batch, unique, 0))

    built: list[BatchBuilder] = []
    try:
        assert (await put(b"first")).offset == 0
        with pytest.raises(MessageSizeTooLargeError):
            await put(b"x" * 5000)
        assert unpack(built[-1]) == [(b"k", b"x" * 5000, [("settles", b"t/0/1")])]
        producer = outlet._current.producer
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"behind")
        with pytest.raises(OutOfOrderSequenceNumber):
            await (await producer.send_batch(batch, unique, partition=0))
        assert (await put(b"second")).offset == 1
    finally:
        await outlet.stop()
    assert [record.value for record in records.read_all(kafka.bootstrap, unique)] == [b"first", b"second"]


@pytest.mark.kafka
async def test_brokers_tell_what_may_be_done_with_a_topic(kafka: Kafka, unique: str) -> None:
    """Metadata version 8, which aiokafka does not speak; sent through AIOKafkaAdminClient._send_request."""
    records.create_topics(kafka.bootstrap, unique, partitions=3)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        assert await allowed(admin, [unique, "not-there"]) == {unique: {AclOperation.READ, AclOperation.WRITE}}
        assert "not-there" not in await admin.list_topics()
    finally:
        await admin.close()


async def test_a_broker_that_does_not_tell_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Request.prepare raises NotImplementedError where a broker speaks no version of ours; -2^31 says "not known"."""
    with pytest.raises(NotImplementedError):
        _MetadataRequest(["t"]).prepare({3: (0, 7)})
    response = _MetadataResponse8(0, [], None, 1, [(0, "t", False, [], NOT_TOLD), (0, "u", False, [], 1 << 4)], 0)

    async def answered(_: object) -> _MetadataResponse8:
        return _MetadataResponse8.decode(response.encode())

    assert await allowed(SimpleNamespace(_send_request=answered), ["t", "u"]) == {"u": {AclOperation.WRITE}}


async def test_clients_make_their_connections_through_the_name_that_is_replaced(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`connecting` bounds the set-up there; a request keeps the time-out it was given."""
    monkeypatch.setattr(client_module, "create_conn", None)
    connecting.install()
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, request_timeout_ms=77_000)
    await producer.start()
    try:
        await producer.client.force_metadata_update()
        assert client_module.create_conn is connecting.create_connection
        assert {it._request_timeout for it in producer.client._conns.values()} == {77.0}
    finally:
        await producer.stop()
