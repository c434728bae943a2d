"""Debts are paid once: what has come to light since they were read back is not written a second time."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import orjson
from aiokafka import TopicPartition

from connector.clock import ManualClock
from connector.formats.source_format import SourceFormats
from connector.kafka.batches import RecordFields
from connector.model import Result, Source, Status
from connector.receipts.correlation import Correlations
from connector.settings.model import Settings
from connector.stream.epoch.debt_payment import DebtPayment
from connector.stream.partitions.formats import settled_place
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition

NOW = datetime(2025, 1, 1, tzinfo=UTC)


class Kafka:
    """Events 0 to 9 of a source, a results topic, and what appears in it when something is written there."""

    def __init__(self, *, hidden: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        self.events = {
            offset: orjson.dumps({"message_id": f"m{offset}", "to": "+919812345678"}) for offset in range(10)
        }
        self.written: list[tuple[int, Result]] = []
        self.visible: set[int] = set()
        self._hidden = hidden
        self.reads = 0

    async def read_between(self, _: TopicPartition, start: int, end: int, **__: Any) -> list[Any]:
        self.reads += 1
        return [
            SimpleNamespace(offset=offset, value=self.events[offset], key=b"k", headers=())
            for offset in range(start, end)
            if offset in self.events
        ]

    async def settled_since(self, _: TopicPartition, start: int) -> set[bytes]:
        assert start == 7
        return {f"in/0/{offset}".encode() for offset in self.visible}

    def pack(self, records: list[RecordFields]) -> list[RecordFields]:
        return records

    async def send(self, _: object, records: list[RecordFields], **__: Any) -> None:
        for _key, value, headers in records:
            place = settled_place(headers)
            assert place is not None
            self.written.append((place[1], msgspec.json.decode(value or b"", type=Result)))
        if records:
            self.visible |= self._hidden

    @property
    def offsets(self) -> list[int]:
        return [offset for offset, _ in self.written]


def owing(*offsets: int, result: bool = True) -> Partition:
    partition = Partition("in", 0, Ledger(0, OffsetSet(100)), ReplayMarks(0, {}), {"results": 7}, 0, OffsetSet(100))
    accepted = {it: Result(Status.ACCEPTED, Source("in", 0, it), NOW, f"m{it}") for it in offsets}
    partition.debts = {it: accepted[it] if result else None for it in offsets}
    return partition


async def pay(kafka: Kafka, partition: Partition, **source: Any) -> None:
    settings = Settings.model_validate({"topics": {"sources": [{"topic": "in", **source}]}})
    debt_payment = DebtPayment(
        kafka,  # type: ignore[arg-type]
        kafka,  # type: ignore[arg-type]
        results="results",
        present=None,
        correlations=Correlations(None),
        formats=SourceFormats(settings, ManualClock()),
        clock=ManualClock(),
    )
    await debt_payment.pay([partition], wanted=lambda: True)


async def test_each_is_written_once_and_its_event_is_settled() -> None:
    kafka, partition = Kafka(), owing(2, 3, 7)
    await pay(kafka, partition)
    assert kafka.offsets == [2, 3, 7]
    assert {result.to for _, result in kafka.written} == {"+919812345678"}
    assert partition.debts == {}
    assert [offset for offset in range(10) if not partition.ledger.admit(offset)] == [2, 3, 7]


async def test_events_of_another_shape_say_whose_a_result_is() -> None:
    kafka, partition = Kafka(), owing(2, result=False)
    kafka.events[2] = orjson.dumps({"order": "m2", "phone": "+919800000002"})
    await pay(kafka, partition, message={"message_id": "order", "to": "phone"})
    ((_, result),) = kafka.written
    assert (result.status, result.message_id, result.to) == (Status.UNKNOWN, "m2", "+919800000002")


async def test_what_has_come_to_light_since_it_was_read_back_is_not_written_again() -> None:
    """A broker gets to it late, or shows it when enough replicas are there: which the first write proves."""
    kafka = Kafka(hidden={3, 7})
    kafka.visible = {4}
    await pay(kafka, owing(2, 3, 4, 7))
    assert kafka.offsets == [2]


async def test_where_all_of_it_is_there_nothing_is_written() -> None:
    kafka = Kafka()
    kafka.visible = {2, 3}
    await pay(kafka, owing(2, 3))
    assert kafka.offsets == []


async def test_of_what_is_only_known_to_be_owed_the_result_is_unknown_and_gaps_of_the_log_have_none() -> None:
    """A topic that was lost leaves behind that all of them were settled: aborted events, and those deleted, as well."""
    kafka = Kafka()
    del kafka.events[3]
    await pay(kafka, owing(2, 3, 4, result=False))
    assert kafka.offsets == [2, 4]
    assert {result.status for _, result in kafka.written} == {Status.UNKNOWN}


async def test_events_with_others_between_them_are_read_together() -> None:
    """Every other one of a thousand would be five hundred reads."""
    kafka = Kafka()
    kafka.events = dict.fromkeys(range(20_000), kafka.events[0])
    owed = [*range(0, 1000, 2), 15_000]
    await pay(kafka, owing(*owed))
    assert kafka.offsets == owed
    assert kafka.reads == 2
