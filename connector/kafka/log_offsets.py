"""Offsets of logs, asked through an admin client: its connection carries no fetches.

A consumer's connection does, and a broker answers one request after the other: a question behind a fetch that waits for
records is answered when that ends, half a second later. `AIOKafkaConsumer.end_offsets` of aiokafka 0.14 also looks up
topics one by one, with a pause of a tenth of a second after each.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, StaleMetadata, for_code
from aiokafka.protocol.offset import OffsetRequest

LATEST, EARLIEST = -1, -2
"""In place of a time: the log's end, its beginning."""

AGAIN_SECONDS = 0.1
LIMIT_SECONDS = 30.0
"""How long a partition may be without a leader before it is somebody else's decision to go on asking."""

CLIENT = NONE = -1


async def log_offsets(
    client: AIOKafkaAdminClient, at: Mapping[TopicPartition, int], *, committed: bool = False
) -> dict[TopicPartition, int]:
    """Per partition the offset of the first record at or after a time; -1 where there is none.

    Args:
        client: started.
        at: milliseconds since 1970, LATEST or EARLIEST.
        committed: the end is where the first transaction begins that is not decided.

    Raises:
        KafkaError: no broker answers, access is missing, or a partition has no leader for longer than LIMIT_SECONDS.
    """
    if not at:
        return {}
    loop = asyncio.get_running_loop()
    end, fresh = loop.time() + LIMIT_SECONDS, False
    while True:
        try:
            return await _ask(client, at, isolation=int(committed))
        except KafkaError as error:
            if not error.retriable or loop.time() >= end:
                raise
            if fresh:
                await asyncio.sleep(AGAIN_SECONDS)
        # Nothing is kept of the topics between two questions by others; all of them are asked for, as a missing one
        # asked for by name is created where brokers do that by themselves.
        await client._client.force_metadata_update()  # noqa: SLF001
        fresh = True


async def _ask(
    client: AIOKafkaAdminClient, at: Mapping[TopicPartition, int], *, isolation: int
) -> dict[TopicPartition, int]:
    cluster = client._client.cluster  # noqa: SLF001
    asked: defaultdict[int, defaultdict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for tp, time in at.items():
        leader = cluster.leader_for_partition(tp)
        if leader is None or leader < 0:
            raise StaleMetadata(tp)
        asked[leader][tp.topic].append((tp.partition, time))
    answers = await asyncio.gather(
        *(
            client._send_request(OffsetRequest(CLIENT, isolation, list(topics.items())), leader)  # noqa: SLF001
            for leader, topics in asked.items()
        )
    )
    found: dict[TopicPartition, int] = {}
    for answer in answers:
        for topic, partitions in answer.topics:
            for number, code, *_, offset in partitions:
                if code:
                    raise for_code(code)(f"offsets of {topic}[{number}]")
                # Version 0 answers with a list; one was asked for.
                found[TopicPartition(topic, number)] = next(iter(offset), NONE) if isinstance(offset, list) else offset
    return found
