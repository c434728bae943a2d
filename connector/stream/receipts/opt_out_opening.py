"""Opening partitions of `topics.inbound`: where to go on, and what people said before, so that it is known again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from connector.clock import Clock
from connector.kafka.reader import Bounds
from connector.receipts.opt_outs import KEPT_SECONDS, Sayings
from connector.receipts.receipt_records import read_inbound
from connector.settings.model import Settings
from connector.stream.partitions.cluster import Cluster, Committed
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.untrusted import UnreadableError

log = structlog.get_logger(__name__)

_KEPT: Final = timedelta(seconds=KEPT_SECONDS)


class OptOutOpening:
    """Opens them.

    Args:
        settings: with the group of `receipts run`.
    """

    def __init__(self, cluster: Cluster, settings: Settings, *, clock: Clock) -> None:
        self._cluster = cluster
        self._settings = settings
        self._clock = clock

    async def open(
        self, assigned: Collection[TopicPartition], *, wanted: Callable[[], bool]
    ) -> dict[Partition, Sayings]:
        """The partitions, ready to take replies, each with what was said before.

        Nothing that is taken twice changes anything for worse: without a committed offset it begins with the log.
        """
        if not assigned:
            return {}
        inbound = self._settings.topics.inbound
        committed = await self._cluster.committed(self._settings.group, [inbound])
        bounds = await self._cluster.bounds(assigned)
        now = self._clock.wall()
        since = await self._cluster.offsets_at(assigned, datetime.fromtimestamp(now, UTC) - _KEPT)
        starts = {tp: _start(tp, committed.get(tp), bounds[tp]) for tp in sorted(assigned)}
        sayings = {tp: Sayings() for tp in starts}

        def seen(tp: TopicPartition, record: ConsumerRecord) -> None:
            try:
                sayings[tp].hear(read_inbound(record.value), now)
            except UnreadableError:
                return  # told of when it was taken

        begins = {tp: max(bounds[tp].begin, min(since[tp], start)) for tp, start in starts.items()}
        await self._cluster.read_tail(begins, starts, seen, wanted=wanted)
        return {self._partition(tp, starts[tp], committed.get(tp), bounds[tp]): sayings[tp] for tp in starts}

    def _partition(self, tp: TopicPartition, start: int, committed: Committed | None, bounds: Bounds) -> Partition:
        return Partition(
            topic=tp.topic,
            partition=tp.partition,
            ledger=Ledger(start),
            marks=ReplayMarks(start, {}),
            ends={},
            committed=start if committed is not None and committed.offset == start else -1,
            journalled=OffsetSet(self._settings.span),
            log_end=bounds.end,
        )


def _start(tp: TopicPartition, committed: Committed | None, bounds: Bounds) -> int:
    if committed is None:
        return bounds.begin
    if committed.offset > bounds.end:
        message = "the topic was created anew; opt-outs are read from its beginning"
        log.warning(message, topic=tp.topic, partition=tp.partition, committed=committed.offset)
        return bounds.begin
    if committed.offset < bounds.begin:
        message = "replies were deleted before they were read: who opted out in them may still be texted"
        log.error(message, topic=tp.topic, partition=tp.partition, offset=committed.offset, begin=bounds.begin)
        return bounds.begin
    return committed.offset
