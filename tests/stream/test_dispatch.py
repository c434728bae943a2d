"""Record batches on their way: what is refused is split, made smaller, waited for or given up; all else comes once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    OutOfOrderSequenceNumber,
    PolicyViolationError,
    TopicAuthorizationFailedError,
    UnknownError,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata, TopicPartition

from connector.clock import ManualClock
from connector.errors import RefusedError
from connector.kafka.batches import RecordFields, unpack
from connector.model import Result, Source, Status
from connector.stream.output import dispatch as module
from connector.stream.output.dispatch import BatchPlace, Dispatch
from connector.stream.output.replaceable_producer import ReplaceableProducer
from connector.stream.output.shrinking import forms
from connector.stream.output.writability import Writability
from connector.stream.partitions.formats import settled_place
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from tests.stream.dispatching import FakeProof, read_back
from tests.stream.test_writer import NOW

PATIENCE = 60.0
WORDS = "w" * 300
LEAST = 200
"""Bytes of a result with identity and status alone, at most."""

Judge = Callable[[list[RecordFields]], KafkaError | None]


class Broker:
    """A topic of one partition, with the rule about sequence numbers; `judge` says what it refuses."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.log: list[RecordFields] = []
        self.producers = 0
        self.asked = 0

    def producer(self) -> Producer:
        self.producers += 1
        return Producer(self)


