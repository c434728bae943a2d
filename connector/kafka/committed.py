"""Committed offsets of a group, as its coordinator tells them, or its error.

`AIOKafkaAdminClient.list_consumer_group_offsets` of aiokafka 0.14 does not look at the error of the whole answer: of a
coordinator that has just started and loads its groups, or that is none any more, it makes "nothing is committed". A
worker that believes that begins somewhere else. The error of a partition it raises as `NoError`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.structs import OffsetAndMetadata


async def committed_offsets(
    client: AIOKafkaAdminClient, group: str, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:
    """Offset and metadata of these partitions, without those of which nothing is committed.

    Partitions are asked for by name: to "all of the group" the demo's embedded broker answers with null.

    Raises:
        KafkaError: no broker answers, or the coordinator cannot tell: that is not the same as nothing committed.
    """
    if not partitions:
        return {}
    asked: defaultdict[str, list[int]] = defaultdict(list)
    for topic, number in partitions:
        asked[topic].append(number)
    coordinator = await client.find_coordinator(group)
    answer = await client._send_request(OffsetFetchRequest(group, list(asked.items())), coordinator)  # noqa: SLF001
    if code := getattr(answer, "error_code", 0):  # version 1 has none
        raise for_code(code)(f"offsets of group {group}")
    found = {}
    for topic, its in answer.topics:
        for number, offset, metadata, code in its:
            if code:
                raise for_code(code)(f"offset of group {group} in {topic}[{number}]")
            if offset >= 0:
                found[TopicPartition(topic, number)] = OffsetAndMetadata(offset, metadata or "")
    return found
