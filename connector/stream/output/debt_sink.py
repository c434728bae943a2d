"""Who takes records that may never be acknowledged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from connector.kafka.batches import RecordFields
from connector.stream.partitions.partition import Partition


class DebtSink(Protocol):
    """Takes records that may never be acknowledged.

    Implemented by `Debts` (connector/stream/output/debts.py), put in place in `connector/stream/wiring/output.py`.
    Implemented by `NoDebts` (connector/stream/output/debt_sink.py), put in place in
    `connector/stream/output/dispatch.py`.
    """

    async def owe(self, origin: Partition, records: Iterable[RecordFields]) -> None:
        """Take what is refused, or not taken for long, and write down that it is owed. Raises nothing of Kafka's."""


class NoDebts(DebtSink):
    """Nothing is owed for records other than results."""

    async def owe(self, origin: Partition, records: Iterable[RecordFields]) -> None:
        pass


NO_DEBTS = NoDebts()
