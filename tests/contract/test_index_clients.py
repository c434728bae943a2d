"""What looking receipts up relies on inside aiokafka: times of acknowledgements, and how a group treats its members."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator

from connector.kafka.fetched import ReadOptions
from connector.kafka.guarded import GuardedConsumer
from connector.kafka.skipped import Skipped
from connector.stream.receipts.indexer import LOG_APPEND_TIME
from tests.kafka import records
from tests.kafka.find import Kafka
from tests.kafka.records import Event


@pytest.mark.kafka
async def test_an_acknowledgement_says_when_the_broker_has_appended_where_its_topic_has_the_brokers_time(
    kafka: Kafka, unique: str
) -> None:
    """How far the index is, is told by it."""
    settings = {"message.timestamp.type": "LogAppendTime"}
    records.create_topics(kafka.bootstrap, unique, partitions=1, settings=settings)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        batch = producer.create_batch()
        batch.append(key=None, value=b"x", timestamp=1_000)
        batch.close()
        found = await (await producer.send_batch(batch, unique, partition=0))
    finally:
        await producer.stop()
    (record,) = records.read_all(kafka.bootstrap, unique)
    assert (found.timestamp_type, found.timestamp) == (LOG_APPEND_TIME, record.timestamp)
    assert found.timestamp > 1_000_000_000_000


def test_a_member_sends_no_heartbeat_while_it_is_told_of_its_partitions() -> None:
    """So they are not opened there: what is read back may take longer than a session."""
    source = inspect.getsource(GroupCoordinator.ensure_active_group)
    stop, join = source.index("_stop_heartbeat_task"), source.index("_do_rejoin_group")
    assert stop < join < source.index("_start_heartbeat_task")


@pytest.mark.kafka
async def test_a_consumer_waits_for_partitions_longer_than_it_was_told_and_can_be_let_go(kafka: Kafka) -> None:
    """So a loop that polls is ended beside its poll."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap)
    await consumer.start()
    try:
        poll = asyncio.ensure_future(consumer.getmany(timeout_ms=1))
        done, _ = await asyncio.wait({poll}, timeout=0.5)
        assert not done
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)
        assert poll.cancelled()
    finally:
        await consumer.stop()


@pytest.mark.kafka
async def test_what_is_paused_when_it_is_assigned_is_read_from_where_it_is_sought_once_it_is_resumed(
    kafka: Kafka, unique: str
) -> None:
    records.create_topics(kafka.bootstrap, unique, partitions=1)
    records.produce(kafka.bootstrap, unique, [Event(b"%d" % number, partition=0) for number in range(10)])
    tp = TopicPartition(unique, 0)
    consumer = GuardedConsumer(
        bootstrap_servers=kafka.bootstrap,
        reading=ReadOptions(Skipped()),
        group_id=unique,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    assigned = asyncio.Event()

    class Pausing(ConsumerRebalanceListener):  # type: ignore[misc]
        async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
            pass

        async def on_partitions_assigned(self, found: Sequence[TopicPartition]) -> None:
            consumer.pause(*found)
            assigned.set()

    await consumer.start()
    try:
        consumer.subscribe([unique], listener=Pausing())
        await asyncio.wait_for(assigned.wait(), 30)
        assert await consumer.getmany(timeout_ms=300) == {}
        consumer.seek(tp, 7)
        consumer.resume(tp)
        found = await consumer.getmany(timeout_ms=10_000)
        assert [it.offset for it in found[tp]] == [7, 8, 9]
    finally:
        await consumer.stop()
