"""Everything that tells a lane to wait: the provider's hours, its breaker, its limits and the number of slots."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from enum import Enum, auto
from typing import NamedTuple

import structlog

from connector.clock import Clock
from connector.definition.tree import Definition
from connector.delivery.counts import LaneCounts
from connector.delivery.limits.account import Account, Accused
from connector.delivery.limits.adaptive_concurrency import AdaptiveConcurrency
from connector.delivery.limits.backoff import Backoff
from connector.delivery.limits.circuit_breaker import BreakerState
from connector.delivery.limits.failing_campaigns import FIRST_SECONDS as FIRST_ASIDE_SECONDS
from connector.delivery.limits.failing_campaigns import FailingCampaigns
from connector.delivery.limits.probing import Probing
from connector.delivery.limits.send_hours import SendHours
from connector.delivery.limits.unknown_replies import UnknownReplies
from connector.delivery.queue.attempt import Attempt, Part
from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.errors import Phase, RequestError
from connector.model import Outcome, Then

log = structlog.get_logger(__name__)

GRAVITY = {"pause": 5, "throttle": 4, "uncertain": 3, "unknown": 2, "retry": 1}
"""Outcomes that may say something about the account. Of several in a reply the gravest decides."""

SINGLE_SECONDS = 600.0
"""So long a rule's `pause` is not taken for the whole account's, after it was one message's alone."""

MAX_PAUSES_TO_ACCUSE = 3
"""Pauses in a row after which others' getting through says that the account is well again, not that it always was."""

SUSPECT_SECONDS = 2.0
"""So long a message that failed before by its own fault waits after its last failure: an outage shows within that."""

LONGEST_DOUBT_SECONDS = 30.0
"""So long any other waits for something to show whether its last failure was an outage's. The breaker's window."""

LINES, LINES_SECONDS = 6, 60.0
"""Pauses of one provider that are told, in so many seconds: one that fails and works by turns would fill the log."""


class Judgement(NamedTuple):
    """What a reply, or none, says about the provider, as far as it concerns the messages.

    Attributes:
        outage: it is the provider's failure: messages that have had all their requests are not given up for it.
        own: a `pause` is the messages' own fault, since others get through.
        doubt: it may be the first failure of an outage: whose last request it was, waits until that is known.
    """

    outage: bool = False
    own: bool = False
    doubt: bool = False


CLEAR = Judgement()


class Verdict(Enum):
    """Whose fault it was that messages failed in their last request."""

    UNDECIDED = auto()
    OWN = auto()
    OUTAGE = auto()


