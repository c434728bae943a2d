"""When to stop sending to a provider that does not work, and when to try again."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

CERTAIN = 4
"""Times as many failures in a row as may be chance are none, however quickly they come."""


class BreakerState(StrEnum):
    CLOSED = "closed"  # works
    OPEN = "open"  # nothing is sent
    PROBING = "probing"  # one small request is under way


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a breaker opens, and for how long. Times in seconds.

    Attributes:
        window: failures older than this are forgotten.
        requests: fewer requests in the window decide nothing: two failures at night are no outage.
        ratio: share of failures in the window that opens it.
        in_a_row, row_seconds: so many failures in a row open it as well, whatever the window holds, once they have gone
            on for so long or are four times as many: after good traffic the window takes half its length to notice an
            outage, and at hundreds of requests a second five failures in a row are chance.
        delay, cap: first and longest time before a probe; doubled by each probe that fails.
    """

    window: float = 30.0
    requests: int = 5
    ratio: float = 0.5
    in_a_row: int = 5
    row_seconds: float = 1.0
    delay: float = 2.0
    cap: float = 120.0


class CircuitBreaker:
    """Opens on an outage (share of failed requests, or many in a row) or at once on what concerns the whole account.

    Open, it lets nothing pass until its delay is over; then one small request, the probe. A reply that is neither
    failure nor pause closes it; anything else doubles the delay.

    Args:
        settings: thresholds.
        random: a number in [0, 1): workers do not probe in step.

    Attributes:
        state, reason: whether it lets pass, and why not.
        times: how often in a row it has opened: once, and for each probe that failed.
        opened_at: when it last did, or a probe failed.
        since: when it began to let pass, or to let nothing pass; -inf for as long as it has always let pass.
    """

    def __init__(self, settings: BreakerSettings, random: Callable[[], float]) -> None:
        self._settings = settings
        self._random = random
        self._history: deque[tuple[float, bool]] = deque(maxlen=1000)  # (when, failed)
        self._failures = 0
        self._row = 0  # failures in a row, as replies came
        self._row_since = math.inf  # when the first of their requests was begun
        self._row_needed = settings.in_a_row
        self._row_reason = ""
        self._doubts = 0  # failures since the last request that began after the first of them and got through
        self._doubts_since = math.inf
        self._repeats = 0  # times it opened again soon after a probe had closed it
        self.opened_at = self.since = -math.inf
        self._resort_at = -math.inf  # when a message may be the probe that has no further request to lose
        self._closed_at = -math.inf
        self._until = 0.0
        self.times = 0
        self.state = BreakerState.CLOSED
        self.reason = ""

    def delay(self, now: float) -> float:
        """Seconds until a request may leave: 0.0 now (as the probe, unless closed), infinite while one is under way."""
        if self.state is BreakerState.CLOSED:
            return 0.0
        return math.inf if self.state is BreakerState.PROBING else max(self._until - now, 0.0)

    def last_resort(self, now: float) -> float:
        """Seconds until a message may be the probe that has no further request to lose."""
        return max(self.delay(now), self._resort_at - now)

    def in_a_row(self, attempts: int) -> int:
        """Failures in a row that are an outage to messages of so many attempts: none may use them up before it is."""
        return max(2, min(self._settings.in_a_row, attempts))

    def doubtful(self, attempts: int) -> bool:
        """Whether nothing shows that the provider works since so many requests in a row have failed.

        What had begun before the first of them shows nothing: a slow provider answers it while the outage has begun.
        """
        return self._doubts >= self.in_a_row(attempts)

    def outage(self, started: float, attempts: int) -> bool:
        """Whether the failure of a request begun at `started` is the provider's, as far as is known by now."""
        return self.over(started) or self.doubtful(attempts)

    def over(self, started: float) -> bool:
        """Whether the failure of a request begun at `started` is of an outage that is known, or over."""
        return self.state is not BreakerState.CLOSED or started < self._closed_at

    @property
    def enough(self) -> int:
        """Failures in a row that are an outage, whatever the attempts."""
        return self._settings.in_a_row

    def look(self, now: float) -> None:
        """Open, where failures in a row have gone on for long enough and no reply comes that would tell.

        None comes where all who wait would send their last request: they wait until it is known, so somebody must ask.
        """
        old = self._doubts >= self._row_needed and now - self._doubts_since >= self._settings.window
        if self.state is BreakerState.CLOSED and (old or self._row_is_outage(now)):
            self._open(now, self._row_reason)

    def ask(self, now: float, reason: str) -> None:
        """Open: a message waits to hear whether its failure was an outage's, and nothing comes that would tell."""
        if self.state is BreakerState.CLOSED:
            self._open(now, reason)

    def probe(self) -> None:
        """The request that leaves now is the probe."""
        assert self.state is BreakerState.OPEN
        self.state = BreakerState.PROBING

    def probe_now(self) -> None:
        """Somebody says that it is worth asking: what is open lets a probe pass at once."""
        self._until = self._resort_at = -math.inf

    def abandon(self) -> None:
        """The probe ended without telling anything (nothing could be sent, or it was cancelled)."""
        if self.state is BreakerState.PROBING:
            self.state = BreakerState.OPEN

    def success(self, now: float, *, started: float, probe: bool) -> None:
        """A request begun at `started` got a reply that shows the provider works."""
        if probe and self.state is BreakerState.PROBING:
            self.state, self.reason, self.times = BreakerState.CLOSED, "", 0
            self._closed_at = self.since = now
            self._clear()
        if started >= self._doubts_since:
            self._doubts, self._doubts_since = 0, math.inf
        self._row, self._row_since = 0, math.inf
        self._note(now, failed=False)

    def failure(
        self, now: float, reason: str, *, started: float, probe: bool, attempts: int = 100, row: bool = True
    ) -> None:
        """A request failed as in an outage: no connection, time-out, 5xx.

        `attempts`: its messages have so many. `row`: whether it counts among failures in a row.
        """
        if probe:
            self._open(now, reason)
            return
        if self.over(started):
            return
        self._note(now, failed=True)
        if row:
            self._doubts, self._doubts_since = self._doubts + 1, min(self._doubts_since, now)
            self._row, self._row_since = self._row + 1, min(self._row_since, started)
            self._row_needed, self._row_reason = self.in_a_row(attempts), reason
        requests = len(self._history)
        share = requests >= self._settings.requests and self._failures >= requests * self._settings.ratio
        if share or self._row_is_outage(now):
            self._open(now, reason)

    def pause(self, now: float, reason: str, *, probe: bool, after: float | None = None) -> None:
        """A reply concerns the whole account: credentials, credit, blocked. Opens at once, for `after` at least."""
        if probe or self.state is BreakerState.CLOSED:
            self._open(now, reason)
        if after is not None:
            self._until = max(self._until, now + after)

    def pause_again(self, now: float, reason: str) -> None:
        """What a probe cannot show: each time it comes again soon after one, the delay is doubled all the same."""
        if self.state is BreakerState.CLOSED:
            soon = now - self._closed_at < self._settings.cap
            self._repeats = self._repeats + 1 if soon else 0
            self.times = self._repeats
            self._open(now, reason)

    def _row_is_outage(self, now: float) -> bool:
        long = now - self._row_since >= self._settings.row_seconds or self._row >= CERTAIN * self._row_needed
        return self._row >= self._row_needed and long

    def _open(self, now: float, reason: str) -> None:
        delay = min(self._settings.delay * 2.0 ** min(self.times, 60), self._settings.cap)
        self.times += 1
        self.opened_at = now
        if self.state is BreakerState.CLOSED:
            self.since = now
        self._resort_at = now + self._settings.cap
        self._until = now + delay * (0.75 + 0.5 * self._random())
        self.state, self.reason = BreakerState.OPEN, reason
        self._clear()

    def _clear(self) -> None:
        self._history.clear()
        self._failures = self._row = self._doubts = 0
        self._row_since = self._doubts_since = math.inf

    def _note(self, now: float, *, failed: bool) -> None:
        history = self._history
        if len(history) == history.maxlen:
            self._failures -= history.popleft()[1]
        history.append((now, failed))
        self._failures += failed
        while history[0][0] < now - self._settings.window:
            self._failures -= history.popleft()[1]
