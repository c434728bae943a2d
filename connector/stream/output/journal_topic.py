"""Writing to the journal's topic: which requests are about to leave, which results are owed."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.errors import ProducerClosed

from connector.kafka.batches import RecordFields
from connector.stream.output.dispatch import BatchPlace, Dispatch
from connector.stream.output.fencing import Fencing
from connector.stream.partitions.partition import Partition


class JournalTopic:
    """Appends plain values to the partition with the number of theirs.

    Args:
        topic: the journal.
        dispatch: brings them to Kafka.
        fencing: asked before each write.
    """

    def __init__(self, topic: str, *, dispatch: Dispatch, fencing: Fencing) -> None:
        self._topic = topic
        self._dispatch = dispatch
        self._fencing = fencing

    async def append(self, origin: Partition, values: Sequence[bytes], *, optional: bool = False) -> bool:
        """Write values; True when they are acknowledged. Where it is `optional`, one that is refused is given up at
        once.
        """
        if not await self._fencing.await_lease_for(origin):
            return False
        records: list[RecordFields] = [(None, value, []) for value in values]
        place = BatchPlace(origin, self._topic, origin.partition)
        try:
            return not await self._dispatch.send(place, self._dispatch.pack(records), optional=optional)
        except ProducerClosed:
            if origin.live:
                raise  # else its epoch has ended without us, and the producer was thrown away
            return False
