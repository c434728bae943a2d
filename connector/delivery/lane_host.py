"""What a lane lives in: it decodes the lane's messages, says whether they may leave, and takes over what is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from connector.definition.tree import Operation
from connector.delivery.queue.item import Item
from connector.model import Message, Result


class LaneHost(Protocol):
    """Asked and told by a lane, a few times per request at most.

    Implemented by `WorkerLaneHost` (connector/stream/pipeline.py), put in place in
    `connector/stream/wiring/parts.py`.
    Implemented by `SimulatedHost` (connector/workbench/simulation.py), put in place in
    `connector/workbench/simulation.py`.

    Attributes:
        caught_up: no event waits in the partitions that feed the lane.
        memory_full: no further event can be read until something leaves.
        suppression_changes: how often somebody has come to those who must not be texted. While it stands still,
            `suppressed` need not be asked again.
    """

    @property
    def caught_up(self) -> bool: ...
    @property
    def memory_full(self) -> bool: ...
    @property
    def suppression_changes(self) -> int: ...

    def decode(self, items: Sequence[Item]) -> list[Message]:
        """Their messages. Raises MessageError when one of them has none any more."""
        ...

    def suppressed(self, items: Sequence[Item], messages: Sequence[Message]) -> Sequence[bool]:
        """For each whether it must not be sent; empty where all may be."""
        ...

    async def await_permission(self, operation: Operation, batch_id: str, items: Sequence[Item]) -> bool:
        """Wait until a request may leave (the journal, the check for zombies). False: this worker may not send; the
        items wait on, and nothing is pulled until `Lane.reopen`.
        """
        ...

    async def withdraw_permission(self, operation: Operation, items: Sequence[Item]) -> None:
        """A request that may leave does not: take back what was noted for it, so that none of its messages ends
        `unknown`.
        """
        ...

    def finish(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        """Take final results, at most one per item, one call per reply; must not wait."""
        ...

    def park(self, items: Sequence[Item], due: float) -> bool:
        """Take over messages that have to wait until a wall time beyond `LaneSettings.park_after`. False: they wait in
        the lane.
        """
        ...
