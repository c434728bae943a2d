"""Replies in, changes of the list of who must not be texted out: heard in order, written, acknowledged, settled.

A callback is answered once its reply is in `topics.inbound`. From there it is taken at least once, and its offset is
committed after its change is acknowledged: an opt-out that a provider was told is taken ends on the list, whatever is
killed in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka.errors import ProducerClosed

from connector.clock import Clock
from connector.kafka.batches import RecordFields
from connector.kafka.record_batch import Unreadable
from connector.kafka.skipped import Reason, Skipped
from connector.receipts.callback import Kind
from connector.receipts.opt_outs import Ignored, Sayings
from connector.receipts.receipt_records import InboundRecord, nobodys_record, read_inbound
from connector.settings.model import Topics
from connector.stream.intake.passed_over import PassedOver
from connector.stream.output.dispatch import BatchPlace, Dispatch
from connector.stream.output.fencing import Fencing
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.partition import Partition
from connector.stream.receipts.event_phones import EventPhones
from connector.stream.receipts.join_status import LIFTED, SUPPRESSED, JoinCounts
from connector.stream.receipts.partition_stage import PartitionStage
from connector.suppressions.record import KeyFormatError, Suppression, SuppressionState, encode, key_of
from connector.untrusted import UnreadableError

log = structlog.get_logger(__name__)

LIST: Final = 0
"""The partition of the list, which has no other: what is written later about a phone stands later."""


@dataclass(slots=True)
class _Heard:
    """What some replies of a partition change.

    Attributes:
        changes: to be written.
        nobodys: opt-outs of which nothing says whose they are: to be kept, so that they can be replayed.
        offsets: of the replies, all of which are done with then.
        outcomes: provider and what became of it, to be counted then.
        arrivals: when the callbacks of `changes` came, seconds since the epoch.
    """

    changes: list[RecordFields] = field(default_factory=list)
    nobodys: list[RecordFields] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)


class OptOutStage(PartitionStage):
    """Takes replies.

    Args:
        dispatch: writes.
        fencing: asked before each write.
        phones: of messages, for replies that name nothing else.
        topics: the list, and the one of what belongs to nobody.
        partitions: of that.

    Attributes:
        sayings: by partition, while they are owned.
    """

    def __init__(
        self,
        owned: Assignment,
        *,
        passed_over: PassedOver,
        dispatch: Dispatch,
        fencing: Fencing,
        phones: EventPhones,
        topics: Topics,
        partitions: int,
        counts: JoinCounts,
        skipped: Skipped,
        clock: Clock,
    ) -> None:
        super().__init__(owned, passed_over=passed_over)
        self.sayings: Mapping[Partition, Sayings] = {}
        self._dispatch = dispatch
        self._fencing = fencing
        self._phones = phones
        self._topic, self._unmatched = topics.suppressions, topics.receipts_unmatched
        self._partitions = partitions
        self._counts = counts
        self._skipped = skipped
        self._clock = clock

    async def _write(self, partition: Partition, records: Sequence[Any]) -> bool:
        partition.marks.add(records[0].offset, partition.ends)
        heard = _Heard()
        for record in records:
            if partition.ledger.admit(record.offset):
                heard.offsets.append(record.offset)
                if (said := self._read(partition, record)) is not None:
                    await self._hear(partition, said, record.value, heard)
        if not heard.offsets:
            return True
        if (heard.changes or heard.nobodys) and not await self._fencing.await_lease_for(partition):
            return False
        try:
            await self._send(partition, heard.changes)
            await self._keep(partition, heard.nobodys)
        except ProducerClosed:
            if partition.live:
                raise
        if not partition.live:  # its next owner takes them again
            return False
        self._note(partition, heard)
        await asyncio.sleep(0)
        return True

    def _read(self, partition: Partition, record: Any) -> InboundRecord | None:
        """Others may write into the topic."""
        try:
            if isinstance(record, Unreadable):
                raise UnreadableError(record.why)
            return read_inbound(record.value)
        except UnreadableError as error:
            place = partition.topic, partition.partition, record.offset
            self._skipped.note(*place, Reason.MALFORMED, what=str(error))
            return None

    async def _hear(self, partition: Partition, said: InboundRecord, value: bytes, heard: _Heard) -> None:
        change = self.sayings[partition].hear(said, self._clock.wall())
        if change is None:
            return
        if isinstance(change, Ignored):
            heard.outcomes.append((said.provider, change.value))
            return
        phone, why = said.sender, ""
        if phone is None and said.source is not None:
            phone, why = await self._phones.of(said.source, wanted=lambda: partition.live)
            if not partition.live:  # its next owner takes it again
                return
            if phone is None:
                log.error(
                    "somebody opted out, and nothing says who; it is kept, to be replayed",
                    provider=said.provider,
                    message_id=said.message_id,
                    why=why,
                )
                heard.nobodys.append(nobodys_record(said, value, why))
        key = _key(phone)
        if key is None:
            heard.outcomes.append((said.provider, Ignored.NO_PHONE.value))
            return
        record: RecordFields = key, encode(_change(said, stop=change)), []
        heard.changes.append(record)
        heard.outcomes.append((said.provider, SUPPRESSED if change else LIFTED))
        heard.arrivals.append(said.received_at.timestamp())

    async def _keep(self, partition: Partition, nobodys: Sequence[RecordFields]) -> None:
        place = BatchPlace(partition, self._unmatched, partition.partition % self._partitions)
        for batch in self._dispatch.pack(nobodys) if nobodys else ():
            await self._dispatch.send(place, [batch])

    async def _send(self, partition: Partition, changes: Sequence[RecordFields]) -> None:
        place = BatchPlace(partition, self._topic, LIST)
        for batch in self._dispatch.pack(changes) if changes else ():
            await self._dispatch.send(place, [batch])

    def _note(self, partition: Partition, heard: _Heard) -> None:
        """It is durable."""
        partition.ledger.settle(heard.offsets)
        counts, now = self._counts, self._clock.wall()
        counts.settled += len(heard.offsets)
        for outcome in heard.outcomes:
            counts.opt_outs[outcome] += 1
        for arrived in heard.arrivals:
            counts.listed.add(max(0.0, now - arrived))


def _key(phone: str | None) -> bytes | None:
    """Of a phone; None of a name or a short number, which nobody texts."""
    try:
        return None if phone is None else key_of(phone)
    except KeyFormatError:
        return None


def _change(said: InboundRecord, *, stop: bool) -> Suppression:
    return Suppression(
        state=SuppressionState.SUPPRESSED if stop else SuppressionState.LIFTED,
        since=said.at or said.received_at,
        by="blocked" if said.kind == Kind.BLOCKED else "reply",
        provider=said.provider,
        campaign_id=said.campaign_id,
        message_id=said.message_id,
    )
