"""Debts of an earlier owner, paid when partitions are opened: the owed results are written before anything leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import msgspec
import structlog
from aiokafka import TopicPartition

from connector.clock import Clock
from connector.delivery.outcomes.unsent import PartialIdentity
from connector.errors import MessageError
from connector.formats.source_format import SourceFormats
from connector.json_service import ServiceError
from connector.kafka.batches import RecordFields
from connector.model import Result, Source, Status
from connector.receipts.correlation import Correlations
from connector.stream.intake.unreadable import identity
from connector.stream.output.cloud_events import ResultHeaders
from connector.stream.output.dispatch import BatchPlace, Dispatch
from connector.stream.output.shrinking import forms
from connector.stream.partitions.cluster import Cluster
from connector.stream.partitions.formats import SETTLES, VersionError, settles
from connector.stream.partitions.partition import Partition
from connector.stream.retry import retry_records
from connector.untrusted import UnreadableError

log = structlog.get_logger(__name__)

REASON = "it was sent, and what became of it could not be written at the time"
# How often it is looked whether a payment is still wanted.
PAYMENT_LOOK_SECONDS = 0.2
# Owed events that are read together: a read takes as long as some hundred events.
NEAR = 500
MOST = 5_000


class DebtPayment:
    """Pays debts.

    Args:
        cluster: reads the events.
        dispatch: writes their results.
        results: the topic.
        present: changes a result before it leaves, or None.
        correlations: what receipts are looked up by, for definitions whose receipts have to be.
        formats: what events of sources look like.
        about: further headers of results; none by default.
    """

    def __init__(
        self,
        cluster: Cluster,
        dispatch: Dispatch,
        *,
        results: str,
        present: Callable[[Result], None] | None,
        correlations: Correlations,
        formats: SourceFormats,
        clock: Clock,
        about: ResultHeaders | None = None,
    ) -> None:
        self._about = about
        self._formats = formats
        self._cluster = cluster
        self._dispatch = dispatch
        self._results = results
        self._present = present
        self._correlations = correlations
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode

    async def pay(self, opened: Sequence[Partition], *, wanted: Callable[[], bool]) -> None:
        """Write what is owed of these partitions; returns when it is acknowledged, or not `wanted` any more.

        Raises:
            RefusedError: it cannot be written still.
        """
        for partition in opened:
            if not partition.debts:
                continue
            log.info(
                "results owed by an earlier worker are written first",
                topic=partition.topic,
                partition=partition.partition,
                results=len(partition.debts),
            )
            paying = asyncio.create_task(self._pay(partition, wanted))
            try:
                while not paying.done() and wanted():
                    await asyncio.wait({paying}, timeout=PAYMENT_LOOK_SECONDS)
                if not paying.done():
                    return
                paying.result()
            finally:
                paying.cancel()

    async def _pay(self, partition: Partition, wanted: Callable[[], bool]) -> None:
        records = []
        for start, end in _runs(partition.debts):
            tp = TopicPartition(partition.topic, partition.partition)
            events = {it.offset: it for it in await self._cluster.read_between(tp, start, end, wanted=wanted)}
            if not wanted():
                return
            records += [
                await self._record(partition, offset, events.get(offset))
                for offset in range(start, end)
                # Where only that is known and there is no event it is a gap of the log, or was deleted there.
                if offset in partition.debts and (offset in events or partition.debts[offset] is not None)
            ]
        place = BatchPlace(partition, self._results, partition.partition)
        since = partition.ends.get(self._results, 0)
        # Of a result that nobody acknowledged the broker may still get to know, or show it once it has enough replicas
        # again, which the first write proves: what has come to light by then is not written a second time.
        for some in (records[:1], records[1:]):
            if some:
                there = await self._cluster.settled_since(TopicPartition(*place[1:]), since)
                owed = [record for record in some if record[2][0][1] not in there]
                await self._dispatch.send(place, self._dispatch.pack(owed), forms=forms)
        partition.ledger.learn(partition.debts)
        partition.debts = {}

    async def _who(self, topic: str, event: object) -> PartialIdentity:
        """Whose it is, as far as its event says so now: no opening waits for a schema registry."""
        raw, headers = getattr(event, "value", None), getattr(event, "headers", ())
        try:
            return identity(await self._formats.read(topic, raw, headers))
        except (MessageError, ServiceError):
            return PartialIdentity()

    async def _record(self, partition: Partition, offset: int, event: object) -> RecordFields:
        """The owed result, with what only its event says."""
        try:
            source = retry_records.read(getattr(event, "headers", ())).source
        except (UnreadableError, VersionError):  # of a source topic it is the event itself
            source = Source(partition.topic, partition.partition, offset)
        who = await self._who(partition.topic, event)
        result = partition.debts[offset]
        if result is None:
            now = datetime.fromtimestamp(self._clock.wall(), UTC)
            result = Result(Status.UNKNOWN, source, now, who.message_id, who.provider, who.campaign_id, reason=REASON)
        result.to = who.to
        looked_up = self._correlations.headers(result)
        if self._present is not None:
            self._present(result)
        key = getattr(event, "key", None) or (result.message_id or "").encode() or None
        settled = settles(partition.topic, partition.partition, offset)
        about = () if self._about is None else self._about(result)
        return key, self._encode(result), [(SETTLES, settled), *looked_up, *about]


def _runs(offsets: Iterable[int]) -> list[tuple[int, int]]:
    """Offsets as ranges to be read at once: first, and one past the last. What lies between costs less than a read."""
    runs: list[tuple[int, int]] = []
    for offset in sorted(offsets):
        if runs and offset - runs[-1][1] <= NEAR and offset - runs[-1][0] < MOST:
            runs[-1] = (runs[-1][0], offset + 1)
        else:
            runs.append((offset, offset + 1))
    return runs
