"""The ceiling: a copy from topic to topic with aiokafka's quickest calls; no HTTP, nothing decoded or committed."""

from __future__ import annotations

import asyncio
import os

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

POLL_RECORDS = 4_000


async def main() -> None:
    brokers, results = os.environ["BENCH_BROKERS"], os.environ["BENCH_RESULTS"]
    consumer = AIOKafkaConsumer(
        os.environ["BENCH_SOURCE"],
        bootstrap_servers=brokers,
        group_id=os.environ["BENCH_GROUP"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=brokers, acks="all", enable_idempotence=True, max_batch_size=256 * 1024
    )
    await consumer.start()
    await producer.start()
    await producer.partitions_for(results)
    while True:
        fetched = await consumer.getmany(timeout_ms=200, max_records=POLL_RECORDS)
        futures = []
        for partition, records in fetched.items():
            batch = producer.create_batch()
            for record in records:
                if batch.append(timestamp=None, key=record.key, value=record.value) is None:
                    futures.append(await producer.send_batch(batch, results, partition=partition.partition))
                    batch = producer.create_batch()
                    batch.append(timestamp=None, key=record.key, value=record.value)
            futures.append(await producer.send_batch(batch, results, partition=partition.partition))
        await asyncio.gather(*futures)


if __name__ == "__main__":
    asyncio.run(main())
