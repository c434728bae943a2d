"""The way of every message through the worker: each station hands on to the next one here.

1 fetch   an agent of Faust brings what was fetched of a source partition       `Pipeline.admit`
          the reader of retry topics brings records that are due                `Admission.admit_due`
2 admit   `Admission` lets them in as memory allows, `Intake` decides
3 queue   `Lane.offer_all`: each waits in a window of its lane; the call ends here
4 build   the lane's own loop, `Lane.run`, begins here: `Departures` pops a
          window when a request slot is free; its messages are rendered         `WorkerLaneHost.decode`
5 send    the request leaves, if this worker still may                          `WorkerLaneHost.await_permission`
6 read    the provider's reply becomes one outcome per message
7 decide  final results go to the writer, what waits long to a retry topic      `WorkerLaneHost.finish`, `park`
8 write   `ResultWriter` waits for the acknowledgement                          `SettledEvents.durable`
9 commit  what is settled without a gap is committed                            `Pipeline.loops`
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from connector.definition.tree import Operation
from connector.delivery.lane_host import LaneHost
from connector.delivery.queue.item import Item
from connector.kafka.outage import Outlast
from connector.model import Message, Result
from connector.stream.control.apply import ControlApplier
from connector.stream.control.suppression_reader import SuppressionReader
from connector.stream.control.table import ControlTable
from connector.stream.control.topic_reader import ControlTopicReader
from connector.stream.epoch.housekeeping import Housekeeping
from connector.stream.faust.chunk import FetchedChunk
from connector.stream.intake.admission import Admission
from connector.stream.intake.budget import Budget
from connector.stream.intake.read_progress import ReadProgress
from connector.stream.output.debts import Debts
from connector.stream.output.overdue import Overdue
from connector.stream.output.send_permission import SendPermission
from connector.stream.output.writer import DurableEvents
from connector.stream.partitions.partition import Partition
from connector.stream.partitions.result_sink import ResultSink
from connector.stream.retry.retry_reader import RetryReader
from connector.stream.retry.routing import RetryRouting
from connector.suppressions.policy import SuppressionPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Where messages come in, and what goes on by itself."""

    outlast: Outlast
    admission: Admission
    retry_reader: RetryReader
    overdue: Overdue
    housekeeping: Housekeeping
    control_reader: ControlTopicReader
    control_applier: ControlApplier
    suppression_reader: SuppressionReader | None

    async def admit(self, chunk: FetchedChunk) -> None:
        """Admit what was fetched of a source partition; waits while there is no room."""
        await self.admission.admit(chunk)

    def loops(self) -> Sequence[Coroutine[Any, Any, None]]:
        """What runs for ever, beside the loop of each lane, which `Lanes.start` starts."""
        return (
            self.housekeeping.ticking(),
            self.housekeeping.committing(),
            self.retry_reader.run(self.outlast, self.admission),
            self.control_reader.run(self.outlast),
            self.control_applier.run(),
            self.overdue.run(),
            *(() if self.suppression_reader is None else (self.suppression_reader.run(self.outlast),)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLaneHost(LaneHost):
    """What all lanes of a worker live in."""

    control: ControlTable
    permission: SendPermission
    results: ResultSink
    retry_routing: RetryRouting
    progress: ReadProgress
    budget: Budget
    suppressions: SuppressionPolicy | None

    def decode(self, items: Sequence[Item]) -> list[Message]:
        return self.control.waiting(items)

    def suppressed(self, items: Sequence[Item], messages: Sequence[Message]) -> Sequence[bool]:
        policy = self.suppressions
        if policy is None or not policy.some(messages):
            return ()
        found = [policy.suppresses(it.event().topic, message) for it, message in zip(items, messages, strict=True)]
        return found if any(found) else ()  # all of those in the list are exempt

    async def await_permission(self, operation: Operation, batch_id: str, items: Sequence[Item]) -> bool:
        return await self.permission.await_permission(operation, batch_id, items)

    async def withdraw_permission(self, operation: Operation, items: Sequence[Item]) -> None:
        await self.permission.withdraw(operation, items)

    def finish(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        self.results.add(items, results)

    def park(self, items: Sequence[Item], due: float) -> bool:
        self.retry_routing.park(items, due)
        return True

    @property
    def suppression_changes(self) -> int:
        return 0 if self.suppressions is None else self.suppressions.changes

    @property
    def caught_up(self) -> bool:
        return self.progress.caught_up

    @property
    def memory_full(self) -> bool:
        return self.budget.blocked


class SettledEvents(DurableEvents):
    """What is done with: its offset may be committed, and its memory is free for the next event.

    Attributes:
        count: events settled so far.
    """

    def __init__(self, debts: Debts, budget: Budget) -> None:
        self.count = 0
        self._debts = debts
        self._budget = budget

    def durable(self, partition: Partition, offsets: Sequence[int], bytes_: int) -> None:
        partition.ledger.settle(offsets)
        if self._debts.count:
            self._debts.settled(partition, offsets)
        self.count += len(offsets)
        self._budget.release(partition.topic, len(offsets), bytes_)
