"""Giving partitions back: wait for what is in flight, write its results, commit, forget: in this order, by a deadline.

Messages that were never attempted stay in Kafka: the next owner reads the results back and repeats nothing else. Those
that were, and were refused, go to a retry topic with their count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import NoReturn

import structlog

from connector.clock import Clock
from connector.delivery.queue.item import Item
from connector.errors import RefusedError
from connector.stream.epoch.epoch_counts import EpochCounts
from connector.stream.epoch.housekeeping import Housekeeping
from connector.stream.intake.budget import Budget
from connector.stream.lanes import Lanes, LaneSet
from connector.stream.membership.lease import Lease
from connector.stream.output.debts import Debts
from connector.stream.output.dispatch import Dispatch
from connector.stream.output.journal import Journal
from connector.stream.output.overdue import Overdue
from connector.stream.output.pending_results import PendingResults
from connector.stream.output.replaceable_producer import ReplaceableProducer
from connector.stream.output.writability import Writability
from connector.stream.output.writer import ResultWriter
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.refile_queue import RefileQueue
from connector.stream.retry.retry_reader import RetryReader
from connector.stream.retry.routing import RetryRouting
from connector.stream.shutdown.deadline import EXIT_CONFIGURATION, EXIT_DEADLINE, Deadline, end_process

log = structlog.get_logger(__name__)

# What closing may take beyond its drain: results and commit of what was in flight at the end of it.
CLOSE_GRACE_SECONDS = 10.0
# What is left of that for writing down what is owed.
LAST_WORD_SECONDS = 3.0
# How long the journal is waited for: it may be missing what the results are not.
RELEASE_SECONDS = 5.0
# Between two tries to write down what is owed where nothing could be written.
KEEP_SECONDS = 5.0


class Closing:
    """Closes epochs. Everything it is made of is the worker's."""

    def __init__(
        self,
        owned: Assignment,
        *,
        lease: Lease,
        producer: ReplaceableProducer,
        lanes: Lanes,
        lane_set: LaneSet,
        refile: RefileQueue,
        journal: Journal,
        retry_routing: RetryRouting,
        writer: ResultWriter,
        pending: PendingResults,
        housekeeping: Housekeeping,
        budget: Budget,
        retry_reader: RetryReader,
        writable: Writability,
        debts: Debts,
        dispatch: Dispatch,
        overdue: Overdue,
        counts: EpochCounts,
        clock: Clock,
    ) -> None:
        self._owned = owned
        self._lease = lease
        self._producer = producer
        self._lanes = lanes
        self._refile = refile
        self._journal = journal
        self._retry_routing = retry_routing
        self._writer = writer
        self._pending = pending
        self._lane_set = lane_set
        self._housekeeping = housekeeping
        self._budget = budget
        self._retry_reader = retry_reader
        self._writable = writable
        self._debts = debts
        self._dispatch = dispatch
        self._overdue = overdue
        self._counts = counts
        self._clock = clock

    def begin(self) -> None:
        """Admit nothing more, and let go whoever waits for something that will not come."""
        self._owned.begin()
        self._budget.changed()
        self._pending.release()
        self._writable.release()
        self._retry_reader.hold()

    async def close(self, why: str, seconds: float) -> None:
        """Close what is owned, waiting up to `seconds` for the requests in flight. Ends the process at the deadline."""
        partitions = self._owned.partitions
        if not partitions:
            return
        deadline = Deadline(seconds + CLOSE_GRACE_SECONDS, f"closing took too long ({why})")
        started = self._clock.monotonic()
        if not self._lease.certain and not (await self._housekeeping.confirm() and self._lease.certain):
            left = self._pending.unacknowledged
            log.warning("membership lost; what is not written is left to the next owner", results=left)
            if why == "stop" and left:  # whoever looks at the exit code must not take it for a stop in order
                end_process(EXIT_DEADLINE, "results could not be written before the membership was lost")
            self._disown()
            await self._producer.discard()
        left, parked = await self._drain(started + seconds)
        remaining = max(1.0, started + seconds + CLOSE_GRACE_SECONDS / 2 - self._clock.monotonic())
        if not await self._writer.flush(remaining):
            # Batches queued in an idempotent producer cannot be recalled: they would be written in another epoch.
            await self._leave_word()
        if why == "crash" and self._debts.unwritten:
            deadline.cancel()
            await self._keep_debts()
        committed = await self._housekeeping.commit(
            self._owned.sources, self._owned.retries, closed=not self._debts.unwritten
        )
        self._tell_lost()
        if self._dispatch.abandoned:  # a producer would wait for what is gone, and write it in another epoch
            await self._producer.discard()
            self._dispatch.discarded()
        self._disown()
        deadline.cancel()
        seconds_taken = round(self._clock.monotonic() - started, 3)
        self._counts.drains.add(seconds_taken)
        log.info(
            "partitions closed",
            why=why,
            partitions=len(partitions),
            left_in_kafka=left - parked,
            committed=committed,
            seconds=seconds_taken,
        )

    async def _drain(self, until: float) -> tuple[int, int]:
        """Empty the lanes; how many messages were left, and how many of them had been attempted."""
        lanes = self._lane_set.all()
        drained = await asyncio.gather(*(lane.drain(until) for lane in lanes))
        for lane, items in zip(lanes, drained, strict=True):
            if items and lane.name in self._lanes.journalling:
                await self._release(items)
        left = [*chain.from_iterable(drained), *self._refile.clear()]
        if tried := [item for item in left if item.attempts or item.uncertain]:
            self._retry_routing.park(tried, self._clock.wall())  # with their count
        return len(left), len(tried)

    async def _release(self, items: Sequence[Item]) -> None:
        """They were refused, or never sent: the next owner may send them, if the journal takes that."""
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._journal.release(items)
        except (RefusedError, TimeoutError):
            log.warning("the journal does not take what was not sent: where it stands in it, it ends `unknown`")

    async def _leave_word(self) -> NoReturn:
        """End the process at its deadline, with what is owed written down if that can be."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD_SECONDS):
                await self._overdue.last_word()
        self._tell_lost()
        if (error := self._writable.error) is not None or self._writable.holding:
            end_process(
                EXIT_CONFIGURATION, str(error) if error else "Kafka refuses results, and the process has to end"
            )
        end_process(EXIT_DEADLINE, "results were not acknowledged in time")

    async def _keep_debts(self) -> None:
        """Stay, as a member of the group, until what is owed is written down somewhere or a person says stop."""
        while self._debts.unwritten and not self._debts.released.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEP_SECONDS):
                    await self._debts.released.wait()
            await self._debts.write()

    def _tell_lost(self) -> None:
        """What a person has to know who ends a process that alone knows what was sent."""
        if unwritten := self._debts.unwritten:
            log.critical("results are lost with this process: their messages will be sent again", results=unwritten)

    def _disown(self) -> None:
        self._owned.disown()
        self._debts.forget()
        self._writer.forget()
        self._retry_reader.release()
        self._budget.clear()
        self._lease.wake()
