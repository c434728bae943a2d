"""Headers of an event that go with it: to its result, and through retry topics and dead letters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from aiokafka import ConsumerRecord

from connector.delivery.queue.item import CarryingItem, Item
from connector.formats.cloudevents import CONTENT_TYPE, PREFIX
from connector.formats.source_format import TRANSLATED
from connector.stream.intake.translation import UntranslatedRecord

CARRIED_BYTES = 1024
"""Of one event that waits, what holds each header included; further ones are left out. Memory is counted with so much
for each message, whatever its event has."""
HEADER_BYTES = 90
"""What holds one, beside its content: names are kept once."""
KEPT_BYTES = 16 * 1024
"""Of an event that ends at once."""


class CarriedHeaders:
    """Which they are.

    Args:
        names: asked for in the settings.
        cloudevents: what an event says in headers is part of it, where it stands for no message.
    """

    def __init__(self, names: Collection[str], *, cloudevents: bool) -> None:
        self._names = {name: name for name in (*names, TRANSLATED[0])}
        self._cloudevents = cloudevents

    def hand_over(self, items: Sequence[Item], records: Sequence[ConsumerRecord]) -> bool:
        """Let items carry what their events had. Returns whether one of the events stands for no message: its value may
        look like one all the same.
        """
        untranslated = False
        for item, record in zip(items, records, strict=True):
            ends = isinstance(record, UntranslatedRecord)
            untranslated = untranslated or ends
            if isinstance(item, CarryingItem):
                item.carried = self.of(record.headers, ends=ends)
        return untranslated

    def of(self, headers: Iterable[tuple[str, bytes | None]], *, ends: bool = False) -> tuple[tuple[str, bytes], ...]:
        """Those of an event, in its order. `ends`: it stands for no message, and goes to the dead letters whole."""
        found, left = [], KEPT_BYTES if ends else CARRIED_BYTES
        for name, content in headers:
            known = self._names.get(name)
            if content is None or (known is None and not (ends and self._is_part(name))):
                continue
            left -= len(content) + HEADER_BYTES
            if left < 0:
                break
            found.append((known or name, content))
        return tuple(found)

    def _is_part(self, name: str) -> bool:
        return self._cloudevents and (name.startswith(PREFIX) or name.lower() == CONTENT_TYPE)
