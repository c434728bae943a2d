"""Another provider for messages whose own one refuses: `failover` of a definition.

Only a message's own provider says who takes over, and only those named there are asked: a message never goes round in
circles, whatever the definitions name. One that an earlier request may have brought to its provider stays there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connector.definition.tree import Definition
from connector.delivery.lane import Lane
from connector.delivery.queue.item import Item
from connector.model import Message


class Failover:
    """Chooses the lane of a message.

    Args:
        lanes: by provider name; may change.
    """

    def __init__(self, lanes: Mapping[str, Lane]) -> None:
        self._lanes = lanes
        self._others: dict[str, tuple[str, ...]] = {}
        self._refusing: set[str] = set()

    def set(self, definitions: Mapping[str, Definition]) -> None:
        """These say who takes over from whom."""
        self._others = {name: it.failover for name, it in definitions.items() if it.failover}

    def choose(self, lane: Lane, item: Item, message: Message) -> Lane:
        """The lane of a message: its own, or the first that can take it while that one refuses."""
        others = self._others.get(lane.name)
        if others is None or item.uncertain or not lane.refusing:
            return lane
        return next((it for it in self._working(others) if it.accepts(message)), lane)

    def stranded(self) -> Iterator[Lane]:
        """Lanes whose waiting messages another one might take; looked at every second.

        While it refuses: one whose definition names another that works. Once, when it begins to refuse: one that has
        taken over from another.
        """
        named = {name for others in self._others.values() for name in others}
        refusing = {name for name in named if name in self._lanes and self._lanes[name].refusing}
        begun, self._refusing = refusing - self._refusing, refusing
        for name, lane in self._lanes.items():
            works = any(True for _ in self._working(self._others.get(name, ())))
            if lane.open_count and ((lane.refusing and works) or name in begun):
                yield lane

    def _working(self, names: tuple[str, ...]) -> Iterator[Lane]:
        return (lane for name in names if (lane := self._lanes.get(name)) is not None and not lane.refusing)
