"""How far the source partitions are read: whether more events are on their way."""

from __future__ import annotations

from collections.abc import Container

from connector.stream.faust.group import Group
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.partition import Partition


class ReadProgress:
    """Of the partitions that are owned.

    Args:
        group: knows where their logs end.
        held: topics whose events nobody can read for now: nothing comes of them.
    """

    def __init__(self, owned: Assignment, group: Group, held: Container[str] = ()) -> None:
        self._held = held
        self._owned = owned
        self._group = group

    @property
    def caught_up(self) -> bool:
        """No further messages are on their way: every log is read to its end."""
        for partition in self._owned.sources:
            end = self._group.stable_end(partition.topic, partition.partition)
            if (end is None or partition.ledger.high < end) and partition.topic not in self._held:
                return False
        return True

    @property
    def more(self) -> bool:
        """Some partition has more to read, as far as is known."""
        return any(map(self._has_more, self._owned.sources))

    def _has_more(self, partition: Partition) -> bool:
        if partition.topic in self._held:
            return False
        end = self._group.stable_end(partition.topic, partition.partition)
        return partition.ledger.high < (partition.log_end if end is None else end)  # None before the first fetch
