"""Faust's consumer, with two answers changed where they end or lose something, and records left as they were read.

A partition without a committed offset is no reason to crash: `auto_offset_reset=none` makes the fetcher report it. When
partitions are added to a source it may do so before `Worker.open` has decided where they begin, in a fetch that a
rebalance did not interrupt, and Faust would end the worker: all of them, one after the other. Nothing is lost by not
hearing it: `open` sets every position, and what has none is not fetched.

A partition committed at 0 is rewound like any other: what Faust has fetched and not delivered when a rebalance comes
it throws away, and relies on "seek to committed" to read it again; aiokafka 0.14 does not seek where that is 0
(consumer.py, `if offset and offset > 0`). The first events of a topic were passed over like a gap in the log.

aiokafka makes a ConsumerRecord of each record its compiled reader yields, through a generator and a method: three
quarters of what fetching costs, for a topic and a partition that a chunk knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import NoOffsetForPartitionError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP


class RawRecords(PartitionRecords):  # type: ignore[misc]
    """Fetched records as the compiled reader yields them: offset, timestamp, key, value and headers."""

    def __iter__(self) -> Iterator[Any]:
        records: Iterator[Any] = self._records_iterator
        return records

    def _consumer_record(self, tp: object, record: Any) -> Any:
        return record


def leave_raw(fetcher: Fetcher) -> None:
    """Let what was fetched and not asked for yet be handed over raw. What comes later is handed over as usual."""
    for fetched in fetcher._records.values():  # noqa: SLF001
        if type(fetched) is FetchResult and fetched.has_more():
            fetched._partition_records.__class__ = RawRecords  # noqa: SLF001


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Fetches as Faust's does, but for what the module says."""

    async def _fetch_records(self, consumer: Any, *args: Any, **kwargs: Any) -> Any:
        if consumer._fetcher is not None:  # noqa: SLF001  None before its start
            leave_raw(consumer._fetcher)  # noqa: SLF001
        try:
            return await super()._fetch_records(consumer, *args, **kwargs)
        except NoOffsetForPartitionError:
            return {}

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Rewind every assigned partition; answers with the committed offsets."""
        consumer = self._ensure_consumer()

        async def seek() -> Mapping[TP, int]:
            offsets: Mapping[TP, int] = await consumer.seek_to_committed()
            for tp, offset in offsets.items():
                if offset == 0:
                    consumer.seek(tp, 0)
            return offsets

        answer: Mapping[TP, int] = await self.call_thread(seek)
        return answer


class Consumer(driver.Consumer):
    """On that thread."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):
    """With that consumer."""

    Consumer = Consumer
