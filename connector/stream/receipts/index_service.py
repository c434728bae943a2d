"""The index and its join beside the states, in one process: clients, tasks, beginning and end.

Only where a definition has receipts that must be looked up: nobody else reads results or keeps an index.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from connector.kafka import clients
from connector.kafka.clients import started
from connector.kafka.fetched import ReadOptions, own_record_bytes
from connector.kafka.guarded import GuardedConsumer
from connector.kafka.outage import Outlast
from connector.kafka.receipt_topics import index_group, indexer_group
from connector.kafka.renewed_producer import RenewedProducer
from connector.settings.model import Settings
from connector.store.index_store import IndexStore
from connector.store.state_store import Stores
from connector.stream.partitions.cluster import Cluster
from connector.stream.process import Host
from connector.stream.receipts.index_join import IndexJoin
from connector.stream.receipts.index_opening import IndexOpening
from connector.stream.receipts.index_status import IndexCounts, IndexStatus
from connector.stream.receipts.indexer import Indexer
from connector.stream.receipts.join_preflight import JoinTopics
from connector.stream.receipts.polling import Stopping
from connector.stream.receipts.record_writing import RecordWriting

log = structlog.get_logger(__name__)

STOP_SECONDS = 10.0
FETCH_BYTES = 256 * 1024
"""Of a partition at once: what is fetched and not read yet lies in memory, for each of three consumers."""


class IndexService:
    """Both, while the process runs.

    Args:
        cluster: reads entries again, and what is unmatched.
        failed: told of what ends it.

    Attributes:
        counts: what they have done.
    """

    def __init__(
        self,
        host: Host,
        stores: Stores[IndexStore],
        known: JoinTopics,
        *,
        failed: Callable[[BaseException], None],
    ) -> None:
        self.counts = IndexCounts()
        self._host = host
        self._settings: Settings = host.settings
        self._stores = stores
        self._known = known
        self._failed = failed
        self._outlast = Outlast(host.clock, patience=host.settings.timeouts.refused)
        self._cluster: Cluster = host.cluster([], most=known.most)
        self._join: IndexJoin | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._loops = Stopping()
        self._clients: list[Any] = []

    @property
    def status(self) -> IndexStatus | None:
        """What the join is doing; None before it has begun."""
        return None if self._join is None else self._join.status

    def start(self) -> None:
        """Begin; once."""
        if not self._tasks and self._loops.wanted():
            self._run(self._begin())

    async def stop(self) -> None:
        """Give partitions back, and disconnect."""
        self._loops.tell()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(it.stop() for it in self._clients), return_exceptions=True)
        await self._cluster.stop()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and self._loops.wanted():
            log.error("receipts cannot be looked up any more", exc_info=error)
            self._failed(error)

    async def _begin(self) -> None:
        producer = RenewedProducer(functools.partial(clients.producer, self._settings, limits=self._known.limits))
        made = await self._outlast(
            lambda: self._connected(producer), doing="connecting for the index", wanted=self._loops.wanted
        )
        if made is None:
            return
        entries, index, results = made
        writing = RecordWriting(producer, self._outlast, self._host.clock)
        self._join = self._joined(entries, index, writing)
        indexer = self._indexer(results, writing)
        self.counts.restored = 0
        log.info("receipts are looked up", topic=self._settings.topics.receipts_in)
        self._run(self._join.run())
        self._run(indexer.run())
        self._run(self._join.watch())

    async def _connected(self, producer: RenewedProducer) -> tuple[GuardedConsumer, GuardedConsumer, GuardedConsumer]:
        """The clients, all of them started; none where one cannot be."""
        await self._cluster.start()
        own = own_record_bytes(self._known.most)
        begun: list[Any] = []
        try:
            group = self._settings.group
            entries = await self._consumer(begun, group=index_group(group), most=own, unreadable="stand")
            index = await self._consumer(begun, group=None, most=own, unreadable="pass")
            results = await self._consumer(begun, group=indexer_group(group), most=own, unreadable="pass")
            begun.append(producer)
            await producer.start()
        except BaseException:
            await asyncio.gather(*(it.stop() for it in begun), return_exceptions=True)
            raise
        self._clients = begun
        return entries, index, results

    async def _consumer(self, begun: list[Any], *, group: str | None, most: int, unreadable: Any) -> GuardedConsumer:
        timeouts = self._settings.timeouts
        member: dict[str, Any] = {}
        if group is not None:
            member = {
                "session_timeout_ms": round(timeouts.session * 1000),
                "heartbeat_interval_ms": round(timeouts.heartbeat * 1000),
                "rebalance_timeout_ms": round(timeouts.rebalance * 1000),
                "max_poll_interval_ms": round(timeouts.stuck * 1000),
                "request_timeout_ms": round(timeouts.broker_request * 1000),
            }
        consumer: GuardedConsumer = await started(
            GuardedConsumer(
                **self._host.connection.options(),
                reading=ReadOptions(self._host.skipped, unreadable=unreadable, most=most),
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=50,
                max_partition_fetch_bytes=FETCH_BYTES,
                **member,
            )
        )
        begun.append(consumer)
        return consumer

    def _joined(self, entries: GuardedConsumer, index: GuardedConsumer, writing: RecordWriting) -> IndexJoin:
        settings, host, known = self._settings, self._host, self._known
        group = index_group(settings.group)
        opening = IndexOpening(self._cluster, self._stores, settings, partitions=known.partitions, limits=known.limits)
        return IndexJoin(
            entries,
            index,
            writing=writing,
            opening=opening,
            cluster=self._cluster,
            settings=settings,
            group=group,
            outlast=self._outlast,
            counts=self.counts,
            skipped=host.skipped,
            clock=host.clock,
            stopping=self._loops,
        )

    def _indexer(self, results: GuardedConsumer, writing: RecordWriting) -> Indexer:
        topics = self._settings.topics
        return Indexer(
            results,
            writing,
            results=topics.results,
            index=topics.receipts_index,
            partitions=self._known.partitions,
            commit_interval=self._settings.timeouts.commit_interval,
            outlast=self._outlast,
            counts=self.counts,
            skipped=self._host.skipped,
            clock=self._host.clock,
            stopping=self._loops,
        )
