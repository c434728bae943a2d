"""What tests do with a Kafka from outside the connector: topics, records in, records out, offsets of groups.

With confluent-kafka, so that nothing here shares code with what is tested (aiokafka).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from tests.waiting import wait_until

SECONDS = 30.0
LARGEST_BYTES = 1_000_000_000
"""The most librdkafka allows for a request."""


@dataclass(frozen=True, slots=True)
class Event:
    """A record to produce; without a partition the key decides, or chance."""

    value: bytes | None
    key: bytes | None = None
    partition: int = -1
    headers: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """A record that was read. Headers keep the last of equal names; timestamps are milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    timestamp: int


def create_topics(
    bootstrap: str,
    *names: str,
    partitions: int = 4,
    replication: int = 1,
    settings: Mapping[str, str] | None = None,
) -> None:
    """Create those topics that are missing, and return when the cluster has them."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = [NewTopic(name, partitions, replication, config=dict(settings or {})) for name in names]

    def create() -> bool:
        existing = admin.list_topics(timeout=SECONDS).topics
        missing = [topic for topic in topics if topic.topic not in existing]
        try:
            for future in admin.create_topics(missing, operation_timeout=SECONDS).values() if missing else ():
                future.result(SECONDS)
        except KafkaException as failure:
            # librdkafka replaces its bootstrap handles by the brokers it learns of, and fails what is under way on
            # them; the request may have arrived all the same.
            if failure.args[0].code() not in (KafkaError._DESTROY_BROKER, KafkaError.TOPIC_ALREADY_EXISTS):
                raise
            return False
        return True

    def led() -> bool:
        """Brokers learn a moment later what the controller has created; who asks before is given no partition."""
        known = admin.list_topics(timeout=SECONDS).topics
        return all(
            name in known and known[name].partitions and all(it.leader >= 0 for it in known[name].partitions.values())
            for name in names
        )

    wait_until(create, f"topics {', '.join(names)} to be created", within=SECONDS)
    wait_until(led, f"leaders of topics {', '.join(names)}", within=SECONDS)


def alter(bootstrap: str, topic: str, settings: Mapping[str, str]) -> None:
    """Change a topic's configuration."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
    ]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for answer in admin.incremental_alter_configs([resource]).values():
        answer.result(SECONDS)


def delete(bootstrap: str, topic: str) -> None:
    """Delete a topic; returns when the broker lists it no more."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for answer in admin.delete_topics([topic]).values():
        answer.result(30)
    wait_until(lambda: topic not in admin.list_topics(timeout=10).topics, f"{topic} to go", within=30)


def produce(bootstrap: str, topic: str, events: Iterable[Event | bytes], *, codec: str = "none") -> int:
    """Write every event and return their number when all are durable (some 100,000 a second)."""
    options: dict[str, Any] = {"linger.ms": 20, "acks": "all", "compression.type": codec}
    # What compresses well is refused by its size before it is compressed, unless this is as large.
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": LARGEST_BYTES, **options})
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: object) -> None:
        if error is not None:
            failed.append(error)

    count = 0
    for event in events:
        record = Event(event) if isinstance(event, bytes) else event
        while True:
            try:
                producer.produce(
                    topic,
                    record.value,
                    record.key,
                    record.partition,
                    on_delivery=delivered,
                    headers=list(record.headers.items()),
                )
            except BufferError:  # the local queue is full: let some of it leave
                producer.poll(0.1)
            else:
                break
        count += 1
        if count % 1000 == 0:
            producer.poll(0)
    assert producer.flush(SECONDS) == 0, f"{len(producer)} records of {topic} were not acknowledged in {SECONDS:g} s"
    assert not failed, f"{len(failed)} of {count} records of {topic} failed: {failed[0]}"
    return count


def read_all(bootstrap: str, *topics: str) -> list[Record]:
    """Every record the topics hold now, partition by partition in offset order (committed transactions only)."""
    records = [_record(message) for message in _messages(bootstrap, *topics)]
    return sorted(records, key=lambda record: (record.topic, record.partition, record.offset))


def values(bootstrap: str, topic: str) -> Iterator[tuple[bytes, int]]:
    """Likewise, of large topics: values and their timestamps, partition by partition in no order."""
    for message in _messages(bootstrap, topic):
        yield message.value() or b"", message.timestamp()[1]


def _messages(bootstrap: str, *topics: str) -> Iterator[Message]:
    consumer = _consumer(bootstrap)
    try:
        waiting = {(topic, number) for topic in topics for number in _partitions(consumer, topic)}
        consumer.assign([TopicPartition(topic, number, 0) for topic, number in waiting])
        deadline = time.monotonic() + SECONDS
        while waiting:
            assert time.monotonic() < deadline, f"{waiting} had no end in {SECONDS:g} s"
            for message in consumer.consume(10_000, timeout=0.2):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    waiting.discard((message.topic() or "", message.partition() or 0))
                else:
                    raise AssertionError(f"{message.topic()}: {error}")
    finally:
        consumer.close()


def topics(bootstrap: str, prefix: str) -> list[str]:
    """Names that begin so."""
    found = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=SECONDS).topics
    return sorted(name for name in found if name.startswith(prefix))


def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """The next offset of each partition."""
    return {number: high for number, (_, high) in _watermarks(bootstrap, topic).items()}


def delete_records(bootstrap: str, topic: str, before: Mapping[int, int]) -> None:
    """Delete what lies before an offset of each partition: the log begins there."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    asked = [TopicPartition(topic, partition, offset) for partition, offset in before.items()]
    for answer in admin.delete_records(asked).values():
        answer.result(SECONDS)


