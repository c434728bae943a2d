"""Headers of an event that go with it: to its result, and through retry topics and dead letters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from aiokafka import ConsumerRecord

from connector.delivery.queue.item import CarryingItem, Item
from connector.formats.cloudevents import CONTENT_TYPE, PREFIX
from connector.formats.source_format import TRANSLATED
from connector.stream.intake.translation import UntranslatedRecord

CARRIED_BYTES = 4096
"""Names and contents of one event. What does not fit is left out: nobody counts this memory."""


class CarriedHeaders:
    """Which they are.

    Args:
        names: asked for in the settings.
        translated: sources have formats of their own: whether an event is a message already goes with it.
        cloudevents: what an event says in headers is part of it.
    """

    def __init__(self, names: Collection[str], *, translated: bool, cloudevents: bool) -> None:
        self._names = frozenset(names) | ({TRANSLATED[0]} if translated else set())
        self._cloudevents = cloudevents

    def hand_over(self, items: Sequence[Item], records: Sequence[ConsumerRecord]) -> bool:
        """Let items carry what their events had. Returns whether one of the events stands for no message: its value may
        look like one all the same.
        """
        untranslated = False
        for item, record in zip(items, records, strict=True):
            if isinstance(item, CarryingItem):
                item.carried = self.of(record.headers)
            untranslated = untranslated or isinstance(record, UntranslatedRecord)
        return untranslated

    def of(self, headers: Iterable[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes], ...]:
        """Those of an event, in its order."""
        found, left = [], CARRIED_BYTES
        for name, content in headers:
            if content is None or not self._carries(name):
                continue
            left -= len(name) + len(content)
            if left < 0:
                break
            found.append((name, content))
        return tuple(found)

    def _carries(self, name: str) -> bool:
        if name in self._names:
            return True
        return self._cloudevents and (name.startswith(PREFIX) or name.lower() == CONTENT_TYPE)
