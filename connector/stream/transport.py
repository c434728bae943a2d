"""Faust's consumer, with one answer changed: a partition without a committed offset is no reason to crash.

`auto_offset_reset=none` makes the fetcher report such a partition. When partitions are added to a source it may do so
before `Worker.open` has decided where they begin, in a fetch that a rebalance did not interrupt, and Faust would end
the worker: all of them, one after the other. Nothing is lost by not hearing it: `open` sets every position, and what
has none is not fetched.
"""

from __future__ import annotations

from typing import Any

from aiokafka.errors import NoOffsetForPartitionError
from faust.transport.drivers import aiokafka as driver


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Reports no records where Faust's would raise NoOffsetForPartitionError."""

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._fetch_records(*args, **kwargs)
        except NoOffsetForPartitionError:
            return {}


class Consumer(driver.Consumer):
    """On that thread."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):
    """With that consumer."""

    Consumer = Consumer
