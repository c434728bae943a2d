"""What producers and others write: compression, transactions, poison records, small batches that expand."""

from __future__ import annotations

import time

import orjson

from tests.crash.scenarios.table import scenario
from tests.crash.scene import Scene
from tests.crash.size import Size
from tests.kafka.batches import Made, batch
from tests.kafka.raw import append
from tests.kafka.records import Event
from tests.kafka.transactional import Transaction

SMALL = Size(messages=4_000)
CODECS = ("gzip", "snappy", "lz4", "zstd")


def _aborted(scene: Scene, name: str) -> None:
    """A thousand events that nobody may be sent."""
    transaction = Transaction(scene.kafka.bootstrap, f"{scene.name}-{name}")
    first, partitions = 1_000_000 + scene.produced, scene.size.partitions
    transaction.write(scene.topics.source, *(scene.size.event(n, partitions) for n in range(first, first + 1_000)))
    transaction.abort()


@scenario("input", size=SMALL)
def transactions_aborted(scene: Scene) -> None:
    """Producers abort transactions before, between and behind others, also the last in the log; a worker is killed."""
    _aborted(scene, "before")
    scene.produce(2_000)
    _aborted(scene, "between")
    scene.produce(2_000)
    scene.start("w0")
    scene.until_sent(0.3)
    scene.kill("w0")
    scene.start("w1")
    scene.until_sent(0.5)
    _aborted(scene, "behind")


@scenario("input", size=SMALL)
def transaction_left_open(scene: Scene) -> None:
    """A transaction is open in each partition while others follow and a worker is killed, then committed."""
    scene.produce(1_000)
    open_one = Transaction(scene.kafka.bootstrap, f"{scene.name}-open")
    first, partitions = scene.produced, scene.size.partitions
    open_one.write(scene.topics.source, *(scene.size.event(n, partitions) for n in range(first, first + 1_000)))
    scene.produced += 1_000
    scene.produce(2_000)
    scene.start("w0")
    scene.until_sent(1_000)
    scene.kill("w0")
    scene.start("w1")
    scene.workers["w1"].wait_for("worker started", within=60)
    scene.hold(3)
    scene.check(scene.sent() <= 1_000 + scene.size.at_once, f"{scene.sent()} were sent before it was decided")
    open_one.commit()


@scenario("input", size=SMALL)
def transactions_in_our_topics(scene: Scene) -> None:
    """Others write transactions into results, retry topics and journal; a worker is killed."""
    topics = scene.topics
    left_open = None
    for ending in ("open", "abort", "commit"):
        transaction = Transaction(scene.kafka.bootstrap, f"{scene.name}-{ending}")
        for topic in topics.numbered:
            if ending == "commit" and topic == topics.results:
                continue  # the audit would take it for a result
            forged = {"settles": f"{topics.source}/0/9".encode()}
            records = (Event(b"{}", partition=number, headers=forged) for number in range(scene.size.partitions))
            transaction.write(topic, *records)
        if ending == "open":
            left_open = transaction
        else:
            getattr(transaction, ending)()
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.5)
    scene.kill("w0")
    scene.start("w1")
    scene.until_sent(0.95)
    assert left_open is not None
    left_open.abort()  # or the audit would not see the results behind it


@scenario("input", size=Size(messages=4_000, temporary=40))
def topics_compressed(scene: Scene) -> None:
    """Each topic is compressed with another codec by its brokers, events by their producers; workers are killed."""
    scene.topics.compress(dict(zip([scene.topics.source, *scene.topics.numbered], [*CODECS, *CODECS], strict=False)))
    for codec in CODECS:
        scene.produce(1_000, codec=codec)
    scene.start("w0")
    scene.until_sent(0.3)
    scene.kill("w0")
    scene.start("w1")
    scene.until_sent(0.6)
    scene.kill("w1")
    scene.start("w2")


def _giant(scene: Scene, number: int) -> bytes:
    """An event of 3 MB that is a few kilobytes in the log."""
    document = orjson.loads(scene.size.event(number, scene.size.partitions).value or b"")
    return orjson.dumps({**document, "pad": "0" * 3_000_000})


@scenario("input", size=SMALL)
def poison_records(scene: Scene) -> None:
    """Headers that are no text, offsets that lie, batches that expand, in every topic; a worker is killed."""
    now, topics = round(time.time() * 1000), scene.topics
    odd = [(b"\xff\xfe", b"\xff")]
    scene.produce(1_000)
    for partition in range(scene.size.partitions):
        for codec in ("none", *CODECS):
            events = [scene.size.event(scene.produced + n, scene.size.partitions).value for n in range(3)]
            made = [Made(events[0], headers=odd), Made(_giant(scene, scene.produced + 1)), Made(events[2])]
            if codec != "none":  # uncompressed, brokers refuse its size
                append(scene.kafka.bootstrap, topics.source, partition, batch(made, now=now, compression=codec))
                scene.produced += 3
        poison = batch([Made(b"{}", b"campaign:x", odd)] * 2, now=now, compression="zstd")
        lies = batch([Made(b"{}", b"campaign:y", offset=n * 40) for n in range(3)], now=now)
        append(scene.kafka.bootstrap, topics.journal, partition, poison)
    # The audit's own reader finds no end where offsets lie, so only here.
    append(scene.kafka.bootstrap, topics.control, 0, poison, lies)
    scene.produce(2_000)
    scene.start("w0")
    scene.until_sent(0.4)
    scene.kill("w0")
    scene.start("w1")
