"""What a new owner of a partition reads before its first event: which events are settled already.

Every record we write says in its header `settles` which event it finishes, and every commit says where such records
began for the events after it. Reading from there to the end makes the hand-over exact: an event whose result is durable
is never sent again, however far the committed offset lags behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from connector.clock import Clock

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

log = structlog.get_logger(__name__)

# How often a long read says how far it is.
PROGRESS_SECONDS = 5.0
# One poll of the reader; large enough that parsing, not polling, is the cost.
POLL_RECORDS = 20_000


async def read_tail(
    reader: AIOKafkaConsumer,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    seen: Callable[[TopicPartition, ConsumerRecord], None],
    *,
    clock: Clock,
    wanted: Callable[[], bool],
) -> int:
    """Read every partition of `starts` forward to `ends`, calling `seen(partition, record)`.

    `wanted` is asked between polls; when it says False (the assignment has gone) the read ends early.
    Returns the number of records read.
    """
    todo = {tp for tp, start in starts.items() if start < ends[tp]}
    if not todo:
        return 0
    total = sum(ends[tp] - starts[tp] for tp in todo)
    reader.assign(list(todo))
    for tp in todo:
        reader.seek(tp, starts[tp])
    read, said = 0, clock.monotonic()
    while todo and wanted():
        for tp, records in (await reader.getmany(timeout_ms=200, max_records=POLL_RECORDS)).items():
            for record in records:
                if record.offset < ends[tp]:
                    read += 1
                    seen(tp, record)
        for tp in list(todo):
            if await reader.position(tp) >= ends[tp]:
                todo.discard(tp)
                reader.pause(tp)
        if clock.monotonic() - said >= PROGRESS_SECONDS:
            said = clock.monotonic()
            log.info("reading results back", read=read, of=total, partitions_left=len(todo))
    return read
