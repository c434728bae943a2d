"""Deleting finished retry records: retry topics never expire by time, or what waits long in them would be lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from aiokafka import TopicPartition

from connector.settings.model import Settings
from connector.stream.partitions.cluster import Cluster, Committed
from connector.stream.partitions.copartitions import retry_group
from connector.stream.partitions.formats import ends_of


async def purge(cluster: Cluster, settings: Settings, numbers: Collection[int]) -> None:
    """Delete what nobody needs any more in the retry partitions with these numbers.

    Decided by what is committed, so it is right whoever owns them by now.
    """
    sources, retries = settings.topics.source_names, settings.topics.retry.values()
    committed = await cluster.committed(settings.group, sources)
    committed |= await cluster.committed(retry_group(settings.group), retries)
    found = await cluster.partitions([*sources, *retries])
    beside = [TopicPartition(topic, number) for topic, its in found.items() for number in its if number in numbers]
    ends = {tp: bounds.end for tp, bounds in (await cluster.bounds(beside)).items()}
    await cluster.purge(purgeable([tp for tp in beside if tp.topic in retries], committed, ends))


def purgeable(
    retries: Iterable[TopicPartition],
    committed: Mapping[TopicPartition, Committed],
    ends: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """Up to where retry partitions may be deleted; those of which nothing may be are left out.

    A finished record still says in its header what it settles, and a new owner reads that back from where the commits
    of the source and of the retry partitions with its number say. Only what lies before all of them has served.

    Args:
        retries: the partitions.
        committed: of source and retry partitions.
        ends: of the logs of source and retry partitions.
    """
    limits = {}
    for retry in retries:
        limit = committed[retry].offset if retry in committed else 0
        for beside, end in ends.items():
            if beside.partition == retry.partition:
                limit = min(limit, _read_from(retry.topic, committed.get(beside), end, limit))
        if limit > 0:
            limits[retry] = limit
    return limits


def _read_from(topic: str, at: Committed | None, end: int, otherwise: int) -> int:
    """From where a new owner of a partition with this commit and log end reads `topic` back."""
    if end == 0 or (at is not None and at.offset >= end):
        return otherwise  # it has no event left that could be settled
    return 0 if at is None else ends_of(at.metadata).get(topic, 0)
