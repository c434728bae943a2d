"""The one producer of a worker, made anew once a broker has refused a batch of it.

aiokafka counts a batch's sequence numbers when it takes the batch from its queue. One that is refused leaves a hole in
them, and everything after it in that partition is refused as out of order, for the producer's whole life.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.producer.message_accumulator import BatchBuilder

from connector.stream.output.producer import Producer

log = structlog.get_logger(__name__)


class _Generation:
    """One producer and what it has under way.

    Attributes:
        holes: partitions in which a batch of it was refused.
    """

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.holes: set[tuple[str, int]] = set()
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self) -> None:
        self._open += 1
        self._idle.clear()

    def end(self) -> None:
        self._open -= 1
        if not self._open:
            self._idle.set()

    def watch(self, future: asyncio.Future[Any], place: tuple[str, int]) -> None:
        """Count a batch until its answer comes."""

        def answered(done: asyncio.Future[Any]) -> None:
            if not done.cancelled() and done.exception() is not None:
                self.holes.add(place)
            self.end()

        if future.done():
            answered(future)
        else:
            future.add_done_callback(answered)

    async def retire(self) -> None:
        """Stop the producer once nothing of it is under way: what is queued in one that stops is lost silently."""
        await self._idle.wait()
        await self.producer.stop()


class ReplaceableProducer:
    """Puts record batches out.

    Args:
        make: a producer, not started.
    """

    def __init__(self, make: Callable[[], Producer]) -> None:
        self._make = make
        self._current = _Generation(make())
        self._renewing = asyncio.Lock()
        self._retiring: dict[asyncio.Task[None], _Generation] = {}

    async def start(self) -> None:
        """Connect. Raises what aiokafka raises."""
        await self._current.producer.start()

    async def stop(self) -> None:
        """Disconnect once everything is answered."""
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._current.producer.stop()

    async def refresh(self) -> None:
        """Ask for the topics anew: partitions that were added are known five minutes late otherwise."""
        await self._current.producer.refresh()

    def cut(self) -> None:
        """The lease has run out: let nothing of what has just been sent arrive much later."""
        for generation in (self._current, *self._retiring.values()):
            generation.producer.cut()

    async def discard(self) -> None:
        """An epoch has ended without us: nothing of what is queued or under way leaves any more."""
        for generation in (self._current, *self._retiring.values()):
            await generation.producer.discard()
        self._current.holes.clear()

    async def partitions(self, topic: str) -> set[int]:
        """The numbers of a topic's partitions."""
        found: set[int] = await self._current.producer.partitions_for(topic)
        return found

    def create_batch(self) -> BatchBuilder:
        """An empty batch; any producer of ours takes it."""
        return self._current.producer.create_batch()

    async def put(self, batch: BatchBuilder, topic: str, partition: int) -> asyncio.Future[Any]:
        """Queue a batch; the future is its answer. Raises what aiokafka raises before anything is queued."""
        if (topic, partition) in self._current.holes:
            await self._renew(self._current)
        generation = self._current
        generation.begin()
        try:
            if partition not in await generation.producer.partitions_for(topic):
                await generation.producer.refresh()
                if partition not in await generation.producer.partitions_for(topic):
                    raise UnknownTopicOrPartitionError(f"{topic} has no partition {partition}")
            future: asyncio.Future[Any] = await generation.producer.send_batch(batch, topic, partition=partition)
        except BaseException:
            generation.end()
            raise
        generation.watch(future, (topic, partition))
        return future

    async def _renew(self, old: _Generation) -> None:
        """A producer without holes. The old one ends when its last batch is answered."""
        async with self._renewing:
            if old is not self._current:  # somebody else has
                return
            fresh = _Generation(self._make())
            try:
                await fresh.producer.start()
            except BaseException:
                await fresh.producer.stop()
                raise
            self._current = fresh
            log.debug("producer made anew after a refused batch", partitions=len(old.holes))
            task = asyncio.create_task(old.retire())
            self._retiring[task] = old
            task.add_done_callback(self._retiring.pop)
