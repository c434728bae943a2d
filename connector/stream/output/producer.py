"""The one producer of a worker, and the next one: what it holds leaves while the membership is certain, or never.

aiokafka keeps batches for as long as it takes and sends them when it can. Two kinds must not be sent: those of a worker
whose lease has run out, until it is proven again, and those of an epoch that is over, as somebody else owns the
partitions. The first wait in front of the connection. For the second the producer is thrown away with all it holds:
each of its batches has a sequence number, so that leaving one out would make the broker refuse all that follow.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError, ProducerClosed
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.produce import ProduceRequest

from connector.kafka.clients import started
from connector.stream.membership.lease import Lease

DISCARD_SECONDS = 1.0
"""Given to aiokafka's tasks to end; one that does not is left behind, without a connection."""

_LINGER_NOT = struct.pack("ii", 1, 0)
"""SO_LINGER: the kernel forgets what it has not delivered, and says so to the other side."""


class HoldingClient(AIOKafkaClient):  # type: ignore[misc]
    """A client that asks before it lets a produce request out."""

    lease: Lease
    discarded = False

    async def send(self, node_id: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        if isinstance(request, ProduceRequest):
            await self._hold(node_id, group)
        return await super().send(node_id, request, group=group)

    async def _hold(self, node_id: int, group: Any) -> None:
        """Return when a connection stands and the lease holds, with no await in between: nothing is late then."""
        while True:
            if self.discarded:
                raise KafkaConnectionError("the epoch of these batches is over")
            if not await self.ready(node_id, group=group):
                raise NodeNotReadyError(f"no connection to node {node_id}")
            if self.lease.certain and not self.discarded:
                return
            await self.lease.changed()

    def cut(self) -> None:
        """Reset all connections: what is on its way in our own buffers goes nowhere."""
        for connection in list(self._conns.values()):
            writer = connection._writer  # noqa: SLF001
            if writer is not None:
                raw = writer.get_extra_info("socket")
                if raw is not None and raw.fileno() >= 0:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
                writer.transport.abort()
            connection.close()


class Producer:
    """Makes producers, one at a time. `send_batch` and `partitions_for` as aiokafka's.

    Args:
        make: an idempotent producer, not started.
    """

    def __init__(self, make: Callable[[], AIOKafkaProducer], lease: Lease) -> None:
        self._make = make
        self._lease = lease
        self._current = self._prepare()
        self._started = False

    async def start(self) -> None:
        """Connect, where that is still to be done. Raises what aiokafka raises."""
        if not self._started:
            try:
                await started(self._current)
            except BaseException:
                self._current = self._prepare()  # aiokafka's are not started twice
                raise
            self._started = True

    async def stop(self) -> None:
        """Disconnect, after everything was flushed."""
        self._started = False
        await self._current.stop()  # also one that was never started: it complains when it is collected

    async def refresh(self) -> None:
        """Connect, and look for topics and partitions that are new."""
        await self.start()
        await self._current.client.force_metadata_update()

    def create_batch(self) -> BatchBuilder:
        """An empty batch; it belongs to whichever producer it is sent by."""
        return self._current.create_batch()

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[Any]:
        """Queue a batch; the future is done when it is acknowledged."""
        future: asyncio.Future[Any] = await self._current.send_batch(batch, topic, partition=partition)
        future.add_done_callback(_looked_at)  # whoever waits for it may have been given up
        return future

    async def partitions_for(self, topic: str) -> set[int]:
        """The topic's partitions."""
        found: set[int] = await self._current.partitions_for(topic)
        return found

    def cut(self) -> None:
        """The lease has run out: let nothing of what has just been sent arrive much later. It is sent again."""
        self._current.client.cut()

    async def discard(self) -> None:
        """An epoch has ended without us: nothing of what is queued or under way leaves any more."""
        old, connected = self._current, self._started
        self._current, self._started = self._prepare(), False
        client = old.client
        client.discarded = True
        self._lease.wake()
        client.cut()
        if not connected:
            await old.stop()
            return
        closing = asyncio.ensure_future(_close(old))
        await asyncio.wait({closing}, timeout=DISCARD_SECONDS)

    def _prepare(self) -> AIOKafkaProducer:
        producer = self._make()
        producer.client.__class__ = HoldingClient
        producer.client.lease = self._lease
        return producer


async def _close(producer: AIOKafkaProducer) -> None:
    """End a producer without sending what it holds."""
    accumulator = producer._message_accumulator  # noqa: SLF001
    left = [batch for batches in accumulator._batches.values() for batch in batches]  # noqa: SLF001
    left += accumulator._pending_batches  # noqa: SLF001
    producer._closed = True  # noqa: SLF001
    await asyncio.gather(producer._sender.close(), return_exceptions=True)  # noqa: SLF001
    accumulator._pending_batches.update(left)  # noqa: SLF001  from where aiokafka takes out what has failed
    accumulator.fail_all(ProducerClosed())
    for batch in left:
        _looked_at(batch.future)
        _looked_at(batch._drain_waiter)  # noqa: SLF001
    await producer.client.close()


def _looked_at(future: asyncio.Future[Any]) -> None:
    """Asyncio complains of errors that nobody has asked for."""
    if future.done() and not future.cancelled():
        future.exception()
