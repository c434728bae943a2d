"""Which records of ours are in a log though nobody has said so: their batch's first answer was lost."""

from __future__ import annotations

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from connector.kafka.outage import Outlast, passes
from connector.stream.partitions.cluster import Cluster
from connector.stream.partitions.partition import Partition

log = structlog.get_logger(__name__)


class ReadBack:
    """Reads the end of a log.

    Args:
        outlast: waits for brokers that are away.
    """

    def __init__(self, cluster: Cluster, outlast: Outlast) -> None:
        self._cluster = cluster
        self._outlast = outlast

    async def written(self, partition: Partition, topic: str) -> set[bytes]:
        """What is in a topic behind what is known to be acknowledged there, by the header `settles`. Nothing, where it
        cannot be read; brokers that are away are waited for.
        """
        start = partition.ends.get(topic, 0)

        async def ask() -> set[bytes]:
            try:
                return await self._cluster.settled_since(TopicPartition(topic, partition.partition), start)
            except KafkaError as error:
                if passes(error):
                    raise
                log.warning("refused records may stand in the topic twice", topic=topic, error=type(error).__name__)
                return set()

        return await self._outlast(ask, doing=f"reading {topic} back", wanted=lambda: partition.live) or set()
