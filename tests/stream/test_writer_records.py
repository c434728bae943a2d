"""What the writer writes: headers, dead letters, retry records; and that nothing is lost for its size or an outage."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata, TopicPartition

from connector.clock import ManualClock
from connector.delivery.queue.item import Item, TracedItem
from connector.formats import cloudevents
from connector.kafka.batches import unpack
from connector.model import Result, Source, Status
from connector.receipts.correlation import Correlations
from connector.stream.intake.refusals import Refusals
from connector.stream.output import dispatch as module
from connector.stream.output.cloud_events import cloud_event_headers
from connector.stream.output.debt_sink import NO_DEBTS
from connector.stream.output.pending_results import PendingResults
from connector.stream.output.writer import ResultWriter
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.retry.retry_records import RetryRecord
from tests.stream.dispatching import dispatcher

NOW = datetime(2025, 1, 1, tzinfo=UTC)
EVENT = b'{"message_id":"m1","to":"+919800000009"}'


class Producer:
    """Acknowledges at once; remembers what was sent where. `refusals` time-outs come first."""

    def __init__(self, refusals: int = 0) -> None:
        self.sent: list[tuple[str, int, list[dict[str, Any]]]] = []
        self.refusals = refusals
        self.offset = 100

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(256 * 1024, 0)

    async def partitions_for(self, topic: str) -> set[int]:
        return {0, 1, 2, 3, 4}

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        if self.refusals:
            self.refusals -= 1
            raise KafkaTimeoutError
        records = [{"key": key, "value": value, "headers": headers} for key, value, headers in unpack(batch)]
        self.sent.append((topic, partition, records))
        future = asyncio.get_running_loop().create_future()
        where = TopicPartition(topic, partition)
        future.set_result(RecordMetadata(topic, partition, where, self.offset, 0, 0, 0))
        return future

    def records(self, topic: str) -> list[dict[str, Any]]:
        return [record for name, _, records in self.sent for record in records if name == topic]


class Case:
    def __init__(
        self, *, record_bytes: int = 100_000, refusals: int = 0, traced: bool = False, cloudevents: bool = False
    ) -> None:
        self.producer = Producer(refusals)
        self.partition = Partition("sms.messages", 4, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(100))
        self.durable: list[int] = []

        async def await_lease_for(partition: Partition) -> bool:
            return partition.live

        self.writer = ResultWriter(
            dispatcher(self.producer),
            results="sms.results",
            dead_letters="sms.dead",
            connector="group-1",
            limits=dict.fromkeys(["sms.results", "sms.dead", "sms.retry.5s"], record_bytes),
            present=None,
            pending=PendingResults(1000),
            durable=SimpleNamespace(durable=lambda _, offsets, bytes_: self.durable.extend(offsets)),
            debts=NO_DEBTS,
            fencing=SimpleNamespace(await_lease_for=await_lease_for),
            failures=SimpleNamespace(failed=lambda error: pytest.fail(repr(error))),
            refusals=Refusals(dry_run=False),
            correlations=Correlations(None),
            clock=ManualClock(),
            traced=traced,
            about=cloud_event_headers("group-1") if cloudevents else None,
        )

    def item(self, offset: int = 7, *, raw: bytes = EVENT, key: bytes | None = None) -> Item:
        return Item(raw, self.partition, offset, key, NOW)

    def result(self, offset: int = 7, status: Status = Status.ACCEPTED, **fields: Any) -> Result:
        return Result(status, Source("sms.messages", 4, offset), NOW, "m1", **fields)

    async def write(self, item: Item, payload: Result | RetryRecord) -> None:
        if isinstance(payload, RetryRecord):
            self.writer.move([item], [payload])
        else:
            self.writer.add([item], [payload])
        assert await self.writer.flush(5)


async def test_a_result_goes_to_its_events_partition_and_says_what_it_settles():
    """Key: the event's, else the message_id; the end that a commit will carry is the acknowledged one."""
    case = Case()
    await case.write(case.item(), case.result())
    await case.write(case.item(8, key=b"customer"), case.result(8))
    assert [(topic, partition) for topic, partition, _ in case.producer.sent] == [("sms.results", 4)] * 2
    first, second = case.producer.records("sms.results")
    assert first["headers"] == [("settles", b"sms.messages/4/7")]
    assert (first["key"], second["key"]) == (b"m1", b"customer")
    assert case.partition.ends == {"sms.results": 101}
    assert case.durable == [7, 8]


@pytest.mark.parametrize("status", [Status.INVALID, Status.FAILED])
async def test_a_dead_letter_is_durable_before_its_result(status):
    """Raw bytes, Kafka Connect's headers, written first: a crash between the two repeats it and loses nothing."""
    case = Case()
    await case.write(case.item(), case.result(status=status, reason="why"))
    assert [topic for topic, _, _ in case.producer.sent] == ["sms.dead", "sms.results"]
    (letter,) = case.producer.records("sms.dead")
    headers = dict(letter["headers"])
    assert letter["value"] == EVENT
    assert headers["settles"] == b"sms.messages/4/7"
    assert headers["__connect.errors.topic"] == b"sms.messages"
    assert headers["__connect.errors.partition"] == b"4"
    assert headers["__connect.errors.offset"] == b"7"
    assert headers["__connect.errors.exception.message"] == b"why"


