"""Faust's consumer, changed where it ends a worker, loses events, idles or hurries; records are left as they were read.

A partition without a committed offset is no reason to crash: `auto_offset_reset=none` makes the fetcher report it. When
partitions are added to a source it may do so before `Worker.open` has decided where they begin, in a fetch that a
rebalance did not interrupt, and Faust would end the worker: all of them, one after the other. Nothing is lost by not
hearing it: `open` sets every position, and what has none is not fetched.

A partition committed at 0 is rewound like any other: what Faust has fetched and not delivered when a rebalance comes
it throws away, and relies on "seek to committed" to read it again; aiokafka 0.14 does not seek where that is 0
(consumer.py, `if offset and offset > 0`). The first events of a topic were passed over like a gap in the log. It also
asks for one partition after the other, before the first fetch: here one request asks for all.

While every partition is left out because agents' buffers are full, Faust sleeps for a second: a worker would idle, or
its buffers had to hold more than it does in that time. Where some are left out it waits for the others for a second.
Here it looks again much sooner; and where nothing is left out, it waits for as long as nothing comes.

Of what was fetched Faust hands each chunk on through two timers and seven tasks, to notice that it is stopped: what it
waits for there never waits. And it ticks though nothing comes: for commits and statistics that it does not keep here.

What a fetch brings after the partitions were revoked is not delivered, and Faust rewinds them then, one request each:
those that have gone meanwhile raise, and of one that is ours again, and flows, events would come twice. Opening sets
every position anyhow.

aiokafka makes a ConsumerRecord of each record its compiled reader yields, through a generator and a method: three
quarters of what fetching costs, for a topic and a partition that a chunk knows. What was fetched is read by
`kafka/fetched`, which leaves them as they are.

Faust reads what was aborted, unless it writes transactions itself: the consumer is told otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import NoOffsetForPartitionError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from connector.clock import SystemClock
from connector.errors import ConfigurationError
from connector.kafka.fetch_pacing import FetchPacing
from connector.kafka.fetched import ReadOptions
from connector.kafka.guarded import guard
from connector.kafka.outage import Outlast
from connector.stream.faust.coordinator import attach
from connector.stream.faust.direct_thread import DirectThread
from connector.stream.faust.subscription import RegisteringConductor
from connector.stream.membership.group_answers import Membership

# While partitions are left out, this often it is looked whether they still are.
LEFT_OUT_LOOK_SECONDS = 0.01
# While none is, so long a fetch waits for an event; what else may happen ends it.
IDLE_SECONDS = 30.0


class ConsumerThread(DirectThread, driver.AIOKafkaConsumerThread):
    """Fetches as Faust's does, but for what the module says."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        clock = SystemClock()
        self._pacing = FetchPacing(clock)
        self._outlast = Outlast(clock, patience=self._membership.patience)

    @property
    def _membership(self) -> Membership:
        return cast(ChunkTransport, self.transport).membership

    async def on_start(self) -> None:
        """Nothing is fetched before it is guarded, and no group joined before it is heard: Faust subscribes later."""
        await super().on_start()
        consumer, transport = self._ensure_consumer(), cast(ChunkTransport, self.transport)
        guard(consumer, transport.reading, self._pacing)
        attach(consumer, transport.membership)

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001  taken up by its start
        consumer._client_rack = cast(ChunkTransport, transport).rack  # noqa: SLF001  Faust has no setting for it
        return consumer

    async def _fetch_records(self, consumer: Any, *args: Any, **kwargs: Any) -> Any:
        fetch = super()._fetch_records
        try:
            fetched = await self._outlast(
                lambda: fetch(consumer, *args, **kwargs),
                doing="fetching events",
                wanted=lambda: bool(self.consumer.flow_active),
            )
        except NoOffsetForPartitionError:
            return {}
        except ConfigurationError as error:  # told where the epoch is closed in order; Faust would just crash
            self._membership.broke(error)
            fetched = None
        return {} if fetched is None else fetched

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Rewind every assigned partition that has a committed offset; answers with those."""
        consumer = self._ensure_consumer()

        async def seek() -> Mapping[TP, int]:
            assigned = consumer.assignment()
            found = await consumer._coordinator.fetch_committed_offsets(assigned)  # noqa: SLF001
            for tp, committed in found.items():
                consumer.seek(tp, committed.offset)
            return {tp: committed.offset for tp, committed in found.items()}

        answer: Mapping[TP, int] = await self.call_thread(seek)
        return answer


class ChunkConsumer(driver.Consumer):
    """On that thread."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                async for tp, message in self.getmany(IDLE_SECONDS):
                    read_to = self._read_offset[tp]
                    if read_to is None or message.offset >= read_to:
                        await self._hand_on(message)
                        self._read_offset[tp] = message.offset
                await asyncio.sleep(0)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _hand_on(self, message: Any) -> None:
        """To the agent of its topic. That waits for nothing, as buffers are never full, unless the flow is stopped."""
        if self.app.flow_control.is_active():
            await self.callback(message)
        else:
            await self.wait_first(self.callback(message), self.suspend_flow.wait())

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109  Faust's
        if self.flow_active and self._buffered_partitions:
            if not self._get_active_partitions():
                await asyncio.sleep(LEFT_OUT_LOOK_SECONDS)
                return {}, set()
            timeout = LEFT_OUT_LOOK_SECONDS
        found = await super()._wait_next_records(timeout)
        if not self.flow_active:
            return None, None
        return found


class ChunkTransport(driver.Transport):
    """With that consumer.

    Args:
        reading: how it reads; of committed transactions only, and raw.
        rack: where it stands; brokers may name a nearer replica then.
    """

    Consumer = ChunkConsumer
    Conductor = RegisteringConductor

    def __init__(
        self, *args: Any, reading: ReadOptions, membership: Membership, rack: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.reading, self.membership, self.rack = reading, membership, rack
