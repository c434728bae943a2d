"""Open batches, and which of them leaves next. Windows are pulled by a free request slot, never pushed by a timer.

The order, and why:
 1. high priority, the longest waiting first;
 2. any window older than `wait_max`: "full first" alone starves a small campaign for ever;
 3. full ones, the longest waiting first: no campaign gets ahead of another;
 4. when the partitions are caught up, the one longest past its `wait`: nothing that could fill it is known to come;
 5. when memory is full, the fullest: nothing more can be read until something leaves;
 6. when the lane is idle, the oldest: `wait` is a bound, not a duty.
Nothing else leaves, so that windows fill exactly while the provider is the bottleneck.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace
from itertools import accumulate, compress, islice

from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey

RANKINGS = 5
MANY = 64  # messages from which on a deque is smaller, and quicker to take from, than a list

REQUEST_BYTES = 1 << 20
"""Bytes of the events that go into one request: decoding and rendering them is one piece of work for the loop."""

LONE_STREAK = 3
"""Windows of one message in a row after which a campaign no longer waits: two may be chance."""

LONE_CAMPAIGNS = 10_000
"""Campaigns remembered for that, so that memory is bounded: 2 MB."""


@dataclass(frozen=True, slots=True)
class WindowShape:
    """What an operation's windows have in common.

    Attributes:
        records: messages of a full window.
        wait: seconds a window may collect messages once its partitions are caught up.
    """

    records: int
    wait: float


def _within(items: Iterable[Item], number: int) -> int:
    """So many of the first `number` have REQUEST_BYTES together; the first one always."""
    sizes = [len(item.raw) for item in islice(items, number)]
    if sum(sizes) <= REQUEST_BYTES:
        return number
    return max(1, bisect_right(list(accumulate(sizes)), REQUEST_BYTES))


@dataclass(slots=True, eq=False)
class Window:
    """Messages that may share a request, in order of arrival.

    Attributes:
        sequence: windows of equal rank leave in the order they were opened.
        items: a list while they are few: an empty deque alone takes 600 bytes, and there may be a window per message.
        threshold: the next size at which a rank changes.
        marks: the rank of this window's live entry in each ranking, by the ranking's number.
    """

    key: WindowKey
    records: int
    wait: float
    sequence: int
    items: list[Item] | deque[Item] = field(default_factory=list)
    threshold: int = 1
    marks: list[float | None] = field(default_factory=lambda: [None] * RANKINGS)

    def __lt__(self, other: Window) -> bool:
        return self.sequence < other.sequence

    @property
    def since(self) -> float:
        """When its first message began to wait."""
        return self.items[0].since

    def pop(self, number: int) -> list[Item]:
        """Take out the first messages."""
        items = self.items
        if isinstance(items, deque):
            return [items.popleft() for _ in range(number)]
        taken = items[:number]
        del items[:number]
        return taken

    def expect_growth(self) -> None:
        """Set `threshold` by what there is now."""
        size = len(self.items)
        threshold = 1 << size.bit_length()
        self.threshold = min(threshold, self.records) if size < self.records else threshold

    def put_first(self, items: Sequence[Item]) -> None:
        """Put messages before the others, in their order."""
        if isinstance(self.items, deque):
            self.items.extendleft(reversed(items))
        else:
            self.items[:0] = items


class _Ranking:
    """Windows by rank, lowest first: a heap whose entries are corrected when they surface.

    A rank may grow unnoticed (a window's head is taken); `add` must be called when it may have shrunk.

    Args:
        stopped: campaigns whose windows have no rank; read again each time.
    """

    def __init__(self, number: int, rank: Callable[[Window], float | None], stopped: AbstractSet[str | None]) -> None:
        self._number = number
        self._rank = rank
        self._stopped = stopped
        self._heap: list[tuple[float, Window]] = []
        self._live = 0

    def add(self, window: Window) -> None:
        """Enter a window, or move it up."""
        rank = None if window.key.campaign in self._stopped else self._rank(window)
        mark = window.marks[self._number]
        if rank is None or (mark is not None and mark <= rank):
            return
        if mark is None:
            self._live += 1
        window.marks[self._number] = rank
        heappush(self._heap, (rank, window))
        if len(self._heap) > 2 * self._live + 64:  # superseded entries stay until they surface; not for ever
            self._heap = [entry for entry in self._heap if entry[1].marks[self._number] == entry[0]]
            heapify(self._heap)

    def forget(self, window: Window) -> None:
        """The window has gone; its entry is dropped when it surfaces."""
        if window.marks[self._number] is not None:
            window.marks[self._number] = None
            self._live -= 1

    def first(self) -> Window | None:
        """The window of lowest rank."""
        heap = self._heap
        while heap:
            entered, window = heap[0]
            if window.marks[self._number] != entered:
                heappop(heap)
                continue
            rank = None if window.key.campaign in self._stopped else self._rank(window)
            if rank is None:
                heappop(heap)
                self.forget(window)
            elif rank > entered:
                window.marks[self._number] = rank
                heapreplace(heap, (rank, window))
            else:
                return window
        return None


def _since(window: Window) -> float:
    return window.items[0].since


class Windows:
    """All open windows of a lane.

    Args:
        shapes: per operation.
        wait_max: seconds after which a window goes before full ones.

    Attributes:
        why: which rule the last choice followed: priority, wait_max, full, wait, memory or idle.
        held: campaigns whose windows do not leave.
        aside: those that do not for a while, because their requests fail.
    """

    def __init__(self, shapes: Sequence[WindowShape], wait_max: float) -> None:
        self.why = ""
        self._shapes = shapes
        self._wait_max = wait_max
        self._windows: dict[WindowKey, Window] = {}
        self._sequence = 0
        self.held: set[str | None] = set()
        self.aside: AbstractSet[str | None] = frozenset()
        self._stopped: set[str | None] = set()  # held or set aside
        stopped = self._stopped
        self._high = _Ranking(0, _since, stopped)
        self._oldest = _Ranking(1, _since, stopped)
        self._normal: tuple[_Ranking, ...] = (self._oldest,)
        if all(shape.records == 1 for shape in shapes):
            # Each window is full as soon as it is open: no rule after "full" is ever reached.
            self._full = self._ripe = self._fullest = self._oldest
        else:
            self._full = _Ranking(2, lambda it: it.items[0].since if len(it.items) >= it.records else None, stopped)
            self._ripe = _Ranking(3, lambda it: it.items[0].since + it.wait, stopped)
            # By powers of two, so that a growing window is entered log2(records) times and not once per message.
            self._fullest = _Ranking(4, lambda it: -len(it.items).bit_length(), stopped)
            self._normal += (self._full, self._ripe, self._fullest)
        self._rankings = (self._high, *self._normal)
        self._lone: OrderedDict[tuple[int, str | None], tuple[int, WindowKey, float]] = OrderedDict()
        self.count = 0

    def __len__(self) -> int:
        """Open windows."""
        return len(self._windows)

    def __iter__(self) -> Iterator[Window]:
        return iter(self._windows.values())

    @property
    def oldest(self) -> float | None:
        """When the first of the messages that may leave began to wait; None where there are none."""
        found = [window.since for window in (self._high.first(), self._oldest.first()) if window is not None]
        return min(found, default=None)

    @property
    def urgent(self) -> bool:
        """A message of high priority is waiting."""
        return self._high.first() is not None

    @property
    def full(self) -> bool:
        """A full window may leave: `choose` has an answer, whatever else is on its way."""
        return self._full.first() is not None

    @property
    def ready(self) -> bool:
        """`choose` may have an answer, whatever else is on its way: a full window, an urgent message or a lone one."""
        return self.full or self.urgent or self.count == 1

    def add(self, key: WindowKey, item: Item) -> None:
        """File a message; `item.since` is set."""
        self.extend(key, (item,))

    def extend(self, key: WindowKey, items: Sequence[Item]) -> None:
        """File messages of one window, at least one. They rest there until `Departures._next` pops them."""
        window = self._windows.get(key)
        if window is None:
            window = self._open(key, items[0].since)
        window.items.extend(items)
        self.count += len(items)
        if len(window.items) >= window.threshold:
            self._grown(window)

    def give_back(self, key: WindowKey, items: Sequence[Item]) -> None:
        """Put messages before all others of their window, in their order."""
        if not items:
            return
        window = self._windows.get(key)
        if window is None:
            window = self._open(key, items[0].since)
        window.put_first(items)
        self.count += len(items)
        self._grown(window)

    def choose(self, now: float, *, idle: bool, caught_up: bool, memory_full: bool) -> Window | None:
        """The window that leaves next, or None when all of them should go on filling.

        Args:
            now: monotonic seconds.
            idle: no request of the lane is under way.
            caught_up: no event is waiting in the partitions that feed the lane.
            memory_full: no further event can be read.
        """
        urgent = self._high.first()
        oldest = self._oldest.first()
        if urgent is not None or oldest is None:
            return self._chosen(urgent, "priority")
        if now >= oldest.since + self._wait_max:  # exactly as in next_change: rounding must not make a lane spin
            return self._chosen(oldest, "wait_max")
        full = self._full.first()
        if full is not None:
            return self._chosen(full, "full")
        ripe = self._ripe.first() if caught_up else None
        if ripe is not None and now >= ripe.since + ripe.wait:
            return self._chosen(ripe, "wait")
        if memory_full:
            return self._chosen(self._fullest.first(), "memory")
        return self._chosen(oldest, "idle") if idle and (caught_up or self.count == 1) else None

    def _chosen(self, window: Window | None, why: str) -> Window | None:
        self.why = why
        return window

    def next_change(self, *, caught_up: bool) -> float | None:
        """When `choose` may answer differently by the mere passing of time: monotonic seconds."""
        oldest = self._oldest.first()
        if oldest is None:
            return None
        due = oldest.since + self._wait_max
        ripe = self._ripe.first() if caught_up else None
        return due if ripe is None else min(due, ripe.since + ripe.wait)

    def pop(self, window: Window, limit: int, now: float) -> list[Item]:
        """Take out the first messages of a window: at most `limit`, a full request and REQUEST_BYTES of them."""
        items = window.items
        self._note_size(window, now)
        number = min(len(items), window.records, limit)
        if number > 1:
            number = _within(items, number)
        taken = window.pop(number)
        self.count -= number
        if not items:
            self._close(window)
        elif items[0].since < taken[0].since:  # one that was given back may have stood before older ones
            self._grown(window)
        else:  # every rank has grown, which is seen when the window surfaces
            window.expect_growth()
        return taken

    def remove(self, wanted: Callable[[WindowKey, Item], bool]) -> list[Item]:
        """Take out every message for which `wanted` holds, wherever it stands. Costs a look at each message."""
        removed: list[Item] = []
        for window in list(self._windows.values()):
            wants = [wanted(window.key, item) for item in window.items]
            if not any(wants):
                continue
            removed += compress(window.items, wants)
            window.items = [item for item, gone in zip(window.items, wants, strict=True) if not gone]
            self.count -= sum(wants)
            if window.items:
                self._grown(window)
            else:
                self._close(window)
        return removed

    def hold(self, campaign: str | None) -> None:
        """Let no window of a campaign leave; they go on filling."""
        self.held.add(campaign)
        self._stopped.add(campaign)

    def release(self, campaign: str | None) -> None:
        """End a hold."""
        self.held.discard(campaign)
        if campaign not in self.aside:
            self._stopped.discard(campaign)
        for window in self._windows.values():
            if window.key.campaign == campaign:
                self._grown(window)

    def free(self, campaign: str | None) -> bool:
        """Whether a campaign's windows may leave."""
        return campaign not in self._stopped

    def set_aside(self, campaigns: AbstractSet[str | None]) -> None:
        """Let no window of these campaigns leave; those set aside before may again."""
        back = self.aside - campaigns
        self.aside = frozenset(campaigns)
        self._stopped.clear()
        self._stopped.update(self.held, campaigns)
        if back:
            for window in self._windows.values():
                if window.key.campaign in back:
                    self._grown(window)

    def pick(self, window: Window, indexes: Sequence[int]) -> list[Item]:
        """Take out messages of a window by their places in it."""
        chosen = set(indexes)
        taken = [window.items[index] for index in indexes]
        window.items = [item for index, item in enumerate(window.items) if index not in chosen]
        self.count -= len(taken)
        if window.items:
            self._grown(window)
        else:
            self._close(window)
        return taken

    def clear(self) -> list[Item]:
        """Forget everything; what was waiting, window by window."""
        items = [item for window in self._windows.values() for item in window.items]
        for window in list(self._windows.values()):
            self._close(window)
        self.count = 0
        return items

    def _open(self, key: WindowKey, now: float) -> Window:
        shape = self._shapes[key.operation]
        wait = min(shape.wait, self._wait_max)
        if key.stream in self._lone:
            streak, last, closed = self._lone[key.stream]
            if last == key and now - closed < wait:  # these two would have met: waiting pays again
                del self._lone[key.stream]
            elif streak >= LONE_STREAK:
                wait = 0.0
        self._sequence += 1
        window = self._windows[key] = Window(key, shape.records, wait, self._sequence)
        return window

    def _close(self, window: Window) -> None:
        del self._windows[window.key]
        for ranking in self._of(window):
            ranking.forget(window)

    def _of(self, window: Window) -> tuple[_Ranking, ...]:
        """The rankings a window may stand in."""
        return self._rankings[:1] if window.key.high else self._normal

    def _grown(self, window: Window) -> None:
        """The window's size or head has changed for the better: enter it where it now belongs."""
        if len(window.items) >= MANY and isinstance(window.items, list):
            window.items = deque(window.items)
        window.expect_growth()
        for ranking in self._of(window):
            ranking.add(window)

    def _note_size(self, window: Window, now: float) -> None:
        """Remember campaigns whose windows close with a single message."""
        if window.records == 1:
            return
        campaign = window.key.stream
        if len(window.items) > 1:
            self._lone.pop(campaign, None)
            return
        streak = self._lone[campaign][0] if campaign in self._lone else 0
        self._lone[campaign] = (streak + 1, window.key, now)
        self._lone.move_to_end(campaign)
        if len(self._lone) > LONE_CAMPAIGNS:
            self._lone.popitem(last=False)
