"""Everything that tells a lane to wait: the provider's hours, its breaker, its limits and the number of slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from connector.clock import Clock
from connector.definition.tree import Definition
from connector.delivery.breaker import Breaker, BreakerSettings, State
from connector.delivery.concurrency import Concurrency
from connector.delivery.hours import Schedule
from connector.delivery.limiter import Limiter
from connector.delivery.retry import Backoff
from connector.errors import Phase, RequestError
from connector.model import Outcome

log = structlog.get_logger(__name__)

GRAVITY = {"pause": 5, "throttle": 4, "uncertain": 3, "unknown": 2, "retry": 1}
"""Outcomes that may say something about the account. Of several in a reply the gravest decides."""


class Account:
    """What definitions of one `account` share: limits and breaker.

    Args:
        definition: whose limits apply.
        settings: of the breaker.
        now: monotonic seconds.
        random: a number in [0, 1).
    """

    def __init__(
        self, definition: Definition, settings: BreakerSettings, now: float, random: Callable[[], float]
    ) -> None:
        self.name = definition.account or definition.name
        self.limiter = Limiter(definition.limits, now)
        self.breaker = Breaker(settings, random)


class Gate:
    """Answers "may a request leave now?" and learns from how requests end."""

    def __init__(
        self,
        definition: Definition,
        account: Account,
        *,
        clock: Clock,
        backoff: Backoff,
    ) -> None:
        self.account = account
        self.concurrency = Concurrency(definition.limits.concurrency)
        self._maximum = definition.limits.concurrency
        self._schedule = Schedule(definition.hours) if definition.hours is not None else None
        self._name = definition.name
        self._clock = clock
        self._backoff = backoff
        self._throttled = 0  # rounds of requests in a row that were throttled
        self._throttled_at = float("-inf")

    def share(self, fraction: float) -> None:
        """Take this part of what the group may do, at least one slot."""
        self.account.limiter.share(fraction)
        self.concurrency.resize(max(1, round(self._maximum * fraction)))

    def delay(self, records: int, now: float) -> float:
        """Seconds until a request of `records` may leave; infinite while that depends on a probe."""
        delay = max(self.account.breaker.delay(now), self.account.limiter.delay(records, now))
        return max(delay, self.closed())

    def closed(self) -> float:
        """Seconds until the provider's hours begin; 0.0 within them."""
        if self._schedule is None:
            return 0.0
        wall = self._clock.wall()
        return self._schedule.opens_at(wall) - wall

    def largest(self, records: int, smallest: int) -> int:
        """How many of `records` the next request may carry: a probe is as small as the operation allows."""
        if self.account.breaker.state is not State.CLOSED:
            return min(records, smallest)
        largest = self.account.limiter.largest
        return records if largest is None else min(records, largest)

    def departed(self, records: int, now: float) -> bool:
        """A request leaves; True when it is the breaker's probe."""
        self.account.limiter.grant(records, now)
        if self.account.breaker.state is State.CLOSED:
            return False
        self.account.breaker.probe()
        return True

    def vanished(self, *, probe: bool) -> None:
        """A request ended without telling anything about the provider."""
        if probe:
            self.account.breaker.abandon()

    def failed(self, error: RequestError, *, started: float, probe: bool) -> None:
        """A request ended without a reply."""
        now = self._clock.monotonic()
        before = self.account.breaker.state
        if error.phase is Phase.AUTH:
            self.account.breaker.pause(now, str(error), probe=probe)
        else:
            self.account.breaker.failure(now, str(error), probe=probe)
        if error.timed_out and error.uncertain:
            self.concurrency.overloaded(started, now)
        self._tell(before)

    def replied(
        self, status: int, outcomes: Sequence[Outcome], whole: Outcome | None, *, started: float, probe: bool
    ) -> None:
        """A reply came: the outcomes of its messages, and `whole` where one stands for all.

        A provider that refuses messages one by one for now works: a few that it always refuses, alone in their
        requests at the end, would otherwise keep every other message behind a probe of one of them.
        """
        outcome = whole or _decisive(outcomes)
        now = self._clock.monotonic()
        breaker = self.account.breaker
        before = breaker.state
        if outcome.then == "throttle":
            if started >= self._throttled_at:  # of requests that were under way together, one counts
                self._throttled += 1
                self._throttled_at = now
            self.account.limiter.hold(now + self._backoff.delay(self._throttled, outcome.after))
        else:
            self._throttled = 0
        if outcome.then == "throttle" or status in {408, 504}:
            self.concurrency.overloaded(started, now)
        else:
            self.concurrency.replied(len(outcomes), now - started)
        if outcome.then == "pause":
            # The rule and the status, no words of the provider: /status has no login.
            breaker.pause(now, f"{outcome.rule}: HTTP {status}", probe=probe, after=outcome.after)
        elif outcome.then in {"uncertain", "unknown"} or (outcome.then == "retry" and whole is not None):
            breaker.failure(now, f"{outcome.rule}: HTTP {status}", probe=probe)
        else:
            breaker.success(now, probe=probe)
        self._tell(before)

    def _tell(self, before: State) -> None:
        breaker = self.account.breaker
        if breaker.state is before:
            return
        if breaker.state is State.OPEN and before is State.CLOSED:
            log.warning("provider paused", provider=self._name, account=self.account.name, reason=breaker.reason)
        elif breaker.state is State.CLOSED:
            log.info("provider works again", provider=self._name, account=self.account.name)


def _decisive(outcomes: Sequence[Outcome]) -> Outcome:
    """What a reply with an outcome per message says about the account: one success shows that it works."""
    thens = {outcome.then for outcome in outcomes}
    decisive = max(thens, key=lambda then: GRAVITY.get(then, 0))
    if decisive not in {"pause", "throttle"} and not thens <= GRAVITY.keys():
        decisive = next(then for then in thens if then not in GRAVITY)
    return next(outcome for outcome in outcomes if outcome.then == decisive)
