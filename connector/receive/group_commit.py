"""What several requests have to write becomes one record batch per partition, and each hears when its part is durable.

A request waits for company for LINGER_SECONDS at most, and all partitions leave together: what leaves together is one
request to a broker. While a batch of a partition is on its way the next one fills, and so they grow with the load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import structlog
from aiokafka.errors import KafkaError

from connector.clock import Clock
from connector.kafka.batches import RecordFields, fill, size
from connector.kafka.renewed_producer import BatchSink, LogPlace

log = structlog.get_logger(__name__)

LINGER_SECONDS = 0.005
FAILING_SECONDS = 10.0
"""For so long after a refusal no more callbacks are wanted: who is never sent one would never know better."""


class NotWrittenError(Exception):
    """Kafka has refused it, or will not be asked: nothing was promised. It may be in the log all the same."""


class FullError(NotWrittenError):
    """As much waits for its acknowledgement as may."""


class _Ticket:
    """What one caller waits for.

    Attributes:
        left: records that are not acknowledged.
        since: when they came.
    """

    __slots__ = ("done", "left", "since")

    def __init__(self, left: int, done: asyncio.Future[None], since: float) -> None:
        self.left = left
        self.done = done
        self.since = since

    def acknowledge(self) -> None:
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(NotWrittenError(type(error).__name__))
            self.done.exception()  # its caller may have given up


class _WaitingRecord(NamedTuple):
    record: RecordFields
    bytes: int
    ticket: _Ticket


class GroupCommit:
    """Collects and writes.

    Args:
        sink: takes the batches.
        most: bytes that may wait for their acknowledgement.

    Attributes:
        bytes: that wait for it now.
    """

    def __init__(self, sink: BatchSink, *, most: int, clock: Clock) -> None:
        self.bytes = 0
        self._failed: float | None = None
        self._sink = sink
        self._most = most
        self._clock = clock
        self._waiting: dict[LogPlace, list[_WaitingRecord]] = {}
        self._tasks: dict[LogPlace, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._oldest: dict[LogPlace, float] = {}

    def add(self, records: Sequence[tuple[LogPlace, RecordFields]]) -> asyncio.Future[None]:
        """Take the records of one request. The future is done when every one of them is durable; whoever no longer
        waits for it changes nothing.

        Raises:
            FullError: none was taken.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not records:
            done.set_result(None)
            return done
        sizes = [size(record) for _, record in records]
        if self.bytes + sum(sizes) > self._most:
            raise FullError("too much waits for its acknowledgement")
        ticket = _Ticket(len(records), done, self._clock.monotonic())
        for (place, record), bytes_ in zip(records, sizes, strict=True):
            self.bytes += bytes_
            self._waiting.setdefault(place, []).append(_WaitingRecord(record, bytes_, ticket))
        if self._timer is None and any(place not in self._tasks for place, _ in records):
            self._linger()
        return done

    @property
    def unacknowledged_for(self) -> float:
        """Seconds for which the oldest record of a batch has waited for its acknowledgement; 0 where none does."""
        return self._clock.monotonic() - min(self._oldest.values()) if self._oldest else 0.0

    @property
    def failing(self) -> bool:
        """Whether the last batch was refused, a moment ago: later than that, only another one can say."""
        return self._failed is not None and self._clock.monotonic() - self._failed < FAILING_SECONDS

    async def flush(self, seconds: float) -> bool:
        """Wait until nothing waits. False when `seconds` were not enough."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self._tasks or self._waiting:
            left = until - loop.time()
            if left <= 0:
                return False
            if self._tasks:
                await asyncio.wait(self._tasks.values(), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(min(left, LINGER_SECONDS))
        return True

    async def close(self) -> None:
        """Give up what waits: nobody was told that it is written."""
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _linger(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._leave)

    def _leave(self) -> None:
        """Begin with every partition for which something waits, and none is on its way."""
        self._timer = None
        for place in self._waiting.keys() - self._tasks.keys():
            self._tasks[place] = asyncio.create_task(self._run(place))

    async def _run(self, place: LogPlace) -> None:
        """Write what waits for a partition; what comes meanwhile leaves with the others."""
        waiting = self._waiting.pop(place)
        self._oldest[place] = waiting[0].ticket.since
        try:
            await self._write(place, waiting)
        finally:
            del self._oldest[place]
            del self._tasks[place]
            self.bytes -= sum(it.bytes for it in waiting)
            if place in self._waiting and self._timer is None:
                self._linger()

    async def _write(self, place: LogPlace, waiting: Sequence[_WaitingRecord]) -> None:
        sent: list[tuple[Sequence[_WaitingRecord], asyncio.Future[Any]]] = []
        at = 0
        try:
            while at < len(waiting):
                batch = self._sink.create_batch()
                taken = fill(batch, [it.record for it in waiting[at:]], round(self._clock.wall() * 1000))
                batch.close()
                part = waiting[at : at + taken]
                sent.append((part, await self._sink.put(batch, *place)))
                at += taken
        except Exception as error:  # whatever it is, each of them is told
            self._refused(place, waiting[at:], error)
        for part, future in sent:
            try:
                await asyncio.wait((future,))
                future.result()
            except Exception as error:
                self._refused(place, part, error)
            else:
                self._failed = None
                for it in part:
                    it.ticket.acknowledge()

    def _refused(self, place: LogPlace, waiting: Iterable[_WaitingRecord], error: Exception) -> None:
        self._failed = self._clock.monotonic()
        ours = None if isinstance(error, KafkaError | OSError) else error
        log.error("Kafka does not take callbacks", topic=place.topic, error=type(error).__name__, exc_info=ours)
        for it in waiting:
            it.ticket.fail(error)
