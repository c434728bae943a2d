"""A producer that is made anew once a broker has refused a batch of it.

A refused batch leaves a hole in aiokafka's sequence numbers, and everything after it in that partition is refused as
out of order, for the producer's whole life.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import structlog
from aiokafka import AIOKafkaProducer

from connector.kafka.clients import started

if TYPE_CHECKING:
    from aiokafka.producer.message_accumulator import BatchBuilder

log = structlog.get_logger(__name__)


class LogPlace(NamedTuple):
    """Where a record goes."""

    topic: str
    partition: int


class BatchSink(Protocol):
    """Takes record batches.

    Implemented by `RenewedProducer` (connector/kafka/renewed_producer.py), put in place in
    `connector/receive/receiver.py`.
    """

    def create_batch(self) -> BatchBuilder:
        """An empty batch."""

    async def put(self, batch: BatchBuilder, topic: str, partition: int) -> asyncio.Future[Any]:
        """Queue a batch; the future is its acknowledgement by all replicas. Raises what aiokafka raises."""


class RenewedProducer(BatchSink):
    """Puts record batches out.

    Args:
        make: an idempotent producer, not started.
    """

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        self._make = make
        self._current: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._broken = False
        self._open: dict[AIOKafkaProducer, set[asyncio.Future[Any]]] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect. Raises what aiokafka raises."""
        async with self._renewing:
            if self._current is None or self._broken:
                fresh = await started(self._make())
                old, self._current, self._broken = self._current, fresh, False
                self._open[fresh] = set()
                if old is not None:
                    log.info("producer made anew after a refused batch")
                    task = asyncio.create_task(self._retire(old))
                    self._retiring.add(task)
                    task.add_done_callback(self._retiring.discard)

    async def stop(self) -> None:
        """Disconnect. What is not acknowledged by then is not waited for: nobody was told that it is."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        producers, self._open, self._current = list(self._open), {}, None
        await asyncio.gather(*(it.stop() for it in producers), return_exceptions=True)

    def create_batch(self) -> BatchBuilder:
        assert self._current is not None
        return self._current.create_batch()

    async def put(self, batch: BatchBuilder, topic: str, partition: int) -> asyncio.Future[Any]:
        if self._broken:
            await self.start()
        producer = self._current
        assert producer is not None
        future: asyncio.Future[Any] = await producer.send_batch(batch, topic, partition=partition)
        open_ = self._open[producer]
        open_.add(future)

        def answered(done: asyncio.Future[Any]) -> None:
            open_.discard(done)
            if not done.cancelled() and done.exception() is not None and producer is self._current:
                self._broken = True

        future.add_done_callback(answered)
        return future

    async def partitions(self, topic: str) -> int:
        """How many a topic has, as far as this client has heard; 0 where it has heard of none."""
        if self._current is None:
            return 0
        return len(await self._current.partitions_for(topic))

    async def _retire(self, old: AIOKafkaProducer) -> None:
        """Stop one when nothing of it is under way."""
        while waiting := set(self._open[old]):
            await asyncio.wait(waiting)
        del self._open[old]
        await old.stop()
