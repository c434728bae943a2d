"""What `topics.receipts` says about messages, for commands that show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from aiokafka import ConsumerRecord, TopicPartition

from connector.kafka.reader import TopicReader, ends_of
from connector.model import Source
from connector.receipts.callback import State
from connector.receipts.receipt_records import ReceiptRecord, partition, place, read_receipt, written_state
from connector.receipts.states import is_final
from connector.settings import Settings
from connector.untrusted import UnreadableError

FINALS = frozenset(state.value for state in State if is_final(state))


async def receipt_partitions(
    reader: TopicReader, settings: Settings, sources: Collection[Source] | None = None
) -> list[TopicPartition]:
    """Where the receipts of these messages stand, or all partitions; none where there is no topic of receipts."""
    partitions = await reader.partitions([settings.topics.receipts], optional=True)
    if sources is None:
        return partitions
    numbers = {partition(place(source), len(partitions)) for source in sources} if partitions else set()
    return [tp for tp in partitions if tp.partition in numbers]


async def find_receipts(
    reader: TopicReader, settings: Settings, sources: Collection[Source], since: datetime
) -> dict[Source, list[tuple[ConsumerRecord, ReceiptRecord]]]:
    """The receipts of these messages that were written since, in the order in which they were."""
    wanted = {place(source): source for source in sources}
    partitions = await receipt_partitions(reader, settings, sources)
    starts = await reader.offsets_at(partitions, since)
    found: defaultdict[Source, list[tuple[ConsumerRecord, ReceiptRecord]]] = defaultdict(list)
    async for record in reader.scan(starts, ends_of(await reader.bounds(partitions))):
        written = written_state(record.headers)
        if written is None or (source := wanted.get(written[0])) is None:
            continue
        try:
            found[source].append((record, read_receipt(record.value)))
        except UnreadableError:
            continue
    return found


def outcome(states: Iterable[str]) -> str | None:
    """What is said of a message in a word: `delivered` where anything says so, else its last final state, else its last
    one; None without any.
    """
    last = final = None
    for state in states:
        if state == State.DELIVERED:
            return state
        last = state
        final = state if state in FINALS else final
    return final or last