async def test_a_result_that_is_too_large_loses_its_words_and_not_itself():
    """Reason and code go; then the event's own key gives way to the message_id."""
    case = Case(record_bytes=900)
    await case.write(case.item(), case.result(reason="x" * 2000, code="y" * 2000))
    await case.write(case.item(8, key=b"k" * 5000), case.result(8, reason="x" * 2000))
    for record in case.producer.records("sms.results"):
        result = msgspec.json.decode(record["value"], type=Result)
        assert result.status is Status.ACCEPTED
        assert "too large" in (result.reason or "")
        assert result.code is None
        assert record["key"] == b"m1"
    assert case.durable == [7, 8]


async def test_an_event_too_large_for_the_dead_letters_still_gets_its_result():
    """It says that the bytes were not kept."""
    case = Case(record_bytes=900)
    await case.write(case.item(raw=b"z" * 2000), case.result(status=Status.INVALID, reason="unreadable"))
    assert case.producer.records("sms.dead") == []
    (record,) = case.producer.records("sms.results")
    assert b"not kept" in record["value"]


async def test_a_moved_event_stands_in_its_retry_topic_and_is_settled_there():
    """The record there takes over the duty: same partition number, `settles`, and what it has to know."""
    case = Case()
    await case.write(case.item(), RetryRecord("sms.retry.5s", ("retry", b"{}")))
    ((topic, partition, (record,)),) = case.producer.sent
    assert (topic, partition) == ("sms.retry.5s", 4)
    assert record["value"] == EVENT
    assert record["headers"] == [("settles", b"sms.messages/4/7"), ("retry", b"{}")]
    assert case.durable == [7]


@pytest.mark.parametrize(
    ("payload", "topics"),
    [
        (Status.ACCEPTED, {"sms.results"}),
        (Status.FAILED, {"sms.results", "sms.dead"}),
        (RetryRecord("sms.retry.5s", ("retry", b"{}")), {"sms.retry.5s"}),
    ],
)
async def test_with_tracing_every_record_carries_the_trace_of_its_event(payload, topics):
    """Also that of a retry topic: from there it goes on."""
    case = Case(traced=True)
    item = TracedItem(EVENT, case.partition, 7, None, NOW, traceparent=b"00-aa-bb-01")
    await case.write(item, payload if isinstance(payload, RetryRecord) else case.result(status=payload))
    assert {topic for topic, _, _ in case.producer.sent} == topics
    assert all(
        ("traceparent", b"00-aa-bb-01") in it["headers"] for _, _, records in case.producer.sent for it in records
    )
    await case.write(TracedItem(EVENT, case.partition, 8, None, NOW), case.result(8))
    assert case.producer.records("sms.results")[-1]["headers"] == [("settles", b"sms.messages/4/8")]


async def test_an_event_that_no_retry_topic_takes_fails_instead_of_blocking_its_partition():
    """It becomes a `failed` result."""
    case = Case(record_bytes=500)
    raw = EVENT[:-1] + b',"body":"' + b"b" * 600 + b'"}'
    await case.write(case.item(raw=raw), RetryRecord("sms.retry.5s", ("retry", b"{}")))
    (record,) = case.producer.records("sms.results")
    assert msgspec.json.decode(record["value"], type=Result).status is Status.FAILED
    assert case.producer.records("sms.retry.5s") == []
    assert case.durable == [7]


async def test_a_time_out_of_the_producer_is_repeated(monkeypatch):
    """aiokafka raises it after an outage although the broker is back, before anything is queued."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
    case = Case(refusals=3)
    await case.write(case.item(), case.result())
    assert case.durable == [7]
    assert len(case.producer.records("sms.results")) == 1


async def test_nothing_of_a_closed_epoch_is_written():
    """Its new owner may have sent the message again: two results would contradict each other."""
    case = Case()
    case.partition.live = False
    case.writer.add([case.item()], [case.result()])
    assert await case.writer.flush(5)
    assert case.producer.sent == []
    assert case.durable == []


@pytest.mark.parametrize(("reason", "bytes_"), [(None, 100_000), ("x" * 5_000, 1_200), ("x" * 5_000, 500)])
async def test_a_result_is_a_cloud_event_where_that_is_asked_for(reason: str | None, bytes_: int) -> None:
    """Also one that had to be made smaller; its id is the event's place, wherever the event waited."""
    case = Case(cloudevents=True, record_bytes=bytes_)
    await case.write(case.item(), case.result(reason=reason))
    (record,) = case.producer.records("sms.results")
    headers = {name: value.decode() for name, value in record["headers"]}
    assert headers.pop("settles") == "sms.messages/4/7"
    assert headers["content-type"] == "application/json"
    assert cloudevents.attributes(headers) == {
        "specversion": "1.0",
        "type": "sms-connector.result",
        "source": "/sms-connector/group-1",
        "id": "sms.messages/4/7",
        "time": "2025-01-01T00:00:00Z",
        "subject": "m1",
    }
    assert msgspec.json.decode(record["value"], type=Result).status is Status.ACCEPTED
