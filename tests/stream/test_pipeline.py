"""The whole way of a message, through a worker that is put together as in production, without Kafka and HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import OffsetAndMetadata, RecordMetadata

from connector.clock import ManualClock, SystemClock
from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.formats.source_format import SourceFormats
from connector.kafka.batches import unpack
from connector.kafka.fetched import Fetched
from connector.kafka.skipped import Skipped
from connector.model import Message
from connector.settings.model import Settings
from connector.stream.membership.lease import Lease
from connector.stream.output.replaceable_producer import ReplaceableProducer
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.wiring.dependencies import Dependencies
from connector.stream.worker import Worker
from tests.waiting import eventually

DEFINITION = """
name: acme
method: POST
url: https://sms.example.com/send
parameters: {json: {msgs: [{to: $$To, text: $$Body}]}}
batching: {key: msgs, records: 10, wait: 0s}
response: {rules: [{status: 200, then: accept}]}
"""
LEASE_SECONDS = 10.0


class Brokers:
    """Takes what is written and committed, at once."""

    def __init__(self) -> None:
        self.written: dict[str, list[dict[str, Any]]] = {}
        self.committed: dict[TopicPartition, OffsetAndMetadata] = {}
        self.end = 0
        self.generation = 1

    def stable_end(self, _topic: str, _partition: int) -> int:
        return self.end

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        self.committed.update(offsets)

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(256 * 1024, 0)

    async def partitions_for(self, _: str) -> set[int]:
        return {0}

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        log = self.written.setdefault(topic, [])
        future: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        future.set_result(RecordMetadata(topic, partition, TopicPartition(topic, partition), len(log), 0, 0, 0))
        log += [{"value": value, "headers": dict(headers)} for _, value, headers in unpack(batch)]
        return future


class Bench:
    """A worker with one source partition, and events that are read from it."""

    def __init__(self, folder: Path, definition: str = DEFINITION, **settings: Any) -> None:
        file = folder / "acme.yaml"
        file.write_text(definition)
        self.settings = Settings.model_validate({"delivery": "dry-run", **settings})
        topics = self.settings.topics
        self.brokers = Brokers()
        self.clock = ManualClock()
        self.lease = Lease(self.clock, seconds=LEASE_SECONDS)
        self.lease.prove(self.clock.monotonic())
        brokers: Any = self.brokers
        surroundings: dict[str, Any] = {
            "group": brokers,
            "cluster": SimpleNamespace(options={}),
            "membership": SimpleNamespace(lease=self.lease),
            "producer": ReplaceableProducer(lambda: brokers),
        }
        deps = Dependencies(
            settings=self.settings,
            clock=SystemClock(),
            limits=dict.fromkeys([topics.results, topics.dead_letters, *topics.retry.values()], 1_000_000),
            retention=7 * 86_400.0,
            journal=True,
            present=None,
            allowed=lambda to: to != "+910000000000",
            skipped=Skipped(topics.read_names),
            formats=SourceFormats(self.settings, self.clock),
            **surroundings,
        )
        self.worker = Worker(deps, {"acme": load(file, environment=Environment({}))}, crash=self._crash)
        self.parts = self.worker._parts
        self.partition = Partition(topics.source_names[0], 0, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(10_000))

    async def _crash(self, error: BaseException) -> None:
        raise error

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Partitions are owned and open."""
        self.parts.owned.own([self.partition], [], self.brokers.generation)
        self.parts.owned.live = True
        self.parts.output.proof.begin(known=True)
        self.parts.lanes.start()
        try:
            yield
        finally:
            await self.parts.lanes.stop()

    async def read(self, *values: bytes) -> None:
        """These are fetched."""
        fetched = Fetched(self.brokers.end)
        for number, value in enumerate(values):
            offset = self.brokers.end + number
            fetched.append(SimpleNamespace(offset=offset, key=None, value=value, timestamp=-1, headers=()))  # type: ignore[arg-type]
        self.brokers.end += len(values)
        fetched.end = self.brokers.end
        chunk: Any = SimpleNamespace(
            topic=self.partition.topic, generation_id=self.brokers.generation, value=[(0, fetched)]
        )
        await self.worker.admit(chunk)

    async def settled(self, position: int) -> None:
        await eventually(lambda: self.partition.ledger.position >= position, f"offset {position}")

    @property
    def results(self) -> dict[str, str]:
        """Of each event, by the header that names it: what became of it."""
        written = self.brokers.written.get(self.settings.topics.results, [])
        return {it["headers"]["settles"].decode(): msgspec.json.decode(it["value"])["status"] for it in written}


def an_event(number: int, **fields: Any) -> bytes:
    message = {"message_id": f"m{number}", "to": f"+9198{number:08d}", "provider": "acme", "body": "Hello"}
    return msgspec.json.encode(msgspec.convert({**message, **fields}, Message))


@pytest.mark.parametrize("duplicates", [{}, {"duplicates": {"horizon": 600}}], ids=["ids are not kept", "ids are kept"])
async def test_an_event_is_fetched_sent_written_and_committed(tmp_path: Path, duplicates: dict[str, Any]) -> None:
    bench = Bench(tmp_path, **duplicates)
    async with bench.running():
        await bench.read(*[an_event(number) for number in range(25)])
        await bench.settled(25)
        assert bench.results == {f"{bench.partition.topic}/0/{offset}": "accepted" for offset in range(25)}
        assert bench.worker.progress == (25, 0)
        assert (bench.parts.budget.messages, bench.parts.output.pending.unacknowledged) == (0, 0)
        assert await bench.parts.housekeeping.commit([bench.partition], [])
    assert bench.brokers.committed[TopicPartition(bench.partition.topic, 0)].offset == 25


async def test_what_is_not_sent_ends_beside_what_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        await bench.read(an_event(0), b"{", an_event(2, to="+910000000000"), an_event(3))
        await bench.settled(4)
    statuses = [bench.results[f"{bench.partition.topic}/0/{offset}"] for offset in range(4)]
    assert statuses == ["accepted", "invalid", "cancelled", "accepted"]
    assert [it["value"] for it in bench.brokers.written[bench.settings.topics.dead_letters]] == [b"{"]


async def test_nothing_leaves_while_the_membership_is_in_doubt(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.clock.advance(LEASE_SECONDS + 1)
        await bench.read(an_event(0))
        (lane,) = bench.parts.lanes.current.values()
        await eventually(lambda: lane.requests, "a request that waits for its permission")
        assert bench.results == {}
        bench.lease.prove(bench.clock.monotonic())
        bench.lease.tick()
        await bench.settled(1)
    assert list(bench.results.values()) == ["accepted"]


async def test_a_worker_that_has_given_its_partitions_back_takes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.parts.closing.begin()
        await bench.read(an_event(0))
    assert (bench.partition.ledger.high, bench.results) == (0, {})
