"""Everything a lane holds that is not in a request: windows, parts to be sent next, parts to be sent later."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from heapq import heapify, heappop, heappush
from itertools import compress

from connector.delivery.queue.attempt import Part
from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.delivery.queue.windows import Window, Windows, WindowShape


class Backlog:
    """What waits in a lane, and what of it leaves next.

    Args:
        shapes: per operation.
        wait_max: seconds after which a window goes before full ones.

    Attributes:
        add, extend: those of `Windows` themselves.
        why: which rule the last choice followed: one of `Windows.why`, or `again` for what left before.
    """

    def __init__(self, shapes: Sequence[WindowShape], wait_max: float) -> None:
        self._shapes = shapes
        self._windows = Windows(shapes, wait_max)
        self.add, self.extend = self._windows.add, self._windows.extend
        self.why = ""
        self._next: deque[Part] = deque()
        self._later: list[tuple[float, int, Part]] = []
        self._sequence = 0

    @property
    def windows(self) -> int:
        """Open windows."""
        return len(self._windows)

    @property
    def keys(self) -> Iterator[WindowKey]:
        """Of the open windows."""
        return (window.key for window in self._windows)

    @property
    def oldest(self) -> float | None:
        """When the first of the messages in windows that may leave began to wait; None where there are none."""
        return self._windows.oldest

    @property
    def full(self) -> bool:
        """A full window may leave: `choose` has an answer, whatever else is on its way."""
        return self._windows.full

    @property
    def ready(self) -> bool:
        """A window may leave whatever else is on its way."""
        return self._windows.ready

    @property
    def waiting(self) -> int:
        """Messages that could leave now as far as they themselves are concerned."""
        return self._windows.count + sum(len(part.items) for part in self._next)

    @property
    def delayed(self) -> int:
        """Messages that wait for their time to be sent again."""
        return sum(len(part.items) for _, _, part in self._later)

    def again(self, part: Part, now: float) -> None:
        """To be sent again as soon as the lane may: before the younger ones of its window, not before other windows."""
        if part.apart:
            self._next.append(part)
            return
        for item in part.items:
            item.since = now
        if part.behind and part.items:
            self._windows.extend(part.key, part.items)
        else:
            self._windows.give_back(part.key, part.items)

    def later(self, part: Part, due: float) -> None:
        """To be sent again at `due` (monotonic seconds) or after."""
        self._sequence += 1
        heappush(self._later, (due, self._sequence, part))

    def untouched(self, part: Part) -> None:
        """Popped and not sent: put back where it stood."""
        if part.apart:
            self._next.appendleft(part)
        else:
            self._windows.give_back(part.key, part.items)

    def release(self, now: float) -> None:
        """What was due by now no longer waits for its time."""
        while self._later and self._later[0][0] <= now:
            self.again(heappop(self._later)[2], now)

    def choose(self, now: float, *, idle: bool, caught_up: bool, memory_full: bool) -> Window | Part | None:
        """What leaves next, still in its place; None when everything should wait. See `Windows.choose`.

        Parts are what remains of requests that left before: only high priority goes before them.
        """
        if self._next and not self._windows.urgent:
            for part in self._next:
                if self._windows.free(part.key.campaign):
                    self.why = "again"
                    return part
        choice = self._windows.choose(now, idle=idle, caught_up=caught_up, memory_full=memory_full)
        self.why = self._windows.why
        return choice

    def records(self, choice: Window | Part) -> int:
        """Messages of it that fit one request."""
        return min(len(choice.items), self._shapes[choice.key.operation].records)

    def pop(self, choice: Window | Part, limit: int, now: float) -> Part:
        """Take out what `choose` just answered; of a window at most `limit` messages."""
        if isinstance(choice, Part):
            self._next.remove(choice)  # the first, but for campaigns on hold
            return choice
        return Part(choice.key, self._windows.pop(choice, limit, now))

    def free_windows(self) -> Iterator[Window]:
        """Windows that may leave as far as their campaigns are concerned."""
        return (window for window in self._windows if self._windows.free(window.key.campaign))

    def free_parts(self) -> Iterator[Part]:
        """Parts to be sent next, likewise."""
        return (part for part in self._next if self._windows.free(part.key.campaign))

    def pick(self, source: Window | Part, indexes: Sequence[int]) -> Part:
        """Take out these messages of a window, or of a part, wherever they stand in it."""
        self.why = "probe"
        if isinstance(source, Window):
            return Part(source.key, self._windows.pick(source, indexes))
        if len(indexes) == len(source.items):
            self._next.remove(source)
            return source
        chosen = set(indexes)
        taken = [item for index, item in enumerate(source.items) if index in chosen]
        source.items = [item for index, item in enumerate(source.items) if index not in chosen]
        return Part(source.key, taken, None, source.split, source.alone, last=source.last)

    def next_change(self, *, caught_up: bool) -> float | None:
        """When `release` or `choose` may answer differently by the mere passing of time: monotonic seconds."""
        change = self._windows.next_change(caught_up=caught_up)
        if self._later and (change is None or self._later[0][0] < change):
            return self._later[0][0]
        return change

    def hold(self, campaign: str | None) -> None:
        """Let nothing of a campaign leave."""
        self._windows.hold(campaign)

    def unhold(self, campaign: str | None) -> None:
        """End a hold."""
        self._windows.release(campaign)

    @property
    def held(self) -> AbstractSet[str | None]:
        """Campaigns on hold, or set aside."""
        return self._windows.held | self._windows.aside if self._windows.aside else self._windows.held

    def set_aside(self, campaigns: AbstractSet[str | None]) -> None:
        """Let nothing of these campaigns leave; those set aside before may again."""
        self._windows.set_aside(campaigns)

    def remove(
        self, wanted: Callable[[WindowKey, Item], bool], *, sealed: bool = False, only_delayed: bool = False
    ) -> list[Item]:
        """Take out every message for which `wanted` holds. Costs a look at each message.

        Args:
            wanted: asked for each message.
            sealed: also of sealed requests, which otherwise stay whole: they are looked at when they are to leave.
            only_delayed: only of those that wait for their time to be sent again.
        """
        removed = [] if only_delayed else self._windows.remove(wanted)
        delayed = [part for _, _, part in self._later]
        for part in delayed if only_delayed else [*self._next, *delayed]:
            if part.sealed is None or sealed:
                wants = [wanted(part.key, item) for item in part.items]
                removed += compress(part.items, wants)
                if any(wants):
                    part.items = [item for item, gone in zip(part.items, wants, strict=True) if not gone]
                    part.sealed = None
        self._next = deque(part for part in self._next if part.items)
        self._later = [entry for entry in self._later if entry[2].items]
        heapify(self._later)
        return removed

    def clear(self) -> list[Item]:
        """Forget everything; all that was waiting."""
        items = self._windows.clear()
        for part in (*self._next, *(part for _, _, part in self._later)):
            items += part.items
        self._next.clear()
        self._later.clear()
        return items
