"""Results out: one record per finished event, to the source partition's number, acknowledged before any commit.

Results are collected per source partition and written as record batches, one batch outstanding per partition: while one
is on its way the next one fills, so batches grow with the load and an idle partition's result leaves at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import structlog
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, UnknownTopicOrPartitionError

from connector.clock import Clock
from connector.delivery.counts import Histogram
from connector.delivery.item import Item
from connector.model import Result, Status
from connector.stream.partition import Partition
from connector.stream.tail import SETTLES

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer
    from aiokafka.producer.message_accumulator import BatchBuilder

log = structlog.get_logger(__name__)

# Around a record: batch header, lengths, timestamps. A record counted with it is never larger than counted.
RECORD_OVERHEAD_BYTES = 256
# Statuses whose raw event is kept for a person to look at and replay.
KEPT = frozenset({Status.INVALID, Status.FAILED})
# Between two tries to write to a topic that is not there.
TOPIC_RETRY_SECONDS = 1.0

Headers = list[tuple[str, bytes]]


class Moved(NamedTuple):
    """An event that goes on waiting in a retry topic: the record there inherits the duty to give it a result."""

    topic: str
    header: tuple[str, bytes]


class Lot:
    """What waits to be written for one source partition, and how many results of it are not acknowledged yet."""

    __slots__ = ("pending", "task", "unacknowledged")

    def __init__(self) -> None:
        self.pending: list[tuple[Item, Result | Moved]] = []
        self.unacknowledged = 0
        self.task: asyncio.Task[None] | None = None


class _Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def size(self) -> int:
        extra = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + extra + RECORD_OVERHEAD_BYTES


class ResultWriter:
    """Writes results and dead letters; tells `durable` when they are acknowledged.

    Args:
        producer: idempotent, acks=all.
        results, dead_letters: topic names.
        connector: our name in the dead letters' headers.
        record_bytes: the largest record both topics take.
        present: changes a result before it leaves (masks or hashes `to`), or None.
        durable: called with a partition and its items once their results are acknowledged.
        gate: awaited before each write; returns False when this worker may no longer write for that partition.
        failed: called with an error nothing here can mend.
        most: so many results may wait for their acknowledgement before `room` is gone; may change.
        too_large: the result of an item whose retry record no topic takes.

    Attributes:
        acknowledged: seconds from handing results to the producer to their acknowledgement, per record batch.
    """

    def __init__(
        self,
        producer: AIOKafkaProducer,
        *,
        results: str,
        dead_letters: str,
        connector: str,
        record_bytes: int,
        present: Callable[[Result], None] | None,
        durable: Callable[[Partition, Sequence[Item]], None],
        gate: Callable[[Partition], Awaitable[bool]],
        failed: Callable[[BaseException], None],
        most: int,
        too_large: Callable[[Item, str, float], Result],
        clock: Clock,
    ) -> None:
        self.acknowledged = Histogram()
        self._producer = producer
        self._results = results
        self._dead_letters = dead_letters
        self._connector = connector.encode()
        self._record_bytes = record_bytes
        self._present = present
        self._durable = durable
        self._gate = gate
        self._failed = failed
        self._too_large = too_large
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        self._lots: dict[Partition, Lot] = {}
        self.most = most
        self._room = asyncio.Event()
        self._room.set()

    def add(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        """Take the final results of these items. They are settled when they are acknowledged, not before."""
        self._add(items, results)

    def move(self, items: Sequence[Item], moved: Sequence[Moved]) -> None:
        """Take items that go on in a retry topic. They are settled when the record there is acknowledged."""
        self._add(items, moved)

    def _add(self, items: Sequence[Item], payloads: Sequence[Result | Moved]) -> None:
        lots, touched = self._lots, set()
        for pair in zip(items, payloads, strict=True):
            origin: Partition = pair[0].origin
            lot = lots.get(origin)
            if lot is None:
                if not origin.live:  # a late completion of a closed epoch: its new owner sends the result
                    continue
                lot = lots[origin] = Lot()
            lot.pending.append(pair)
            lot.unacknowledged += isinstance(pair[1], Result)  # what was moved was not sent
            touched.add(origin)
        self._look()
        for origin in touched:
            lot = lots[origin]
            if lot.task is None:
                lot.task = asyncio.create_task(self._run(origin, lot))

    async def append(self, origin: Partition, topic: str, values: Sequence[bytes]) -> None:
        """Write plain values to the partition's number in `topic`; returns when they are acknowledged."""
        if not await self._gate(origin):
            return
        await self._send(origin, topic, origin.partition, [_Record(None, value, []) for value in values])

    @property
    def waiting(self) -> int:
        """Results not yet handed to the producer."""
        return sum(len(lot.pending) for lot in self._lots.values())

    @property
    def unacknowledged(self) -> int:
        """Results that are not durable yet."""
        return sum(lot.unacknowledged for lot in self._lots.values())

    async def room(self) -> None:
        """Wait while too many results are not acknowledged, or until `release`.

        Whoever is killed then leaves no trace of them, and they are sent again: a broker that takes nothing must stop
        the requests, not only the commits.
        """
        await self._room.wait()

    def release(self) -> None:
        """Let everybody go who waits for room: the epoch is closing."""
        self._room.set()

    def _look(self) -> None:
        if self.unacknowledged < self.most:
            self._room.set()
        else:
            self._room.clear()

    async def flush(self, seconds: float) -> bool:
        """Wait until everything added is acknowledged. False when `seconds` were not enough."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while tasks := [lot.task for lot in self._lots.values() if lot.task is not None]:
            left = deadline - loop.time()
            if left <= 0:
                return False
            await asyncio.wait(tasks, timeout=left)
        return True

    def forget(self) -> None:
        """Drop everything of a closed epoch."""
        for origin in [origin for origin in self._lots if not origin.live]:
            task = self._lots.pop(origin).task
            if task is not None:
                task.cancel()
        self._look()

    async def _run(self, origin: Partition, lot: Lot) -> None:
        try:
            while lot.pending and origin.live:
                pending, lot.pending = lot.pending, []
                if not await self._gate(origin):
                    return
                await self._write(origin, pending)
                lot.unacknowledged -= sum(isinstance(payload, Result) for _, payload in pending)
                self._look()
                if origin.live:
                    self._durable(origin, [item for item, _ in pending])
        except Exception as error:
            log.exception("results cannot be written", partition=origin.partition)
            self._failed(error)
        finally:
            lot.task = None

    async def _write(self, origin: Partition, pending: Sequence[tuple[Item, Result | Moved]]) -> None:
        finished = [(item, payload) for item, payload in pending if isinstance(payload, Result)]
        if len(finished) < len(pending):
            moved = [(item, payload) for item, payload in pending if isinstance(payload, Moved)]
            finished += await self._write_moved(origin, moved)
        dead = [pair for pair in finished if pair[1].status in KEPT]
        if dead:
            await self._write_dead_letters(origin, dead)
        if finished:
            await self._write_results(origin, finished)

    async def _write_results(self, origin: Partition, finished: Sequence[tuple[Item, Result]]) -> None:
        present, encode, settles = self._present, self._encode, origin.settles
        records = []
        for item, result in finished:
            if present is not None:
                present(result)
            headers: Headers = [(SETTLES, f"{settles}{item.offset}".encode())]
            key = item.key if item.key is not None else (result.message_id or "").encode() or None
            record = _Record(key, encode(result), headers)
            if len(record.value or b"") + len(key or b"") + RECORD_OVERHEAD_BYTES > self._record_bytes:
                record = self._shrink(record, result)
            records.append(record)
        started = self._clock.monotonic()
        await self._send(origin, self._results, origin.partition, records)
        self.acknowledged.add(self._clock.monotonic() - started)

    async def _write_moved(self, origin: Partition, moved: Sequence[tuple[Item, Moved]]) -> list[tuple[Item, Result]]:
        """Write retry records; returns results of those that no topic takes."""
        records: dict[str, list[_Record]] = {}
        refused = []
        for item, (topic, header) in moved:
            headers: Headers = [(SETTLES, f"{origin.settles}{item.offset}".encode()), header]
            record = _Record(item.key, item.raw, headers)
            if record.size > self._record_bytes:
                refused.append((item, self._too_large(item, topic, self._clock.wall())))
            else:
                records.setdefault(topic, []).append(record)
        for topic, waiting in records.items():
            await self._send(origin, topic, origin.partition, waiting)
        return refused

    def _shrink(self, record: _Record, result: Result) -> _Record:
        """A result is never lost for its size: first the words go, then the key that was the event's own."""
        result.reason = "too large for the results topic: reason left out"
        result.code = None
        smaller = record._replace(value=self._encode(result))
        if smaller.size > self._record_bytes:
            smaller = smaller._replace(key=(result.message_id or "").encode() or None)
        return smaller

    async def _write_dead_letters(self, origin: Partition, dead: Sequence[tuple[Item, Result]]) -> None:
        records = []
        for item, result in dead:
            record = _Record(item.key, item.raw, self._error_headers(origin, item, result))
            if record.size > self._record_bytes:
                log.error("event too large for the dead letters", offset=item.offset, bytes=record.size)
                result.reason = f"{result.reason or ''} (too large for {self._dead_letters}: not kept there)".strip()
                continue
            records.append(record)
        if records:
            partitions = await self._producer.partitions_for(self._dead_letters)
            await self._send(origin, self._dead_letters, origin.partition % max(1, len(partitions)), records)

    def _error_headers(self, origin: Partition, item: Item, result: Result) -> Headers:
        """Kafka Connect's header names, so that tools that read its dead letters read ours."""
        stage = b"TASK_PUT" if result.message_id is not None else b"VALUE_CONVERTER"
        return [
            (SETTLES, f"{origin.settles}{item.offset}".encode()),
            ("__connect.errors.topic", origin.topic.encode()),
            ("__connect.errors.partition", str(origin.partition).encode()),
            ("__connect.errors.offset", str(item.offset).encode()),
            ("__connect.errors.connector.name", self._connector),
            ("__connect.errors.stage", stage),
            ("__connect.errors.exception.class.name", f"connector.{result.status}".encode()),
            ("__connect.errors.exception.message", (result.reason or "").encode()),
        ]

    async def _send(self, origin: Partition, topic: str, partition: int, records: Sequence[_Record]) -> None:
        """Send in as few record batches as fit and wait until every one is acknowledged."""
        builder, futures, taken = self._producer.create_batch(), [], 0
        for record in records:
            fields: dict[str, Any] = {"key": record.key, "value": record.value, "headers": record.headers}
            if builder.append(timestamp=None, **fields) is None:
                futures.append((await self._enqueue(builder, topic, partition), taken))
                builder, taken = self._producer.create_batch(), 0
                builder.append(timestamp=None, **fields)  # the first record of a batch is always taken
            taken += 1
        futures.append((await self._enqueue(builder, topic, partition), taken))
        for future, count in futures:
            acknowledged = await future
            if acknowledged.offset >= 0:
                origin.note_end(topic, acknowledged.offset + count)

    async def _enqueue(self, builder: BatchBuilder, topic: str, partition: int) -> asyncio.Future[Any]:
        """Hand a batch to the producer.

        `add_batch` of aiokafka 0.14 takes its start time once but subtracts the whole elapsed time on every lap, so
        after an outage it raises KafkaTimeoutError although the broker is back. It raises before the batch is queued:
        repeating is safe.
        """
        builder.close()
        while True:
            try:
                future: asyncio.Future[Any] = await self._producer.send_batch(builder, topic, partition=partition)
            except (KafkaTimeoutError, KafkaConnectionError, UnknownTopicOrPartitionError) as error:
                log.warning("results wait for the broker", topic=topic, partition=partition, error=str(error))
                await asyncio.sleep(TOPIC_RETRY_SECONDS)
            else:
                return future
