"""Records that nobody who means well writes: into each topic a worker reads, beside good ones.

Each has the header `poison`, so that the comparison knows it from what the connector wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

MARK = ("poison", b"1")
DEEP = b"[" * 50_000
DIGITS = b"9" * 5_000

BEYOND = (b"1000000", b"3000000000", b"999999999999999999", b"9223372036854775807", DIGITS, b"-1", b"1e9", b"")
"""Offsets that no log here has."""

METADATA = (
    '{"v":1,"ends":{"a":1e400}}',
    "[" * 4000,
    '{"v":9,"ends":{}}',
    '{"v":1,"ends":{"RESULTS":9223372036854775807}}',
    '{"v":1,"ends":{"RESULTS":-1}}',
    '{"v":1,"ends":[]}',
)


class Poison(NamedTuple):
    """A record.

    Attributes:
        ends: it stands for something, so that a result has to say that it is `invalid`.
    """

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    ends: bool = False
    ahead: float = 0.0


def results(topic: str, source: str, retry: str, number: int) -> Iterator[Poison]:
    """Forged results of this partition's number."""
    for offset in BEYOND:
        for place in (source, retry):
            yield Poison(topic, b"{}", headers=(("settles", b"%s/%d/%s" % (place.encode(), number, offset)),))
    for text in (
        b"%s/%d/0" % (source.encode(), number + 1),
        b"another/0/0",
        b"\xff\xfe/0/0",
        b"x" * 100_000,
        b"",
        None,
    ):
        yield Poison(topic, b"{}", headers=(("settles", text),))
    settles = ("settles", b"%s/%d/1000000" % (retry.encode(), number))
    for value in (DEEP, b'{"source":' + DEEP + b"}", b'{"source":{"offset":' + DIGITS + b"}}", b"\xff", None):
        yield Poison(topic, value)
        yield Poison(topic, value, headers=(settles, settles))


def waiting(topic: str, source: str, number: int) -> Iterator[Poison]:
    """Forged retry records: nobody knows which event they are, so each ends by itself."""
    header = {"source": {"topic": source, "partition": number, "offset": 0}, "received_at": "2026-01-01T00:00:00Z"}
    event = b'{"message_id":"p","to":"+919812345678","provider":"fake","body":"x"}'
    itself = ("settles", b"%s/%d/0" % (topic.encode(), number))
    yield Poison(topic, b"all those behind it say that they have settled this one", headers=(itself,))
    changes: Iterable[Mapping[str, object]] = (
        *({"due": 1e308}, {"due": -5}, {"attempts": 10**30}, {"deadline": 1e200}, {"received_at": 0}),
        {"source": {"topic": source, "partition": number, "offset": 10**18}},
        {"source": {"topic": "another", "partition": number, "offset": 0}},
        {"source": {"topic": source, "partition": number + 1, "offset": 0}},
    )
    for change in changes:
        yield Poison(topic, event, headers=(itself, ("retry", json.dumps(header | change).encode())), ends=True)
    for text in (DEEP, b'{"due":NaN}', DIGITS, b"\xff", b"", None):
        yield Poison(topic, event, headers=(itself, ("retry", text)), ends=True)
    good = ("retry", json.dumps(header).encode())
    for settles in ((), (("settles", b"another/0/1"),), (("settles", b"%s/%d/%s" % (topic.encode(), number, DIGITS)),)):
        yield Poison(topic, event, headers=(*settles, good), ends=True)
    yield Poison(topic, DEEP, headers=(itself, ("retry", DEEP)), ends=True, ahead=3600.0)


def journal(topic: str, source: str) -> Iterator[Poison]:
    """Forged journal records: none names an event that is there."""
    for sent in (b"[1000000,3000000000,999999999999999999]", b"[%s]" % b",".join([b"1"] * 100_000), b'["a"]', b"{}"):
        yield Poison(topic, b'{"topic":"%s","sent":%s}' % (source.encode(), sent))
    for value in (DEEP, b'{"topic":' + DIGITS + b"}", b"\xff", None, b'{"v":2}', b'{"topic":"another","sent":[0]}'):
        yield Poison(topic, value)


def control(topic: str) -> Iterator[Poison]:
    """Campaigns and providers that no event here names. A compacted topic takes no record without a key."""
    for value in (b'{"zz":' + DEEP + b"}", b'{"custom":{"a":1e400}}', DIGITS, b"\xff", b"[]", b"x" * 900_000):
        yield Poison(topic, value, key=b"campaign:x%d" % len(value))
        yield Poison(topic, value, key=b"provider:x%d" % len(value))
    for key in (b"", b"campaign", b"campaign:", b"\xff\xfe", b"c" * 100_000):
        yield Poison(topic, b"{}", key=key)
    yield Poison(topic, None, key=b"campaign:unknown")


def events(topic: str) -> Iterator[Poison]:
    """Events that are none."""
    begin = b'{"message_id":"p","to":"+919812345678","provider":"fake","body":"x","custom":{"a":'
    for value in (DEEP, DIGITS, b"[1e400]", b"[" * 300 + b"]" * 300):
        yield Poison(topic, begin + value + b"}}", ends=True)
    yield Poison(topic, b"\xff" * 1000, ends=True)


def write(bootstrap: str, records: Iterable[tuple[int, Poison]], now: float) -> dict[str, bool]:
    """Produce each to its partition. Place of each → whether it has to end with a result."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    places: dict[str, bool] = {}

    def delivered(it: Poison, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        places[f"{message.topic()}/{message.partition()}/{message.offset()}"] = it.ends

    for partition, it in records:
        stamp = int((now + it.ahead) * 1000)
        headers = [*it.headers, MARK]
        producer.produce(
            it.topic,
            it.value,
            key=it.key,
            partition=partition,
            headers=headers,
            timestamp=stamp,
            on_delivery=partial(delivered, it),
        )
        producer.poll(0)
    assert producer.flush(30) == 0
    return places


def spoil_metadata(bootstrap: str, group: str, results: str) -> None:
    """Commit what is committed once more, with metadata of somebody else."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    found = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(30)
    spoilt = [
        TopicPartition(it.topic, it.partition, it.offset, METADATA[number % len(METADATA)].replace("RESULTS", results))
        for number, it in enumerate(found.topic_partitions)
    ]
    answers = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, spoilt)])
    for it in answers[group].result(30).topic_partitions:
        assert it.error is None, it.error
