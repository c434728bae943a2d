"""Records that a fetcher left out: read again before what follows them.

A ledger takes a jump for a gap in the log, so that one made by a fetcher around a rebalance would be committed: it has
happened, and the log is the only one to know.
"""

from __future__ import annotations

import structlog
from aiokafka import TopicPartition

from connector.kafka.fetched import Fetched
from connector.kafka.outage import Outlast
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.cluster import Cluster
from connector.stream.partitions.partition import Partition

log = structlog.get_logger(__name__)


class PassedOver:
    """Asks the log.

    Args:
        cluster: asked for what stands before a partition's first records, where they begin later than expected.
        outlast: waits for brokers that do not answer that.
    """

    def __init__(self, owned: Assignment, cluster: Cluster, outlast: Outlast) -> None:
        self._owned = owned
        self._cluster = cluster
        self._outlast = outlast

    async def __call__(self, partition: Partition, first: int) -> Fetched | None:
        """Records before the first ones that came; None once the epoch has ended. Brokers are waited for."""
        epoch, start = self._owned.epoch, partition.ledger.high
        tp = TopicPartition(partition.topic, partition.partition)

        def wanted() -> bool:
            return epoch == self._owned.epoch

        missed = await self._outlast(
            lambda: self._cluster.read_between(tp, start, first, wanted=wanted),
            doing="reading records that the fetcher passed over",
            wanted=wanted,
        )
        if missed:
            log.warning(
                "the fetcher passed over events; they are read again",
                topic=partition.topic,
                partition=partition.partition,
                offset=start,
                events=len(missed),
            )
        return missed
