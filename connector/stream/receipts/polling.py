"""Polling a consumer in a task that has to end when it is told to: aiokafka waits for partitions without end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition

from connector.kafka.guarded import GuardedConsumer
from connector.kafka.outage import Outlast


class Stopping:
    """Whether the loops of a service are to end."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def tell(self) -> None:
        """They are to end."""
        self._told.set()

    def wanted(self) -> bool:
        """They are to go on."""
        return not self._told.is_set()

    async def first(self, task: asyncio.Future[Any]) -> bool:
        """Wait for it, or until they are to end; whether it is done. It goes on where it is not."""
        told = asyncio.ensure_future(self._told.wait())
        await asyncio.wait((task, told), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        return task.done()

    async def pause(self, seconds: float) -> None:
        """Sleep for so long, or until they are to end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), seconds)


class Polling:
    """Polls one consumer.

    Args:
        doing: for the log, while brokers are away.
    """

    def __init__(self, consumer: GuardedConsumer, outlast: Outlast, stopping: Stopping, *, doing: str) -> None:
        self._consumer = consumer
        self._outlast = outlast
        self._stopping = stopping
        self._doing = doing

    async def __call__(self, *, most: int, milliseconds: int) -> Mapping[TopicPartition, Any]:
        """What there is, so many records at most; nothing once it is to end. Raises what cannot be outlasted."""
        poll = asyncio.ensure_future(self._poll(most, milliseconds))
        try:
            return await poll if await self._stopping.first(poll) else {}
        finally:
            if not poll.done():
                poll.cancel()
                await asyncio.gather(poll, return_exceptions=True)

    async def _poll(self, most: int, milliseconds: int) -> Mapping[TopicPartition, Any]:
        found: Mapping[TopicPartition, Any] | None = await self._outlast(
            lambda: self._consumer.getmany(timeout_ms=milliseconds, max_records=most),
            doing=self._doing,
            wanted=self._stopping.wanted,
        )
        return found or {}