def start_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """The first offset each partition still holds (DeleteRecords moves it)."""
    return {number: low for number, (low, _) in _watermarks(bootstrap, topic).items()}


@dataclass(frozen=True, slots=True)
class Committed:
    """A group's place in a partition, and the text committed with it."""

    offset: int
    metadata: str


def committed(bootstrap: str, group: str, topic: str) -> dict[int, Committed]:
    """What the group has committed, by partition; partitions without a commit are absent.

    With aiokafka, on a thread of its own: confluent-kafka 2.16 reads metadata past its end (it expects a closing NUL).
    """
    with ThreadPoolExecutor(1) as thread:
        places = thread.submit(asyncio.run, _group_offsets(bootstrap, group)).result()
    return {
        place.partition: Committed(found.offset, found.metadata or "")
        for place, found in places.items()
        if place.topic == topic and found.offset >= 0
    }


async def _group_offsets(bootstrap: str, group: str) -> dict[aiokafka.TopicPartition, OffsetAndMetadata]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        offsets: dict[aiokafka.TopicPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return offsets


def members(bootstrap: str, group: str) -> dict[str, list[TopicPartition]]:
    """The group's members and what each of them owns now; empty while it rebalances or does not exist."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    description = admin.describe_consumer_groups([group])[group].result(SECONDS)
    return {
        member.member_id: list(member.assignment.topic_partitions)
        for member in description.members
        if member.assignment is not None
    }


def _consumer(bootstrap: str, isolation: str = "read_committed") -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "tests-read-only",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": isolation,
            "log_level": 0,
        }
    )


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    found = consumer.list_topics(topic, timeout=SECONDS).topics[topic]
    assert found.error is None, f"{topic}: {found.error}"
    return list(found.partitions)


# What is said for a while of a topic that was just created, or whose leader has just come back.
# `KafkaError.retriable` is for transactions: it never is.
NO_LEADER_YET = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
}


def _watermarks(bootstrap: str, topic: str) -> dict[int, tuple[int, int]]:
    consumer = _consumer(bootstrap, "read_uncommitted")  # else the end is where the first open transaction begins
    try:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return {
                    number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=SECONDS)
                    for number in _partitions(consumer, topic)
                }
            except KafkaException as error:
                if error.args[0].code() not in NO_LEADER_YET or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
    finally:
        consumer.close()


def _headers(message: Message) -> dict[str, bytes]:
    """Of names that are no text, none: this client cannot read them."""
    try:
        return dict(message.headers() or ())
    except UnicodeDecodeError:
        return {}


def _record(message: Message) -> Record:
    return Record(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        key=message.key(),
        value=message.value(),
        headers=_headers(message),
        timestamp=message.timestamp()[1],
    )
