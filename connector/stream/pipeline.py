"""The way of every message through the worker: what each station hands to the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.definition.tree import Operation
from connector.delivery.lane_host import LaneHost
from connector.delivery.queue.item import Item
from connector.model import Message, Result
from connector.stream.control.table import ControlTable
from connector.stream.intake.budget import Budget
from connector.stream.intake.read_progress import ReadProgress
from connector.stream.output.fencing import Fencing
from connector.stream.partitions.result_sink import ResultSink
from connector.stream.retry.routing import RetryRouting


@dataclass(frozen=True, kw_only=True)
class WorkerLaneHost(LaneHost):
    """What all lanes of a worker live in."""

    control: ControlTable
    permission: Fencing
    results: ResultSink
    retry_routing: RetryRouting
    progress: ReadProgress
    budget: Budget

    @property
    def caught_up(self) -> bool:
        return self.progress.caught_up

    @property
    def memory_full(self) -> bool:
        return self.budget.blocked

    def decode(self, items: Sequence[Item]) -> list[Message]:
        return self.control.waiting(items)

    async def before_send(self, operation: Operation, batch_id: str, items: Sequence[Item]) -> bool:
        return await self.permission.may_send(operation, batch_id, items)

    def settle(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        self.results.add(items, results)

    def park(self, items: Sequence[Item], due: float) -> bool:
        self.retry_routing.park(items, due)
        return True
