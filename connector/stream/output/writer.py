"""Results out: one record per finished event, to the source partition's number, acknowledged before any commit.

Results are collected per source partition and written as record batches, one batch outstanding per partition and not
more than some in a second: while one is on its way the next one fills, so batches grow with the load and an idle
partition's result leaves at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

from connector.clock import Clock
from connector.delivery.counts import Histogram
from connector.delivery.http.tracing import HEADER
from connector.delivery.queue.item import CarryingItem, Item, TracedItem
from connector.delivery.uniform_results import UniformResults
from connector.errors import RefusedError
from connector.kafka.batches import RECORD_OVERHEAD_BYTES, Headers, RecordFields, size, unpack
from connector.model import Result, Status
from connector.receipts.correlation import Correlations
from connector.stream.output.cloud_events import ResultHeaders
from connector.stream.output.debt_sink import DebtSink
from connector.stream.output.dispatch import BatchPlace, Dispatch
from connector.stream.output.fencing import Fencing
from connector.stream.output.partition_buffer import PartitionBuffer
from connector.stream.output.pending_results import PendingResults
from connector.stream.output.shrinking import fit, forms
from connector.stream.output.uniform_records import records
from connector.stream.output.writability import ACCESS
from connector.stream.partitions.formats import SETTLES
from connector.stream.partitions.partition import Partition, partition_of
from connector.stream.partitions.result_sink import ResultSink
from connector.stream.retry.retry_records import RetryRecord
from connector.stream.retry.routing import RetryRefusals, RetrySink
from connector.stream.shutdown.failure_sink import FailureSink

if TYPE_CHECKING:
    from aiokafka.producer.message_accumulator import BatchBuilder

log = structlog.get_logger(__name__)

# Statuses whose raw event is kept for a person to look at and replay.
KEPT = frozenset({Status.INVALID, Status.FAILED})
# Under load a partition's results are written this often: each record batch costs as much as 50 records of it.
LINGER_SECONDS = 0.02


class DurableEvents(Protocol):
    """Answers for events until their results are durable.

    Implemented by `SettledEvents` (connector/stream/pipeline.py), put in place in
    `connector/stream/wiring/output.py`.
    """

    def durable(self, partition: Partition, offsets: Sequence[int], bytes_: int) -> None:
        """The results of these events, of so many bytes, are acknowledged, or their retry records are."""


class ResultWriter(ResultSink, RetrySink):
    """Writes results and dead letters, and says when they are durable.

    Args:
        dispatch: brings record batches to Kafka.
        results, dead_letters: topic names.
        connector: our name in the dead letters' headers.
        limits: per topic the largest record it takes.
        present: changes a result before it leaves (masks or hashes `to`), or None.
        pending: what it holds; others look at how much that is.
        durable: told of events whose results are acknowledged.
        debts: take results that are refused, for now or for good.
        fencing: asked before each write.
        failures: told of what cannot be mended here.
        refusals: the results of items whose retry record no topic takes.
        correlations: what receipts are looked up by, for definitions whose receipts have to be.
        traced: records carry the trace of their event.
        headers: of events that their results have as well.
        about: further headers of results; none by default.

    Attributes:
        acknowledged: seconds from handing results to the producer to their acknowledgement, per record batch.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        *,
        results: str,
        dead_letters: str,
        connector: str,
        limits: Mapping[str, int],
        present: Callable[[Result], None] | None,
        pending: PendingResults,
        durable: DurableEvents,
        debts: DebtSink,
        fencing: Fencing,
        failures: FailureSink,
        refusals: RetryRefusals,
        correlations: Correlations,
        clock: Clock,
        traced: bool = False,
        headers: Collection[str] = (),
        about: ResultHeaders | None = None,
    ) -> None:
        self._about = about
        self._headers = frozenset(headers)
        self.acknowledged = Histogram()
        self._dispatch = dispatch
        self._results = results
        self._dead_letters = dead_letters
        self._connector = connector.encode()
        self._limits = limits
        self._result_bytes = limits[results]
        self._present = present
        self._durable = durable
        self._debts = debts
        self._fencing = fencing
        self._failures = failures
        self._refusals = refusals
        self._correlations = correlations
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        self._record = self._dressed_record if traced or headers else self._result_record
        self._each_by_itself = traced or bool(headers) or present is not None or about is not None
        self._pending = pending

    def add(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        """Take the final results of these items. They are settled when they are acknowledged, not before."""
        if type(results) is UniformResults and self._add_alike(results):
            return
        buffers, append, record = self._pending.buffers, self._append, self._record
        for item, result in zip(items, results, strict=True):
            buffer = buffers.get(item.origin)
            if buffer is None or buffer.task is None:
                buffer = self._buffer(partition_of(item))
                if buffer is None:
                    continue
            self._pending.count(buffer, 1)
            if result.status in KEPT:
                buffer.dead.append((item, result))
            else:  # encoded at once: results are many and short-lived, and nothing of them is kept
                append(buffer.results, record(item, result))
                buffer.offsets.append(item.offset)
                buffer.bytes += len(item.raw)
        self._pending.changed()

    def _add_alike(self, results: UniformResults) -> bool:
        """The same at once, as it nearly always is. False, with nothing done, where each needs a look. The hot path."""
        if self._each_by_itself or results.shared.status in KEPT:
            return False
        correlation = self._correlations.get(results.shared.provider or "") if self._correlations else None
        found = records(results, self._encode, correlation)
        if found is None:
            return False
        for origin, items, fields in found:
            buffer = self._buffer(origin)
            if buffer is None:
                continue
            self._pending.count(buffer, len(items))
            buffer.offsets += [item.offset for item in items]
            buffer.bytes += sum([len(item.raw) for item in items])
            self._dispatch.fill(buffer.results, fields)
        self._pending.changed()
        return True

    def move(self, items: Sequence[Item], records: Sequence[RetryRecord]) -> None:
        """Take items that go on in a retry topic. They are settled when the record there is acknowledged."""
        for pair in zip(items, records, strict=True):
            buffer = self._buffer(partition_of(pair[0]))
            if buffer is not None:
                buffer.moved.append(pair)  # it was not sent, and may be as often as it likes

    def _buffer(self, origin: Partition) -> PartitionBuffer | None:
        """Where something of this partition goes, with a task that is going to write it."""
        buffer = self._pending.buffers.get(origin)
        if buffer is None:
            if not origin.live:  # a late completion of a closed epoch: its new owner sends the result
                return None
            buffer = self._pending.buffers[origin] = PartitionBuffer(origin)
        if buffer.task is None:
            buffer.task = asyncio.create_task(self._run(origin, buffer))
        return buffer

    async def flush(self, seconds: float) -> bool:
        """Wait until everything added is acknowledged. False when `seconds` were not enough."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while tasks := [buffer.task for buffer in self._pending.buffers.values() if buffer.task is not None]:
            left = deadline - loop.time()
            if left <= 0:
                return False
            await asyncio.wait(tasks, timeout=left)
        return True

    def forget(self) -> None:
        """Drop everything of a closed epoch."""
        for origin in [origin for origin in self._pending.buffers if not origin.live]:
            task = self._pending.forget(origin).task
            if task is not None:
                task.cancel()
        self._pending.changed()

    async def note(self, origins: Collection[Partition] | None = None) -> None:
        """Write down as owed what waits behind results that are not taken: who is killed now must leave word of it.

        Args:
            origins: of these partitions alone.
        """
        for buffer in list(self._pending.buffers.values()):
            if origins is not None and buffer.origin not in origins:
                continue
            records = [record for batch in buffer.results for record in unpack(batch)]
            buffer.results = self._dispatch.pack(records)  # what was unpacked cannot be sent any more
            new, buffer.noted = records[buffer.noted :], len(records)
            if new:
                await self._debts.owe(buffer.origin, new)

    async def _run(self, origin: Partition, buffer: PartitionBuffer) -> None:
        loop, refused = asyncio.get_running_loop(), False
        try:
            while buffer.waiting and origin.live:
                linger = buffer.written_at + LINGER_SECONDS - loop.time()
                if linger > 0:
                    await asyncio.sleep(linger)
                buffer.written_at = loop.time()
                if not await self._fencing.await_lease_for(origin):
                    return
                buffer.writing = True
                await self._write_all(origin, buffer)
                buffer.writing = False
        except RefusedError as error:
            refused = True
            log.error("results are refused", partition=origin.partition, results=buffer.unacknowledged)  # noqa: TRY400  said
            self._failures.failed(error)
        except Exception as error:
            log.exception("results cannot be written", partition=origin.partition)
            self._failures.failed(error)
        finally:
            buffer.task, buffer.writing = None, False
            if refused and buffer.waiting and self._pending.buffers.get(origin) is buffer:
                buffer.task = asyncio.create_task(
                    self._run(origin, buffer)
                )  # what has come meanwhile is owed like them

    async def _write_all(self, origin: Partition, buffer: PartitionBuffer) -> None:
        """Write what waits, and tell what is durable then.

        Raises:
            RefusedError: something is refused for good. What else was in it is written.
        """
        results, offsets, bytes_, dead, moved = buffer.results, buffer.offsets, buffer.bytes, buffer.dead, buffer.moved
        buffer.clear()
        count = len(offsets) + len(dead)
        refusal: RefusedError | None = None
        refused: list[tuple[Item, Result]] = []
        try:
            refused = await self._write_moved(origin, moved) if moved else []
        except RefusedError as error:  # they stay in Kafka, as events: none of them was taken by its provider
            refusal, moved = error, []
        dead += refused
        if dead:
            await self._write_dead_letters(origin, dead)
        for item, result in dead:
            self._append(results, self._record(item, result))
        try:
            if results:
                await self._write(origin, results)
        finally:
            self._pending.count(buffer, -count)
            self._pending.changed()
        if origin.live:
            ends = {id(item) for item, _ in refused}
            ended = [item for item, _ in dead] + [item for item, _ in moved if id(item) not in ends]
            bytes_ += sum([len(item.raw) for item in ended])
            self._durable.durable(origin, offsets + [item.offset for item in ended], bytes_)
        if refusal is not None:
            raise refusal

    async def _write(self, origin: Partition, results: Sequence[BatchBuilder]) -> None:
        """Write results and wait until they are acknowledged."""
        started = self._clock.monotonic()
        place = BatchPlace(origin, self._results, origin.partition)
        await self._dispatch.send(place, results, forms=forms, debts=self._debts)
        self.acknowledged.add(self._clock.monotonic() - started)

    def _result_record(self, item: Item, result: Result) -> RecordFields:
        """The record of a result. The hot path."""
        looked_up = self._correlations.headers(result) if self._correlations else ()
        if self._present is not None:
            self._present(result)
        value, key = self._encode(result), item.key
        if key is None and result.message_id:
            key = result.message_id.encode()
        headers = [(SETTLES, _settles(item)), *looked_up]
        if self._about is not None:
            headers += self._about(result)
        if len(value) + (0 if key is None else len(key)) + RECORD_OVERHEAD_BYTES > self._result_bytes:
            return fit((key, value, headers), self._result_bytes)
        return key, value, headers

    def _dressed_record(self, item: Item, result: Result) -> RecordFields:
        """With what it has of its event's headers."""
        record = self._result_record(item, result)
        record[2].extend(_trace(item))
        record[2].extend([it for it in _carried(item) if it[0] in self._headers])
        return record

    async def _write_moved(
        self, origin: Partition, moved: Sequence[tuple[Item, RetryRecord]]
    ) -> list[tuple[Item, Result]]:
        """Write retry records; returns results of those that no topic takes."""
        waiting: dict[str, dict[bytes, tuple[Item, RecordFields]]] = {}
        refused = []
        for item, (topic, header) in moved:
            settled = _settles(item)
            headers = [(SETTLES, settled), header, *_trace(item), *_carried(item)]
            record: RecordFields = (item.key, item.raw, headers)
            if size(record) > self._limits[topic]:
                refused.append((item, self._refusals.too_large(item, topic, self._clock.wall())))
            else:
                waiting.setdefault(topic, {})[settled] = item, record
        for topic, found in waiting.items():
            batches = self._dispatch.pack([record for _, record in found.values()])
            for record in await self._dispatch.send(BatchPlace(origin, topic, origin.partition), batches):
                item, _ = found[record[2][0][1]]
                refused.append((item, self._refusals.too_large(item, topic, self._clock.wall())))
        return refused

    async def _write_dead_letters(self, origin: Partition, dead: Sequence[tuple[Item, Result]]) -> None:
        """Keep the raw events. What the topic does not take is told in the result, which must not wait for it."""
        letters: dict[bytes, tuple[Result, RecordFields]] = {
            _settles(item): (result, (item.key, item.raw, self._error_headers(origin, item, result)))
            for item, result in dead
        }
        most = self._limits[self._dead_letters]
        fitting = [record for _, record in letters.values() if size(record) <= most]
        left: list[RecordFields] = [record for _, record in letters.values() if size(record) > most]
        if fitting:
            try:
                numbers = await self._dispatch.partitions(BatchPlace(origin, self._dead_letters, 0))
                place = BatchPlace(origin, self._dead_letters, origin.partition % max(1, len(numbers)))
                left += await self._dispatch.send(place, self._dispatch.pack(fitting), optional=True)
            except (RefusedError, *ACCESS):  # it may not even be known how many partitions it has, or it is gone
                left += fitting
        for record in left:
            settled = record[2][0][1]
            result, _ = letters[settled]
            log.error("event not kept: the dead letters do not take it", settles=settled.decode(), bytes=size(record))
            note = f"({self._dead_letters} did not take it: not kept there)"
            result.reason = f"{result.reason or ''} {note}".strip()

    def _error_headers(self, origin: Partition, item: Item, result: Result) -> Headers:
        """Kafka Connect's header names, so that tools that read its dead letters read ours."""
        stage = b"TASK_PUT" if result.message_id is not None else b"VALUE_CONVERTER"
        return [
            (SETTLES, _settles(item)),
            *_trace(item),
            *_carried(item),
            ("__connect.errors.topic", origin.topic.encode()),
            ("__connect.errors.partition", str(origin.partition).encode()),
            ("__connect.errors.offset", str(item.offset).encode()),
            ("__connect.errors.connector.name", self._connector),
            ("__connect.errors.stage", stage),
            ("__connect.errors.exception.class.name", f"connector.{result.status}".encode()),
            ("__connect.errors.exception.message", (result.reason or "").encode()),
        ]

    def _append(self, batches: list[BatchBuilder], record: RecordFields) -> None:
        key, value, headers = record
        if not batches or batches[-1].append(timestamp=None, key=key, value=value, headers=headers) is None:
            batches.append(self._dispatch.create_batch())
            batches[-1].append(timestamp=None, key=key, value=value, headers=headers)  # the first is always taken


def _settles(item: Item) -> bytes:
    return f"{partition_of(item).settles}{item.offset}".encode()


def _trace(item: Item) -> Headers:
    """What the event carried of its trace."""
    return [(HEADER, item.traceparent)] if isinstance(item, TracedItem) and item.traceparent is not None else []


def _carried(item: Item) -> Headers:
    """Headers of the event that go where it goes; `traceparent` is tracing's."""
    return [it for it in item.carried if it[0] != HEADER] if isinstance(item, CarryingItem) else []
