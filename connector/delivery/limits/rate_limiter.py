"""Rate limits: how many requests and records may leave, and when the next ones may."""

from __future__ import annotations

from collections import deque

from connector.definition.tree import Limits, Rate

GRAINS = 64
"""Parts of a window in which grants are counted together: bounds memory, costs 1/64 of the rate."""


class Meter:
    """At most `amount` in any window of `seconds`, whatever the sizes of the grants.

    A token bucket of the same rate lets twice the amount pass in one window (a full bucket and what flows in
    meanwhile); providers that count exactly would answer 429. So grants are remembered, a grain of time at a time,
    until they leave the window. It starts *empty*: as if the process before had sent evenly at the full rate till now.
    """

    def __init__(self, rate: Rate, now: float) -> None:
        self.amount = float(rate.amount)
        self._seconds = rate.seconds
        self._grain = rate.seconds / GRAINS
        # (end of the grain, granted in it), oldest first
        self._grants = deque((now - rate.seconds + self._grain * (i + 1), self.amount / GRAINS) for i in range(GRAINS))
        self._used = self.amount

    def delay(self, number: int, now: float) -> float:
        """Seconds until `number` may leave; 0.0 when they may now. More than `amount` waits for an empty window."""
        self._expire(now)
        needed = self._used + min(number, self.amount) - self.amount
        if needed <= 1e-9:
            return 0.0
        for end, granted in self._grants:
            needed -= granted
            if needed <= 1e-9:
                return max(end + self._seconds - now, 0.0)
        return self._seconds

    def grant(self, number: int, now: float) -> None:
        """They leave now."""
        self._expire(now)
        self._used += number
        if self._grants and now < self._grants[-1][0]:
            end, granted = self._grants[-1]
            self._grants[-1] = (end, granted + number)
        else:
            self._grants.append((now + self._grain, float(number)))

    def resize(self, amount: float) -> None:
        """Another amount from now on; what has been granted stays granted."""
        self.amount = amount

    def _expire(self, now: float) -> None:
        grants = self._grants
        while grants and grants[0][0] + self._seconds <= now:
            self._used -= grants.popleft()[1]
        if not grants:
            self._used = 0.0  # no rounding error outlives an empty window


class RateLimiter:
    """The limits of one account on requests and records, and holds such as Retry-After.

    Args:
        limits: for the whole group of workers.
        now: monotonic seconds.
    """

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._requests = [Meter(rate, now) for rate in limits.requests]
        self._records = [Meter(rate, now) for rate in limits.records]
        self._held_until = 0.0

    def share(self, fraction: float) -> None:
        """Take this part of the group's limits; at least one request and one record per window."""
        for meters, rates in ((self._requests, self._limits.requests), (self._records, self._limits.records)):
            for meter, rate in zip(meters, rates, strict=True):
                meter.resize(max(1.0, rate.amount * fraction))

    @property
    def largest(self) -> int | None:
        """Records one request may carry at most so that it can ever leave; None without a limit."""
        return min((int(meter.amount) for meter in self._records), default=None)

    def delay(self, records: int, now: float) -> float:
        """Seconds until one request of `records` may leave; 0.0 when it may now."""
        delay = max(self._held_until - now, 0.0)
        for meter in self._requests:
            delay = max(delay, meter.delay(1, now))
        for meter in self._records:
            delay = max(delay, meter.delay(records, now))
        return delay

    def grant(self, records: int, now: float) -> None:
        """A request of `records` leaves now."""
        for meter in self._requests:
            meter.grant(1, now)
        for meter in self._records:
            meter.grant(records, now)

    def hold(self, until: float) -> None:
        """Nothing leaves before `until` (monotonic seconds); an earlier hold that lasts longer stays."""
        self._held_until = max(self._held_until, until)

    def held(self, now: float) -> float:
        """Seconds left of the longest hold."""
        return max(self._held_until - now, 0.0)
