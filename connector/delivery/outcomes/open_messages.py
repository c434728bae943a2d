"""The messages a lane answers for: from being filed until they are finished, parked or handed back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from connector.clock import Clock
from connector.delivery.counts import LaneCounts
from connector.delivery.lane_host import LaneHost
from connector.delivery.limits.throughput import Throughput
from connector.delivery.outcomes.decision import Decision
from connector.delivery.queue.backlog import Backlog
from connector.delivery.queue.expiry import Expiry
from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.errors import StreamError
from connector.model import Result


class OpenMessages:
    """Counts them, and carries out what becomes of them.

    Args:
        backlog: where they wait.
        expiry: is told of their deadlines.
        host: takes final results, and messages that have to wait for more than `park_after` seconds.
        counts: are kept.

    Attributes:
        count, bytes: messages, and the bytes of their events.
        pace: how fast they end.
    """

    def __init__(
        self,
        backlog: Backlog,
        expiry: Expiry,
        *,
        host: LaneHost,
        park_after: float,
        counts: LaneCounts,
        clock: Clock,
    ) -> None:
        self.count = 0
        self.bytes = 0
        self.pace = Throughput(clock.monotonic())
        self._backlog = backlog
        self._expiry = expiry
        self._host = host
        self._park_after = park_after
        self._counts = counts
        self._clock = clock

    def add(self, key: WindowKey, item: Item) -> None:
        """File one."""
        item.since = self._clock.monotonic()
        self._backlog.add(key, item)
        self._expiry.expect((item,))
        self.count += 1
        self.bytes += len(item.raw)

    def extend(self, windows: Mapping[WindowKey, Sequence[Item]]) -> None:
        """File several, by their windows."""
        now = self._clock.monotonic()
        for key, items in windows.items():
            for item in items:
                item.since = now
            self._backlog.extend(key, items)
            self._expiry.expect(items)
            self.count += len(items)
            self.bytes += sum([len(item.raw) for item in items])

    def carry_out(self, decision: Decision) -> None:
        """Final results go out at once, the rest back to where it waits, or out of the lane.

        Raises:
            StreamError: it could not be carried out: going on would leave messages that nobody answers for.
        """
        try:
            self._apply(decision)
        except StreamError:
            raise
        except Exception as error:
            raise StreamError("what was decided for messages could not be carried out") from error

    def _apply(self, decision: Decision) -> None:
        now = self._clock.monotonic()
        for part in decision.untouched:
            self._expiry.expect(part.items)
            self._backlog.untouched(part)
        for part in decision.again:
            self._expiry.expect(part.items)
            self._backlog.again(part, now)
        for delay, part in decision.later:
            self._expiry.expect(part.items)
            # A request to be repeated as it was cannot be had from its messages: it stays while that is of use.
            sealed = part.sealed is not None and now + delay < part.sealed.until
            long = delay > self._park_after and not sealed
            if long and self._host.park(part.items, self._clock.wall() + delay):
                self._counts.parked += len(part.items)
                self.pace.note(len(part.items), now)
                self._forget(part.items)
            else:
                self._backlog.later(part, now + delay)
        if decision.items:
            self._finish(decision.items, decision.results, now)
        if (uniform_results := decision.uniform_results) is not None:
            self._finish(uniform_results.items, uniform_results, now)

    def _finish(self, items: Sequence[Item], results: Sequence[Result], now: float) -> None:
        self._host.finish(items, results)
        self._counts.ended(results)
        self.pace.note(len(items), now)
        self._forget(items)

    def evict(self, wanted: Callable[[WindowKey, Item], bool], *, sealed: bool, only_delayed: bool) -> list[Item]:
        """Take out waiting messages. See `Backlog.remove`."""
        items = self._backlog.remove(wanted, sealed=sealed, only_delayed=only_delayed)
        self._forget(items)
        return items

    def clear(self) -> list[Item]:
        """Hand back everything that waits."""
        items = self._backlog.clear() + self._expiry.clear()
        self._counts.returned += len(items)
        self._forget(items)
        return items

    def _forget(self, items: Sequence[Item]) -> None:
        self.count -= len(items)
        self.bytes -= sum([len(item.raw) for item in items])