class FlowControl:
    """Answers "may a request leave now?" and learns from how requests end.

    Args:
        counts: are kept.
        sizes: per operation, messages its smallest request holds.

    Attributes:
        aside: campaigns that wait because their requests fail while others get through.
        probing: chooses what a probe carries.
        fraction: of what the group may do.
    """

    def __init__(
        self,
        definition: Definition,
        account: Account,
        *,
        clock: Clock,
        backoff: Backoff,
        counts: LaneCounts,
        sizes: Sequence[int],
    ) -> None:
        self._counts = counts
        self.account = account
        self.concurrency = AdaptiveConcurrency(definition.limits.concurrency)
        self.aside = FailingCampaigns()
        self.probing = Probing(definition.retry.attempts, sizes)
        self.fraction = 1.0
        self._unknowns = None if definition.unknown_run is None else UnknownReplies(definition.unknown_run)
        self._attempts = definition.retry.attempts
        self._maximum = definition.limits.concurrency
        self._schedule = SendHours(definition.hours) if definition.hours is not None else None
        self._name = definition.name
        self._clock = clock
        self._backoff = backoff
        self._throttled = 0  # rounds of requests in a row that were throttled
        self._throttled_at = float("-inf")
        self._told_at: deque[float] = deque(maxlen=LINES)
        self._told = False

    def share(self, fraction: float) -> None:
        """Take this part of what the group may do, at least one slot."""
        self.fraction = fraction
        self.account.limiter.share(fraction)
        self.concurrency.resize(max(1, round(self._maximum * fraction)))

    def delay(self, records: int, now: float) -> float:
        """Seconds until a request of `records` may leave; infinite while that depends on a probe."""
        self.account.breaker.look(now)
        delay = max(self.account.breaker.delay(now), self.account.limiter.delay(records, now))
        return max(delay, self.hours_delay())

    def hours_delay(self) -> float:
        """Seconds until the provider's hours begin; 0.0 within them."""
        if self._schedule is None:
            return 0.0
        wall = self._clock.wall()
        return self._schedule.opens_at(wall) - wall

    def largest(self, records: int, smallest: int) -> int:
        """How many of `records` the next request may carry: a probe is as small as the operation allows."""
        if self.account.breaker.state is not BreakerState.CLOSED:
            return min(records, smallest)
        largest = self.account.limiter.largest
        return records if largest is None else min(records, largest)

    def departed(self, records: int, now: float) -> bool:
        """A request leaves; True when it is the breaker's probe."""
        self.account.limiter.grant(records, now)
        if self.account.breaker.state is BreakerState.CLOSED:
            return False
        self.account.breaker.probe()
        return True

    def inconclusive(self, *, probe: bool) -> None:
        """A request ended without telling anything about the provider."""
        if probe:
            self.account.breaker.abandon()

    @property
    def breaker_lets_pass(self) -> bool:
        """The breaker is closed: it lets requests leave as they come."""
        return self.account.breaker.state is BreakerState.CLOSED

    @property
    def doubtful(self) -> bool:
        """Nothing shows that the provider works since requests in a row have failed: whose last request it would be
        waits until that is known.
        """
        return self.account.breaker.doubtful(self._attempts)

    def verdict(self, part: Part, now: float) -> Verdict:
        """Whether these messages, which have had all their requests, end or get one more since it was an outage.

        Where nothing shows it for long, somebody has to ask: the breaker opens.
        """
        breaker, suspects, last = self.account.breaker, self.account.suspects, part.last
        if last is None or breaker.opened_at >= last.at:
            return Verdict.OUTAGE
        if suspects.owned(last.at):
            return Verdict.OWN
        if not self.doubtful and suspects.are(part.items) and now - last.at >= SUSPECT_SECONDS:
            return Verdict.OWN
        if now - last.at >= LONGEST_DOUBT_SECONDS:
            before = breaker.state
            breaker.ask(now, last.reason)
            self._tell(before, part.key)
        return Verdict.UNDECIDED

    def failed(self, error: RequestError, attempt: Attempt) -> Judgement:
        """A request ended without a reply."""
        now = self._clock.monotonic()
        breaker = self.account.breaker
        before = breaker.state
        if error.phase is Phase.AUTH:
            breaker.pause(now, str(error), probe=attempt.probe)
        elif error.answered and self._unknowns is None:
            self._working(attempt, now)
        else:
            self._failing(attempt, str(error), now, unknown=error.answered)
        if error.answered:  # by something that is no reply at all
            self._note_unknown([Outcome("unknown")] * len(attempt.items), now, some=True)
        if error.timed_out and error.uncertain:
            self.concurrency.overloaded(attempt.started, now)
        self._tell(before, attempt.part.key)
        return Judgement(breaker.outage(attempt.started, self._attempts), doubt=True)

    def replied(self, status: int, outcomes: Sequence[Outcome], whole: Outcome | None, attempt: Attempt) -> Judgement:
        """A reply came: the outcomes of its messages, and `whole` where one stands for all.

        A provider that refuses messages one by one for now works: a few that it always refuses, alone in their
        requests at the end, would otherwise keep every other message behind a probe of one of them.
        """
        outcome = whole or outcomes[0]
        unknown = outcome.then == "unknown"  # of any message
        if whole is None and len(outcomes) > 1:
            thens = {each.then for each in outcomes}
            unknown = "unknown" in thens
            if len(thens) > 1:
                outcome = _decisive(outcomes, thens)
        now = self._clock.monotonic()
        breaker = self.account.breaker
        before = breaker.state
        if outcome.then == "throttle":
            if attempt.started >= self._throttled_at:  # of requests that were under way together, one counts
                self._throttled += 1
                self._throttled_at = now
            self.account.limiter.hold(now + self._backoff.delay(self._throttled, outcome.after))
        else:
            self._throttled = 0
        if outcome.then == "throttle" or status in {408, 504}:
            self.concurrency.overloaded(attempt.started, now)
        else:
            self.concurrency.replied(len(outcomes), now - attempt.started)
        own = failing = False
        if outcome.then == "pause":
            own = self._paused(outcome, status, attempt, now)
        elif failing := self._is_failure(outcome, whole):
            self._failing(attempt, f"{outcome.rule}: HTTP {status}", now, unknown=outcome.then == "unknown")
        else:
            self._working(attempt, now)
        self._note_unknown(outcomes, now, some=unknown)
        self._tell(before, attempt.part.key)
        if own or outcome.then != "accept":
            return Judgement(breaker.outage(attempt.started, self._attempts), own, own or failing)
        return CLEAR

    def _note_unknown(self, outcomes: Sequence[Outcome], now: float, *, some: bool) -> None:
        """Pause where too many messages have ended `unknown`; `some`: one of these has."""
        if self._unknowns is not None and (run := self._unknowns.note(outcomes, now, some=some)):
            self._unknowns.clear()
            self._counts.unknown_runs += self.account.breaker.state is BreakerState.CLOSED
            self.account.breaker.pause_again(now, run)

    def _is_failure(self, outcome: Outcome, whole: Outcome | None) -> bool:
        match outcome.then:
            case "uncertain":
                return True
            case "unknown":
                return self._unknowns is not None
            case "retry":
                return whole is not None
            case _:
                return False

    def broken(self, reason: str, key: WindowKey, items: Sequence[Item], *, probe: bool | None, judged: bool) -> bool:
        """Something of ours went wrong with these messages. True where that is their fault, since others get through.

        It is treated as if the provider had refused the account: nothing is sent for a while, then others first.
        `probe`: whether their request was one; None where there was none. `judged`: it is known to have got through,
        so that this shows nothing.
        """
        breaker, now = self.account.breaker, self._clock.monotonic()
        before = breaker.state
        self.probing.failed(key)
        single = items and not judged and now < self.account.single.get(reason, 0.0)
        if single and breaker.state is BreakerState.CLOSED:
            return True
        self._accuse(reason, items)
        if judged:
            breaker.pause_again(now, reason)
        else:
            breaker.pause(now, reason, probe=breaker.state is BreakerState.OPEN if probe is None else probe)
        self._tell(before, key)
        return False

    def probe_now(self) -> None:
        """Somebody says that it is worth asking: the next probe leaves at once."""
        self.account.breaker.probe_now()

    def _paused(self, outcome: Outcome, status: int, attempt: Attempt, now: float) -> bool:
        """A reply says that it concerns the account. True where it is the fault of these messages alone."""
        breaker = self.account.breaker
        reason = f"{outcome.rule}: HTTP {status}"  # no words of the provider: /status has no login
        rule = f"{self._name} {outcome.rule}"
        self.probing.failed(attempt.part.key)
        if now < self.account.single.get(rule, 0.0):
            self._failing(attempt, reason, now)
            return True
        self._accuse(rule, attempt.items)
        breaker.pause(now, reason, probe=attempt.probe, after=outcome.after)
        return False

    def _accuse(self, rule: str, items: Sequence[Item]) -> None:
        accused = self.account.accused
        if accused is None or accused.rule != rule:
            self.account.accused = Accused(rule, set(items))
        else:
            accused.items.update(items)

    def _failing(self, attempt: Attempt, reason: str, now: float, *, unknown: bool = False) -> None:
        account, campaign = self.account, attempt.part.key.campaign
        before = account.breaker.state
        if unknown:  # how many of those in a row are too many is for `unknown_run` to say
            reason += ", a reply that does not say what became of messages: they end unknown"
        shows = account.suspects.failed(attempt.items, now, started=attempt.started)
        if attempt.probe or shows:
            account.breaker.failure(
                now,
                reason,
                started=attempt.started,
                probe=attempt.probe,
                attempts=self._attempts,
                row=not unknown,
            )
        if unknown and before is BreakerState.CLOSED and account.breaker.state is BreakerState.OPEN:
            self._counts.unknown_runs += 1
        self.probing.failed(attempt.part.key)
        seconds = self.aside.failed(campaign, now, account.suspects.good)
        if seconds == FIRST_ASIDE_SECONDS and self._may_tell(now):
            log.warning(
                "campaign set aside: its requests fail while others get through",
                provider=self._name,
                campaign=campaign,
                reason=reason,
            )

    def _working(self, attempt: Attempt, now: float) -> None:
        """The provider has taken a request, or refused its messages for what they are."""
        account = self.account
        breaker = account.breaker
        times = breaker.times
        breaker.success(now, started=attempt.started, probe=attempt.probe)
        account.suspects.passed(attempt.started)
        if self.aside:
            self.aside.passed(attempt.part.key.campaign)
        if not attempt.probe or not times or breaker.state is not BreakerState.CLOSED:
            return
        accused, account.accused = account.accused, None
        if accused is None:
            self.concurrency.restart()
        elif times <= MAX_PAUSES_TO_ACCUSE and not accused.items <= set(attempt.items):
            account.single[accused.rule] = now + SINGLE_SECONDS
            account.suspects.accuse(accused.items.difference(attempt.items), attempt.started)

    def _may_tell(self, now: float) -> bool:
        """Whether one more line is not too many."""
        if len(self._told_at) == LINES and now - self._told_at[0] < LINES_SECONDS:
            return False
        self._told_at.append(now)
        return True

    def _tell(self, before: BreakerState, key: WindowKey) -> None:
        breaker = self.account.breaker
        if breaker.state is before:
            return
        now = self._clock.monotonic()
        about = {"provider": self._name, "account": self.account.name, "campaign": key.campaign}
        if breaker.state is BreakerState.OPEN and before is BreakerState.CLOSED:
            self._told = self._may_tell(now)
            if self._told:
                log.warning("provider paused", **about, reason=breaker.reason)
        elif breaker.state is BreakerState.OPEN and before is BreakerState.PROBING:
            log.info(
                "probe failed: provider stays paused",
                **about,
                reason=breaker.reason,
                next_probe=round(breaker.delay(now), 1),
            )
        elif breaker.state is BreakerState.CLOSED and self._told:
            log.info("provider works again", **about)


def _decisive(outcomes: Sequence[Outcome], thens: AbstractSet[Then]) -> Outcome:
    """What a reply with an outcome per message says about the account: one success shows that it works."""
    decisive = max(thens, key=lambda then: GRAVITY.get(then, 0))
    if decisive not in {"pause", "throttle"} and not thens <= GRAVITY.keys():
        decisive = next(then for then in thens if then not in GRAVITY)
    return next(outcome for outcome in outcomes if outcome.then == decisive)
