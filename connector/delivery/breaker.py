"""When to stop sending to a provider that does not work, and when to try again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
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
        delay, cap: first and longest time before a probe; doubled by each probe that fails.
    """

    window: float = 30.0
    requests: int = 5
    ratio: float = 0.5
    delay: float = 2.0
    cap: float = 120.0


class Breaker:
    """Opens on an outage (share of failed requests) or at once on what concerns the whole account (`pause`).

    Open, it lets nothing pass until its delay is over; then one small request, the probe. A reply that is neither
    failure nor pause closes it; anything else doubles the delay.

    Args:
        settings: thresholds.
        random: a number in [0, 1): workers do not probe in step.
    """

    def __init__(self, settings: BreakerSettings, random: Callable[[], float]) -> None:
        self._settings = settings
        self._random = random
        self._history: deque[tuple[float, bool]] = deque(maxlen=1000)  # (when, failed)
        self._failures = 0
        self._opened = 0  # times in a row
        self._until = 0.0
        self.state = State.CLOSED
        self.reason = ""

    def delay(self, now: float) -> float:
        """Seconds until a request may leave: 0.0 now (as the probe, unless closed), infinite while one is under way."""
        if self.state is State.CLOSED:
            return 0.0
        return float("inf") if self.state is State.PROBING else max(self._until - now, 0.0)

    def probe(self) -> None:
        """The request that leaves now is the probe."""
        assert self.state is State.OPEN
        self.state = State.PROBING

    def abandon(self) -> None:
        """The probe ended without telling anything (nothing could be sent, or it was cancelled)."""
        if self.state is State.PROBING:
            self.state = State.OPEN

    def success(self, now: float, *, probe: bool) -> None:
        """A request got a reply that shows the provider works."""
        if probe and self.state is State.PROBING:
            self.state, self.reason, self._opened = State.CLOSED, "", 0
            self._history.clear()
            self._failures = 0
        self._note(now, failed=False)

    def failure(self, now: float, reason: str, *, probe: bool) -> None:
        """A request failed as in an outage: no connection, time-out, 5xx."""
        if probe:
            self._open(now, reason)
        elif self.state is State.CLOSED:
            self._note(now, failed=True)
            requests = len(self._history)
            if requests >= self._settings.requests and self._failures >= requests * self._settings.ratio:
                self._open(now, reason)

    def pause(self, now: float, reason: str, *, probe: bool, after: float | None = None) -> None:
        """A reply concerns the whole account: credentials, credit, blocked. Opens at once, for `after` at least."""
        if probe or self.state is State.CLOSED:
            self._open(now, reason)
        if after is not None:
            self._until = max(self._until, now + after)

    def _open(self, now: float, reason: str) -> None:
        delay = min(self._settings.delay * 2.0 ** min(self._opened, 60), self._settings.cap)
        self._opened += 1
        self._until = now + delay * (0.75 + 0.5 * self._random())
        self.state, self.reason = State.OPEN, reason
        self._history.clear()
        self._failures = 0

    def _note(self, now: float, *, failed: bool) -> None:
        history = self._history
        if len(history) == history.maxlen:
            self._failures -= history.popleft()[1]
        history.append((now, failed))
        self._failures += failed
        while history[0][0] < now - self._settings.window:
            self._failures -= history.popleft()[1]
