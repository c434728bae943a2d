"""Record batches written as they stand, such as no client sends and brokers take; and logs changed on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest

SECONDS = 30
LEADER_NOT_AVAILABLE, NOT_LEADER = 5, 6


def append(bootstrap: str, topic: str, partition: int, *batches: bytes) -> None:
    """Write these batches, one after the other; the broker gives them their offsets."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _append(bootstrap, topic, partition, batches)).result()


async def _append(bootstrap: str, topic: str, partition: int, batches: tuple[bytes, ...]) -> None:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        await client.set_topics([topic])
        node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        for batch in batches:
            request = ProduceRequest(None, -1, SECONDS * 1000, [(topic, [(partition, batch)])])
            for _ in range(100):
                answer = await client.send(node, request)
                code = answer.topics[0][1][0][1]
                if code not in {LEADER_NOT_AVAILABLE, NOT_LEADER}:
                    break
                await asyncio.sleep(0.1)  # the topic was just made
            assert code == 0, f"the broker refuses the batch with error {code}"
    finally:
        await client.close()


def change(log: Path, find: bytes, put: Callable[[bytes], bytes]) -> None:
    """Change the batch that holds `find` where it lies: brokers do not look at what they serve."""
    data = log.read_bytes()
    place, position = data.index(find), 0
    while not position <= place < (end := position + 12 + int.from_bytes(data[position + 8 : position + 12], "big")):
        position = end
    changed = put(data[position:end])
    assert len(changed) == end - position, "its size is known to the broker"
    with log.open("r+b") as file:
        file.seek(position)
        file.write(changed)
