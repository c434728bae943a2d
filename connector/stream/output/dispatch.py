"""Record batches on their way to Kafka: repeated, split, made smaller, until they are acknowledged or refused for good.

A batch is refused as a whole: one record in it must not take the others with it, so it is halved until the culprit is
alone. A missing permission is no record's fault: it is waited for, as brokers hear of rules late.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import structlog
from aiokafka.errors import (
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownProducerId,
    UnknownTopicOrPartitionError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from connector.clock import Clock
from connector.errors import RefusedError
from connector.kafka.batches import RecordFields, fill, look, unpack
from connector.kafka.outage import passes
from connector.stream.output.debt_sink import NO_DEBTS, DebtSink
from connector.stream.output.read_back import ReadBack
from connector.stream.output.replaceable_producer import ReplaceableProducer
from connector.stream.output.writability import ACCESS, SIZE, Writability, refusal
from connector.stream.partitions.formats import SETTLES
from connector.stream.partitions.partition import Partition

log = structlog.get_logger(__name__)

# Between two tries to write to a topic that is not there, or that does not let us.
AGAIN_SECONDS = 1.0
# Not the records' fault: another batch before them was refused, or the broker has forgotten the producer.
SEQUENCE = (OutOfOrderSequenceNumber, ProducerFenced, UnknownProducerId)

Forms = Callable[[RecordFields], Iterator[RecordFields]]
Waiting = deque[tuple[list[RecordFields], KafkaError]]
"""Records of refused batches, and what refused them."""
T = TypeVar("T")


def no_forms(_: RecordFields) -> Iterator[RecordFields]:
    """For records that are written as they are or not at all."""
    return iter(())


class Acknowledgements(Protocol):
    """Hears of what was written.

    Implemented by `Proof` (connector/stream/output/proof.py), put in place in `connector/stream/wiring/output.py`.
    Implemented by `JoinCounts` (connector/stream/receipts/join_status.py), put in place in
    `connector/stream/receipts/join_worker.py`.
    """

    def acknowledged(self, topic: str) -> None:
        """A record batch of ours is acknowledged in this topic."""


class BatchPlace(NamedTuple):
    """Where a batch goes."""

    origin: Partition
    topic: str
    partition: int


class Sending:
    """Something that waits for a topic.

    Attributes:
        batches: on their way to it.
        since: monotonic seconds at which it began.
        optional: see `Dispatch.send`.
        noted: what is not acknowledged of them is written down as owed.
        refusal: why it is given up, though nobody has refused it.
    """

    __slots__ = ("_task", "batches", "debts", "noted", "optional", "place", "refusal", "since")

    def __init__(
        self, place: BatchPlace, batches: Sequence[BatchBuilder], debts: DebtSink, since: float, *, optional: bool
    ) -> None:
        self.place = place
        self.batches = batches
        self.debts = debts
        self.since = since
        self.optional = optional
        self.noted = debts is NO_DEBTS
        self.refusal: RefusedError | None = None
        self._task = asyncio.current_task()

    @property
    def records(self) -> list[RecordFields]:
        """All of them, acknowledged or not: the next owner reads back which of them are there."""
        return [record for batch in self.batches for record in look(batch)]

    def give_up(self, refusal: RefusedError) -> None:
        """Let whoever waits end with this error."""
        if self.refusal is None and self._task is not None:
            self.refusal = refusal
            self._task.cancel()

    def ended(self) -> RefusedError | None:
        """After a cancellation: the error to end with; None where somebody else has cancelled."""
        if self.refusal is not None and self._task is not None:
            self._task.uncancel()
        return self.refusal


class Dispatch:
    """Sends record batches.

    Args:
        producer: takes them.
        writable: is told what is refused.
        read_back: a batch whose first answer was lost may be in the log and be refused when it is repeated.
        proof: given by each batch that is acknowledged.

    Attributes:
        abandoned: batches were given up that a producer still holds: it has to be thrown away before it is stopped.
        gone: topics that are not on the cluster; what is optional is not sent to them.
    """

    def __init__(
        self,
        producer: ReplaceableProducer,
        *,
        writable: Writability,
        read_back: ReadBack,
        proof: Acknowledgements,
        clock: Clock,
    ) -> None:
        self.abandoned = False
        self.gone: frozenset[str] = frozenset()
        self._producer = producer
        self._writable = writable
        self._read_back = read_back
        self._proof = proof
        self._clock = clock
        self._turns: dict[str, asyncio.Lock] = {}
        self._under_way: dict[Sending, None] = {}

    async def send(
        self,
        place: BatchPlace,
        batches: Iterable[BatchBuilder],
        *,
        forms: Forms = no_forms,
        debts: DebtSink = NO_DEBTS,
        optional: bool = False,
    ) -> list[RecordFields]:
        """Send batches; returns when every record is acknowledged, with those that were refused for their own sake.

        Args:
            place: where they go.
            batches: closed by this.
            forms: what may be written in place of a record that is refused. Where the last of them is refused too, the
                topic takes nothing.
            debts: take records that are refused for now, or for good.
            optional: what the topic refuses is given up at once, and stops nothing.

        Raises:
            RefusedError: the topic refuses for good, or is gone.
        """
        batches = list(batches)
        if not optional and (known := self._writable.refused(place.topic)) is not None:
            await debts.owe(place.origin, [record for batch in batches for record in unpack(batch)])
            raise known
        sending = Sending(place, batches, debts, self._clock.monotonic(), optional=optional)
        return await self._watched(sending, self._send(place, batches, forms, debts, optional=optional))

    async def _watched(self, sending: Sending, doing: Coroutine[Any, Any, T]) -> T:
        """Do something that a topic may never answer.

        Raises:
            RefusedError: it is given up.
        """
        if sending.optional and sending.place.topic in self.gone:
            doing.close()
            raise refusal(sending.place.topic, UnknownTopicOrPartitionError())
        self._under_way[sending] = None
        try:
            return await doing
        except asyncio.CancelledError:
            if (refused := sending.ended()) is None:
                raise
            self.abandoned = self.abandoned or bool(sending.batches)
            await sending.debts.owe(sending.place.origin, sending.records)
            raise refused from None
        finally:
            del self._under_way[sending]

    def discarded(self) -> None:
        """The producer was thrown away, with what was abandoned."""
        self.abandoned = False

    def note_gone(self, topics: frozenset[str]) -> None:
        """These topics are not on the cluster; all others are."""
        self.gone = topics

    def late(self, seconds: float) -> list[Sending]:
        """What has waited for its topic for so long."""
        until = self._clock.monotonic() - seconds
        return [sending for sending in self._under_way if sending.since <= until]

    async def note(self, sendings: Iterable[Sending]) -> None:
        """Write down as owed what may never be acknowledged: whoever ends this process asks nobody."""
        for sending in sendings:
            if not sending.noted:
                sending.noted = True
                await sending.debts.owe(sending.place.origin, sending.records)

    async def _send(
        self, place: BatchPlace, batches: Sequence[BatchBuilder], forms: Forms, debts: DebtSink, *, optional: bool
    ) -> list[RecordFields]:
        futures = [(batch, await self._enqueue(batch, place)) for batch in batches]
        answers = [(batch, await self._answer(place, batch, future)) for batch, future in futures]
        refused = deque((unpack(batch), error) for batch, error in answers if error is not None)
        if not refused:
            return []
        try:
            return await self._again(place, refused, forms, debts, optional=optional)
        except RefusedError:
            for records, _ in refused:
                await debts.owe(place.origin, records)
            raise

    def create_batch(self) -> BatchBuilder:
        """An empty batch."""
        return self._producer.create_batch()

    async def partitions(self, place: BatchPlace) -> set[int]:
        """The numbers of an optional topic's partitions. Raises what aiokafka raises, or RefusedError: it is gone."""
        sending = Sending(place, (), NO_DEBTS, self._clock.monotonic(), optional=True)
        return await self._watched(sending, self._producer.partitions(place.topic))

    def pack(self, records: Sequence[RecordFields]) -> list[BatchBuilder]:
        """Records in as few batches as fit, with the time of now."""
        batches: list[BatchBuilder] = []
        self.fill(batches, records)
        return batches

    def fill(self, batches: list[BatchBuilder], records: Sequence[RecordFields]) -> None:
        """Put records into the last of these batches, and into new ones."""
        now = round(self._clock.wall() * 1000)
        taken = fill(batches[-1], records, now) if batches else 0
        while taken < len(records):
            batches.append(self._producer.create_batch())
            taken += fill(batches[-1], records[taken:], now)  # at least the first

    async def _again(
        self, place: BatchPlace, waiting: Waiting, forms: Forms, debts: DebtSink, *, optional: bool
    ) -> list[RecordFields]:
        """Records of refused batches until none waits; the first stays in `waiting` until it is done with.

        Returns those that are left over.
        """
        left: list[RecordFields] = []
        while waiting:
            records, error = waiting[0]
            records = await self._missing(place, records)
            if not records:
                still: list[tuple[list[RecordFields], KafkaError]] = []
            elif optional and isinstance(error, ACCESS):
                still, left = [], left + records
            elif isinstance(error, ACCESS):
                self._writable.doubt(place.topic, error)
                for others, _ in waiting:
                    await debts.owe(place.origin, others)
                still = await self._refused(self._allowed(place, records, error), records)
            elif _faultless(error):
                still = await self._refused(self._try(place, records), records)
            elif len(records) > 1:
                half = len(records) // 2
                still = await self._refused(self._try(place, records[:half]), records[:half])
                still += await self._refused(self._try(place, records[half:]), records[half:])
            else:
                still = []
                if not await self._alone(place, records[0], error, forms):
                    if not optional and not isinstance(error, SIZE):
                        raise self._writable.refuse(place.topic, error)
                    left += records
            waiting.popleft()
            waiting.extendleft(reversed(still))
        return left

    async def _refused(
        self, trying: Awaitable[KafkaError | None], records: list[RecordFields]
    ) -> list[tuple[list[RecordFields], KafkaError]]:
        """Records with what they are refused with now, if they are."""
        error = await trying
        return [] if error is None else [(records, error)]

    async def _alone(self, place: BatchPlace, record: RecordFields, error: KafkaError, forms: Forms) -> bool:
        """Write a refused record, in another form if need be. False where it has none.

        Raises:
            RefusedError: not even the smallest form is taken.
        """
        others = list(forms(record))
        refused: KafkaError | None = error
        for form in others if isinstance(error, SIZE) else [record, *others]:  # with the time of now it may be taken
            refused = await self._try(place, [form])
            while isinstance(refused, ACCESS):
                refused = await self._allowed(place, [form], refused)
            if refused is None:
                log.warning(
                    "record refused, written again" if form is record else "record refused, a smaller one is written",
                    topic=place.topic,
                    partition=place.partition,
                    error=type(error).__name__,
                )
                return True
        if others:
            raise self._writable.refuse(place.topic, refused)
        return False

    async def _allowed(self, place: BatchPlace, records: list[RecordFields], error: KafkaError) -> KafkaError | None:
        """Repeat what access rules refuse until it is taken, or refused otherwise. One at a time per topic.

        Raises:
            RefusedError: they refuse for too long.
        """
        topic = place.topic
        self._writable.doubt(topic, error)
        async with self._turns.setdefault(topic, asyncio.Lock()):
            while not self._writable.spent(topic):
                refused = await self._try(place, records)
                if not isinstance(refused, ACCESS):
                    self._writable.clear(topic)
                    return refused
                await asyncio.sleep(AGAIN_SECONDS)
        raise self._writable.refuse(topic, error)

    async def _try(self, place: BatchPlace, records: list[RecordFields]) -> KafkaError | None:
        """Send records; what they are refused with, if they are. What is not their own fault is repeated."""
        while records:
            refused: KafkaError | None = None
            futures = [(batch, await self._enqueue(batch, place)) for batch in self.pack(records)]
            for batch, future in futures:
                error = await self._answer(place, batch, future)
                refused = refused or error
            if refused is None or not _faultless(refused):
                return refused
            await asyncio.sleep(AGAIN_SECONDS)
            records = await self._missing(place, records)
        return None

    async def _missing(self, place: BatchPlace, records: list[RecordFields]) -> list[RecordFields]:
        """Without those that are in the log."""
        if not any(map(_settled, records)):
            return records
        written = await self._read_back.written(place.origin, place.topic)
        return [record for record in records if _settled(record) not in written]

    async def _answer(
        self, place: BatchPlace, batch: BatchBuilder, future: asyncio.Future[Any] | KafkaError
    ) -> KafkaError | None:
        """Wait for the broker's answer; what it refuses a batch with. ProducerClosed is raised: the epoch has ended."""
        if isinstance(future, KafkaError):
            return future
        try:
            await asyncio.wait((future,))  # whoever is given up leaves the producer's own future alone
            acknowledged = future.result()
        except ProducerClosed:
            raise
        except KafkaError as error:
            return error
        if acknowledged.offset >= 0:
            place.origin.note_end(place.topic, acknowledged.offset + batch.record_count())
        self._proof.acknowledged(place.topic)
        if self._writable.holding:
            self._writable.clear(place.topic)
        return None

    async def _enqueue(self, batch: BatchBuilder, place: BatchPlace) -> asyncio.Future[Any] | KafkaError:
        """Hand a batch to the producer; the refusal where it is not even queued.

        `add_batch` of aiokafka 0.14 takes its start time once but subtracts the whole elapsed time on every lap, so
        after an outage it raises KafkaTimeoutError although the broker is back. It raises before the batch is queued:
        repeating is safe.
        """
        batch.close()
        while True:
            try:
                return await self._producer.put(batch, place.topic, place.partition)
            except ACCESS as error:
                return error
            except Exception as error:
                if not passes(error):
                    raise
                log.warning(
                    "results wait for the broker", topic=place.topic, partition=place.partition, error=str(error)
                )
                await asyncio.sleep(AGAIN_SECONDS)


def _faultless(error: KafkaError) -> bool:
    return isinstance(error, SEQUENCE) or bool(error.retriable)


def _settled(record: RecordFields) -> bytes | None:
    return next((value for name, value in record[2] if name == SETTLES), None)
