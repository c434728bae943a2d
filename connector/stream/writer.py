"""Results out: one record per finished event, to the source partition's number, acknowledged before any commit.

Results are collected per source partition and written as record batches, one batch outstanding per partition and not
more than some in a second: while one is on its way the next one fills, so batches grow with the load and an idle
partition's result leaves at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import structlog
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, ProducerClosed, UnknownTopicOrPartitionError

from connector.clock import Clock
from connector.delivery.alike import AlikeResults
from connector.delivery.counts import Histogram
from connector.delivery.item import Item, TracedItem
from connector.delivery.tracing import HEADER
from connector.kafka.batches import Fields, Headers, fill
from connector.model import Result, Status
from connector.stream.alike import records
from connector.stream.formats import SETTLES
from connector.stream.partition import Partition

if TYPE_CHECKING:
    from aiokafka.producer.message_accumulator import BatchBuilder

    from connector.stream.producer import Producer

log = structlog.get_logger(__name__)

# Around a record: batch header, lengths, timestamps. A record counted with it is never larger than counted.
RECORD_OVERHEAD_BYTES = 256
# Statuses whose raw event is kept for a person to look at and replay.
KEPT = frozenset({Status.INVALID, Status.FAILED})
# Between two tries to write to a topic that is not there.
TOPIC_RETRY_SECONDS = 1.0

# Under load a partition's results are written this often: each record batch costs as much as 50 records of it.
LINGER_SECONDS = 0.02


class Moved(NamedTuple):
    """An event that goes on waiting in a retry topic: the record there inherits the duty to give it a result."""

    topic: str
    header: tuple[str, bytes]


class Lot:
    """What waits to be written for one source partition.

    Attributes:
        results: encoded, as record batches; all but the last are full.
        offsets, bytes: of the events they finish. Not the events: whatever is let go while it is in the cache is let
            go for half.
        dead: results whose event goes to the dead letters first.
        moved: events on their way to retry topics.
        unacknowledged: results that are not acknowledged yet, waiting or on their way.
        task: writes it; None when nothing waits.
        written_at: when it last began to, by the event loop's time.
    """

    __slots__ = ("bytes", "dead", "moved", "offsets", "results", "task", "unacknowledged", "written_at")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.unacknowledged = 0
        self.written_at = float("-inf")
        self.clear()

    def clear(self) -> None:
        """What was in it is being written."""
        self.results: list[BatchBuilder] = []
        self.offsets: list[int] = []
        self.bytes = 0
        self.dead: list[tuple[Item, Result]] = []
        self.moved: list[tuple[Item, Moved]] = []

    @property
    def waiting(self) -> int:
        return len(self.offsets) + len(self.dead) + len(self.moved)


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
        durable: called with a partition, the offsets of events whose results are acknowledged, and their bytes.
        gate: awaited before each write; returns False when this worker may no longer write for that partition.
        failed: called with an error nothing here can mend.
        most: so many results may wait for their acknowledgement before `room` is gone; may change.
        too_large: the result of an item whose retry record no topic takes.
        traced: records carry the trace of their event.

    Attributes:
        acknowledged: seconds from handing results to the producer to their acknowledgement, per record batch.
    """

    def __init__(
        self,
        producer: Producer,
        *,
        results: str,
        dead_letters: str,
        connector: str,
        record_bytes: int,
        present: Callable[[Result], None] | None,
        durable: Callable[[Partition, Sequence[int], int], None],
        gate: Callable[[Partition], Awaitable[bool]],
        failed: Callable[[BaseException], None],
        most: int,
        too_large: Callable[[Item, str, float], Result],
        clock: Clock,
        traced: bool = False,
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
        self._record = self._traced_record if traced else self._result_record
        self._each_by_itself = traced or present is not None
        self._lots: dict[Partition, Lot] = {}
        self.most = most
        self._room = asyncio.Event()
        self._room.set()

    def add(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        """Take the final results of these items. They are settled when they are acknowledged, not before."""
        if isinstance(results, AlikeResults) and self._add_alike(results):
            return
        lots, append, record = self._lots, self._append, self._record
        for item, result in zip(items, results, strict=True):
            lot = lots.get(item.origin)
            if lot is None or lot.task is None:
                lot = self._lot(item.origin)
                if lot is None:
                    continue
            lot.unacknowledged += 1
            if result.status in KEPT:
                lot.dead.append((item, result))
            else:  # encoded at once: results are many and short-lived, and nothing of them is kept
                append(lot.results, record(item, result))
                lot.offsets.append(item.offset)
                lot.bytes += len(item.raw)
        self._look()

    def _add_alike(self, results: AlikeResults) -> bool:
        """The same at once, as it nearly always is. False, with nothing done, where each needs a look. The hot path."""
        if self._each_by_itself or results.shared.status in KEPT:
            return False
        found = records(results, self._encode)
        if found is None:
            return False
        for origin, items, fields in found:
            lot = self._lot(origin)
            if lot is None:
                continue
            lot.unacknowledged += len(items)
            lot.offsets += [item.offset for item in items]
            lot.bytes += sum([len(item.raw) for item in items])
            self._fill(lot.results, fields)
        self._look()
        return True

    def move(self, items: Sequence[Item], moved: Sequence[Moved]) -> None:
        """Take items that go on in a retry topic. They are settled when the record there is acknowledged."""
        for pair in zip(items, moved, strict=True):
            lot = self._lot(pair[0].origin)
            if lot is not None:
                lot.moved.append(pair)  # it was not sent, and may be as often as it likes

    def _lot(self, origin: Partition) -> Lot | None:
        """Where something of this partition goes, with a task that is going to write it."""
        lot = self._lots.get(origin)
        if lot is None:
            if not origin.live:  # a late completion of a closed epoch: its new owner sends the result
                return None
            lot = self._lots[origin] = Lot()
        if lot.task is None:
            lot.task = asyncio.create_task(self._run(origin, lot))
        return lot

    async def append(self, origin: Partition, topic: str, values: Sequence[bytes]) -> None:
        """Write plain values to the partition's number in `topic`; returns when they are acknowledged."""
        if not await self._gate(origin):
            return
        records: list[Fields] = [(None, value, []) for value in values]
        try:
            await self._send(origin, topic, origin.partition, self._batches(records))
        except ProducerClosed:
            if origin.live:
                raise  # else its epoch has ended without us, and the producer was thrown away

    @property
    def waiting(self) -> int:
        """Results not yet handed to the producer."""
        return sum(lot.waiting for lot in self._lots.values())

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
        loop = asyncio.get_running_loop()
        try:
            while lot.waiting and origin.live:
                linger = lot.written_at + LINGER_SECONDS - loop.time()
                if linger > 0:
                    await asyncio.sleep(linger)
                lot.written_at = loop.time()
                results, offsets, bytes_, dead, moved = lot.results, lot.offsets, lot.bytes, lot.dead, lot.moved
                lot.clear()
                if not await self._gate(origin):
                    return
                count = len(offsets) + len(dead)
                if moved:
                    dead += await self._write_moved(origin, moved)
                if dead:
                    await self._write_dead_letters(origin, dead)
                for item, result in dead:
                    self._append(results, self._record(item, result))
                if results:
                    await self._write(origin, results)
                lot.unacknowledged -= count
                self._look()
                if origin.live:
                    refused = {id(item) for item, _ in dead}
                    ended = [item for item, _ in dead] + [item for item, _ in moved if id(item) not in refused]
                    bytes_ += sum([len(item.raw) for item in ended])
                    self._durable(origin, offsets + [item.offset for item in ended], bytes_)
        except Exception as error:
            log.exception("results cannot be written", partition=origin.partition)
            self._failed(error)
        finally:
            lot.task = None

    async def _write(self, origin: Partition, results: Sequence[BatchBuilder]) -> None:
        """Write results and wait until they are acknowledged."""
        started = self._clock.monotonic()
        await self._send(origin, self._results, origin.partition, results)
        self.acknowledged.add(self._clock.monotonic() - started)

    def _result_record(self, item: Item, result: Result) -> Fields:
        """The record of a result. The hot path."""
        if self._present is not None:
            self._present(result)
        value, key = self._encode(result), item.key
        if key is None and result.message_id:
            key = result.message_id.encode()
        headers = [(SETTLES, f"{item.origin.settles}{item.offset}".encode())]
        if len(value) + (0 if key is None else len(key)) + RECORD_OVERHEAD_BYTES > self._record_bytes:
            return self._shrink(_Record(key, value, headers), result)
        return key, value, headers

    def _traced_record(self, item: Item, result: Result) -> Fields:
        record = self._result_record(item, result)
        record[2].extend(_trace(item))
        return record

    async def _write_moved(self, origin: Partition, moved: Sequence[tuple[Item, Moved]]) -> list[tuple[Item, Result]]:
        """Write retry records; returns results of those that no topic takes."""
        records: dict[str, list[_Record]] = {}
        refused = []
        for item, (topic, header) in moved:
            headers: Headers = [(SETTLES, f"{origin.settles}{item.offset}".encode()), header, *_trace(item)]
            record = _Record(item.key, item.raw, headers)
            if record.size > self._record_bytes:
                refused.append((item, self._too_large(item, topic, self._clock.wall())))
            else:
                records.setdefault(topic, []).append(record)
        for topic, waiting in records.items():
            await self._send(origin, topic, origin.partition, self._batches(waiting))
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
            await self._send(
                origin, self._dead_letters, origin.partition % max(1, len(partitions)), self._batches(records)
            )

    def _error_headers(self, origin: Partition, item: Item, result: Result) -> Headers:
        """Kafka Connect's header names, so that tools that read its dead letters read ours."""
        stage = b"TASK_PUT" if result.message_id is not None else b"VALUE_CONVERTER"
        return [
            (SETTLES, f"{origin.settles}{item.offset}".encode()),
            *_trace(item),
            ("__connect.errors.topic", origin.topic.encode()),
            ("__connect.errors.partition", str(origin.partition).encode()),
            ("__connect.errors.offset", str(item.offset).encode()),
            ("__connect.errors.connector.name", self._connector),
            ("__connect.errors.stage", stage),
            ("__connect.errors.exception.class.name", f"connector.{result.status}".encode()),
            ("__connect.errors.exception.message", (result.reason or "").encode()),
        ]

    def _batches(self, records: Iterable[Fields]) -> list[BatchBuilder]:
        """Records in as few record batches as fit."""
        batches: list[BatchBuilder] = []
        for record in records:
            self._append(batches, record)
        return batches

    def _append(self, batches: list[BatchBuilder], record: Fields) -> None:
        key, value, headers = record
        if not batches or batches[-1].append(timestamp=None, key=key, value=value, headers=headers) is None:
            batches.append(self._producer.create_batch())
            batches[-1].append(timestamp=None, key=key, value=value, headers=headers)  # the first is always taken

    def _fill(self, batches: list[BatchBuilder], records: Sequence[Fields]) -> None:
        now = round(self._clock.wall() * 1000)
        taken = fill(batches[-1], records, now) if batches else 0
        while taken < len(records):
            batches.append(self._producer.create_batch())
            taken += fill(batches[-1], records[taken:], now)  # at least the first

    async def _send(self, origin: Partition, topic: str, partition: int, batches: Sequence[BatchBuilder]) -> None:
        """Send record batches and wait until every one is acknowledged."""
        futures = [(await self._enqueue(it, topic, partition), it.record_count()) for it in batches]
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


def _trace(item: Item) -> Headers:
    """What the event carried of its trace."""
    return [(HEADER, item.traceparent)] if isinstance(item, TracedItem) and item.traceparent is not None else []
