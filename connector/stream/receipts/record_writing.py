"""Records to where they belong, acknowledged by all replicas, however long that takes. At least once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connector.clock import Clock
from connector.kafka.batches import RecordFields, fill
from connector.kafka.outage import Outlast
from connector.kafka.renewed_producer import LogPlace, RenewedProducer

if TYPE_CHECKING:
    from aiokafka.producer.message_accumulator import BatchBuilder
    from aiokafka.structs import RecordMetadata

Placed = Mapping[LogPlace, Sequence[RecordFields]]


class RecordWriting:
    """Writes.

    Args:
        producer: takes the batches; started.
    """

    def __init__(self, producer: RenewedProducer, outlast: Outlast, clock: Clock) -> None:
        self._producer = producer
        self._outlast = outlast
        self._clock = clock

    async def write(self, placed: Placed, *, doing: str, wanted: Callable[[], bool]) -> list[RecordMetadata] | None:
        """Write these; what was not acknowledged is written once more. The acknowledgements, or None where it was not
        `wanted` any more: some of it may have been written.

        Raises:
            ConfigurationError: access is refused for longer than a change of it may take.
            Exception: whatever aiokafka raises that does not pass.
        """
        left = {place: list(records) for place, records in placed.items() if records}
        acknowledged: list[RecordMetadata] = []
        if not left:
            return acknowledged

        async def attempt() -> bool:
            sent = [await self._put(place, records) for place, records in left.items()]
            error: BaseException | None = None
            for place, futures in sent:
                found = await asyncio.gather(*futures, return_exceptions=True)
                failed = [it for it in found if isinstance(it, BaseException)]
                if failed:
                    error = failed[0]
                else:
                    acknowledged.extend(found)
                    del left[place]
            if error is not None:
                raise error
            return True

        done = await self._outlast(attempt, doing=doing, wanted=wanted)
        return acknowledged if done else None

    async def _put(
        self, place: LogPlace, records: Sequence[RecordFields]
    ) -> tuple[LogPlace, list[asyncio.Future[Any]]]:
        futures, at = [], 0
        while at < len(records):
            batch: BatchBuilder = self._producer.create_batch()
            at += fill(batch, records[at:], round(self._clock.wall() * 1000))
            batch.close()
            futures.append(await self._producer.put(batch, *place))
        return place, futures