class Producer:
    """Like an idempotent one: after a batch that was refused it is out of order for ever."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._hole = False

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(100_000, 0)

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def partitions_for(self, _: str) -> set[int]:
        return {0}

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        future: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        records = unpack(batch)
        self._broker.asked += 1
        error = OutOfOrderSequenceNumber() if self._hole else self._broker.judge(records)
        if error is None:
            where = TopicPartition(topic, partition)
            future.set_result(RecordMetadata(topic, partition, where, len(self._broker.log), 0, 0, 0))
            self._broker.log += records
        else:
            self._hole = True
            future.set_exception(error)
        return future


class Case:
    def __init__(self, judge: Judge) -> None:
        self.broker = Broker(judge)
        self.clock = ManualClock()
        self.writable = Writability(self.clock, patience=PATIENCE)
        self.origin = Partition("messages", 0, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(100))
        self.dispatch = Dispatch(
            ReplaceableProducer(self.broker.producer),  # type: ignore[arg-type]
            writable=self.writable,
            read_back=read_back(self._written),
            proof=FakeProof(),  # type: ignore[arg-type]
            clock=self.clock,
        )

    async def _written(self, *_: Any) -> set[bytes]:
        return {value for record in self.broker.log for _, value in record[2]}

    async def send(self, records: Iterable[RecordFields], **options: Any) -> list[RecordFields]:
        place = BatchPlace(self.origin, "results", 0)
        return await self.dispatch.send(place, self.dispatch.pack(list(records)), **options)

    async def asked(self, times: int) -> None:
        """Let it go on until the broker was asked so often."""
        while self.broker.asked < times:  # noqa: ASYNC110
            await asyncio.sleep(0)

    @property
    def arrived(self) -> list[int]:
        places = [settled_place(record[2]) for record in self.broker.log]
        return sorted(place[1] for place in places if place is not None)


def result(offset: int, *, key: bytes | None = b"k", reason: str = "words") -> RecordFields:
    value = Result(Status.ACCEPTED, Source("messages", 0, offset), NOW, f"m{offset}", reason=reason)
    return key, msgspec.json.encode(value), [("settles", f"messages/0/{offset}".encode())]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)


def refuses_offset(offset: int, error: Callable[[], KafkaError], smallest: int) -> Judge:
    """Refuses whatever carries that result while its value is larger than so many bytes."""

    def judge(records: list[RecordFields]) -> KafkaError | None:
        culprits = [
            it for it in records if it[2][0][1].endswith(f"/{offset}".encode()) and len(it[1] or b"") > smallest
        ]
        return error() if culprits else None

    return judge


@pytest.mark.parametrize("error", [MessageSizeTooLargeError, PolicyViolationError, UnknownError])
@pytest.mark.parametrize("culprit", [0, 6, 12])
async def test_one_refused_record_takes_none_of_its_batch_with_it(error: type[KafkaError], culprit: int) -> None:
    """It is written without its words; each of the others as it is; every one once."""
    case = Case(refuses_offset(culprit, error, 300))
    assert await case.send((result(offset, reason=WORDS) for offset in range(13)), forms=forms) == []
    assert case.arrived == list(range(13))
    values = {settled_place(it[2]): msgspec.json.decode(it[1] or b"", type=Result) for it in case.broker.log}
    assert values["messages/0", culprit].status is Status.ACCEPTED
    assert values["messages/0", culprit].reason != WORDS
    assert all(it.reason == WORDS for place, it in values.items() if place != ("messages/0", culprit))
    assert not case.writable.holding


async def test_of_a_result_that_is_refused_in_every_larger_form_identity_and_status_are_written() -> None:
    case = Case(lambda records: PolicyViolationError() if len(records[0][1] or b"") > LEAST else None)
    await case.send([result(3, key=b"k" * 9000, reason=WORDS)], forms=forms)
    ((key, value, headers),) = case.broker.log
    written = msgspec.json.decode(value or b"", type=Result)
    assert (key, headers) == (None, [("settles", b"messages/0/3")])
    assert (written.status, written.source.offset, written.message_id) == (Status.ACCEPTED, 3, None)


async def test_a_topic_that_wants_keys_gets_one() -> None:
    """INVALID_RECORD of a compacted topic; aiokafka 0.14 does not know its number."""
    case = Case(lambda records: UnknownError() if any(not it[0] for it in records) else None)
    await case.send([result(1), result(2, key=None), result(3)], forms=forms)
    assert case.arrived == [1, 2, 3]


async def test_a_time_that_has_passed_is_set_anew() -> None:
    refused = iter([InvalidTimestampError(), InvalidTimestampError(), InvalidTimestampError()])
    case = Case(lambda _: next(refused, None))
    await case.send([result(1), result(2)], forms=forms)
    assert case.arrived == [1, 2]
    assert all(b"words" in (it[1] or b"") for it in case.broker.log)


@pytest.mark.parametrize("error", [InvalidTimestampError, MessageSizeTooLargeError, UnknownError])
async def test_a_topic_that_refuses_every_form_of_a_result_refuses_for_good(error: type[KafkaError]) -> None:
    """It is found out with the first one, and not tried with each of the others."""
    case = Case(lambda _: error())
    with pytest.raises(RefusedError) as caught:
        await case.send((result(offset) for offset in range(1000)), forms=forms)
    assert caught.value.exit_code == 78
    assert caught.value.problems[0].path == "results"
    assert case.writable.holding
    assert not await case.writable.await_writable(lambda: True)
    assert case.broker.asked < 60
    assert case.arrived == []


async def test_a_missing_permission_is_waited_for_and_nothing_is_sent_meanwhile() -> None:
    case = Case(lambda _: TopicAuthorizationFailedError("results"))
    sending = asyncio.ensure_future(case.send([result(1)], forms=forms))
    await case.asked(5)
    assert case.writable.holding
    waiting = asyncio.ensure_future(case.writable.await_writable(lambda: True))
    case.clock.advance(PATIENCE - 1)
    case.broker.judge = lambda _: None
    assert await sending == []
    assert await waiting
    assert not case.writable.holding
    assert case.arrived == [1]


async def test_a_permission_that_does_not_come_back_is_refused_for_good_with_the_remedy() -> None:
    case = Case(lambda _: TopicAuthorizationFailedError("results"))
    sending = asyncio.ensure_future(case.send([result(1)], forms=forms))
    await case.asked(5)
    waiting = asyncio.ensure_future(case.writable.await_writable(lambda: True))
    case.clock.advance(PATIENCE)
    with pytest.raises(RefusedError, match="allow Write"):
        await sending
    assert not await waiting


@pytest.mark.parametrize("error", [TopicAuthorizationFailedError, PolicyViolationError])
async def test_what_is_optional_stops_nothing(error: type[KafkaError]) -> None:
    """Dead letters: all of them are left over, at once."""
    case = Case(lambda _: error())
    left = await case.send((result(offset) for offset in range(3)), optional=True)
    assert len(left) == 3
    assert not case.writable.holding


async def test_a_batch_that_is_in_the_log_is_not_written_again() -> None:
    """Its first answer was lost; when it was repeated the permission had gone."""
    case = Case(lambda _: None)
    case.broker.log.append(result(1))
    refused = iter([TopicAuthorizationFailedError("results")])
    case.broker.judge = lambda _: next(refused, None)
    await case.send([result(1), result(2)], forms=forms)
    assert case.arrived == [1, 2]


@pytest.mark.parametrize("error", [NotLeaderForPartitionError, OutOfOrderSequenceNumber])
async def test_what_is_not_the_records_fault_is_repeated_as_it_was(error: type[KafkaError]) -> None:
    refused = iter([error(), error()])
    case = Case(lambda _: next(refused, None))
    await case.send([result(1), result(2)], forms=forms)
    assert case.arrived == [1, 2]


async def test_many_partitions_share_one_new_producer_per_refusal() -> None:
    case = Case(refuses_offset(5, MessageSizeTooLargeError, 0))
    case.broker.judge = refuses_offset(5, MessageSizeTooLargeError, 300)
    await asyncio.gather(
        case.send([result(1)], forms=forms),
        case.send([result(5, reason=WORDS)], forms=forms),
        case.send([result(6)]),
    )
    assert case.arrived == [1, 5, 6]
    assert case.broker.producers <= 3


async def test_who_waits_for_a_permission_is_let_go_when_the_epoch_closes() -> None:
    """And who comes in the next epoch, while it is missing still, waits again."""
    case = Case(lambda _: None)
    case.writable.doubt("results", TopicAuthorizationFailedError("results"))
    live = True
    waiting = asyncio.ensure_future(case.writable.await_writable(lambda: live))
    await asyncio.sleep(0)
    live = False
    case.writable.release()
    assert not await waiting
    live = True
    waiting = asyncio.ensure_future(case.writable.await_writable(lambda: live))
    await asyncio.sleep(0)
    assert not waiting.done()
    case.writable.clear("results")
    assert await waiting
