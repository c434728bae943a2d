"""How many results there are, by the ends of their topic."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition


class Ends:
    """Counts results by the ends of their topic, with one client for the whole cell."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench", "log_level": 0})
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]

    def count(self) -> int:
        return sum(self._consumer.get_watermark_offsets(it, timeout=10)[1] for it in self._partitions)

    def wait(self) -> None:
        """A topic that was just created has no leader yet."""
        end = time.monotonic() + 20
        while True:
            try:
                self.count()
            except KafkaException:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
            else:
                return

    def close(self) -> None:
        self._consumer.close()
