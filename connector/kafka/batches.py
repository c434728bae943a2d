"""Many records into a record batch at once."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.producer.message_accumulator import BatchBuilder

Headers = list[tuple[str, bytes]]
Fields = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers of a record: a plain tuple takes a tenth of the time to make."""


def fill(batch: BatchBuilder, records: Sequence[Fields], timestamp: int) -> int:
    """Append records until one no longer fits; how many were taken.

    What `BatchBuilder.append` of aiokafka 0.14 does for each, without serializers, in a third of its time.

    Args:
        batch: not closed, or nothing is taken.
        records: at most so many.
        timestamp: of all of them, milliseconds since the epoch.
    """
    if batch.closed():
        return 0
    append, start = batch._builder.append, batch._relative_offset  # noqa: SLF001
    taken = 0
    for key, value, headers in records:
        if append(start + taken, timestamp, key, value, headers) is None:
            batch.close()
            break
        taken += 1
    batch._relative_offset = start + taken  # noqa: SLF001
    return taken
