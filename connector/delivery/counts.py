"""What a lane has done, as plain numbers: metrics read them when they are asked for.

Counted once per request, never per message: a metric library's calls would cost more than sending does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar, get_args

from connector.delivery.uniform_results import UniformResults
from connector.errors import Phase, RequestError
from connector.model import Outcome, Result, Status, Then

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds for anything a provider or a broker takes: from a neighbour's milliseconds to the longest time-out."""

RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Bounds for messages per request: a batch has at most 1,000."""

NO_REPLY = "none"
"""Instead of a status class, where no reply came."""

REPLIES = ("1xx", "2xx", "3xx", "4xx", "5xx", NO_REPLY)

FINAL = frozenset({"accept", "reject", "unknown"})

AGAIN = (*(then for then in get_args(Then) if then not in FINAL), *Phase)
"""Why messages wait for another request: what a reply said of them, or how far a request came without one."""

PRIORITY = "priority"
CLOSED = (PRIORITY, "wait_max", "full", "wait", "memory", "idle", "again")
"""Why a window became a request."""

MOST_RULES, OTHER_RULES = 500, "others"

T = TypeVar("T")


class Histogram:
    """Counts by upper bound, as Prometheus wants them, and their sum.

    Attributes:
        bounds: upper bounds, ascending; a last one without bound is implied.
        counts: one more than bounds; not cumulative.
        total: sum of what was added.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class LaneCounts:
    """Totals since the lane was made. Every label there can be is there from then on, at 0.

    A series that begins at 1 is invisible to `increase()`: the first failure would never be seen.

    Attributes:
        finished: messages by the status of their result.
        parked: messages given to a retry topic because their time is far.
        returned: messages given back at the end of an epoch, to be read or retried by the next owner.
        requests: seconds until the reply, by status class (`2xx`), or `none` where no reply came.
        fill: messages per request.
        closed: windows that became requests, by why they were chosen.
        age: seconds the oldest message of such a window had waited.
        urgent: likewise, of windows of high priority alone.
        again: messages whose request did not end them, by what happened: an outcome (`retry`, `throttle`, …) or how far
            the request came (`connect`, `dns`, …).
        custom_message_ids: messages whose `custom.MessageID` was sent in place of their `message_id`.
        held: seconds in which messages could have left but for limits, breaker or hours.
        errors: times something of ours went wrong with a request.
        unknown_runs: times the provider was paused because replies do not say what became of messages.
        rules: messages by the rule that decided what a reply means for them.
    """

    def __init__(self) -> None:
        self.finished = zeros(status.value for status in Status)
        self.parked = 0
        self.returned = 0
        self.requests = {group: Histogram() for group in REPLIES}
        self.fill = Histogram(RECORDS)
        self.closed = zeros(CLOSED)
        self.age = Histogram()
        self.urgent = Histogram()
        self.again = zeros(map(str, AGAIN))
        self.custom_message_ids = 0
        self.held = 0.0
        self.errors = 0
        self.unknown_runs = 0
        self.rules: dict[str, int] = {}
        self._held_since: float | None = None

    def departed(self, why: str, age: float, now: float) -> None:
        """What was chosen leaves its window; it had waited for `age` seconds."""
        self.closed[why] += 1
        self.age.add(age)
        if why == PRIORITY:
            self.urgent.add(age)
        self.flow(now)

    def hold(self, now: float) -> None:
        """Something could leave, and may not."""
        if self._held_since is None:
            self._held_since = now

    def flow(self, now: float) -> None:
        """It may again, or there is nothing any more."""
        if self._held_since is not None:
            self.held += now - self._held_since
            self._held_since = None

    def held_by(self, now: float) -> float:
        """`held`, with what is being held at this moment."""
        return self.held + (0.0 if self._held_since is None else now - self._held_since)

    def replied(self, status: int, seconds: float, outcomes: Sequence[Outcome]) -> None:
        """A reply came."""
        self._request(f"{status // 100}xx", seconds, len(outcomes))
        if not outcomes:
            return
        first, number = outcomes[0], len(outcomes)
        # Nearly always one object stands for all, or there is one message: told by identity, at C speed.
        if number == 1 or (outcomes[-1] is first and outcomes.count(first) == number):
            self._decided(first.rule, number)
            if first.then not in FINAL:
                self.again[first.then] += number
            return
        for rule, number in tally([outcome.rule for outcome in outcomes]):
            self._decided(rule, number)
        for then, number in tally([outcome.then for outcome in outcomes]):
            if then not in FINAL:
                self.again[then] += number

    def failed(self, error: RequestError, seconds: float, messages: int) -> None:
        """No usable reply came."""
        self._request(NO_REPLY, seconds, messages)
        self.again["uncertain" if error.uncertain else error.phase.value] += messages

    def ended(self, results: Sequence[Result]) -> None:
        """These messages have their results."""
        if type(results) is UniformResults:
            self.finished[results.shared.status] += len(results)
            return
        if len(results) == 1:
            self.finished[results[0].status] += 1  # a StrEnum is found by its value, and reading `value` is slow
            return
        for status, number in tally([result.status for result in results]):
            self.finished[status] += number

    def _decided(self, rule: str, messages: int) -> None:
        """Definitions come and go while a worker runs: of more rules than one may have, the others are one."""
        try:
            self.rules[rule] += messages
        except KeyError:
            rule = rule if len(self.rules) < MOST_RULES else OTHER_RULES
            self.rules[rule] = self.rules.get(rule, 0) + messages

    def _request(self, group: str, seconds: float, messages: int) -> None:
        histogram = self.requests.get(group)
        if histogram is None:
            histogram = self.requests[group] = Histogram()
        histogram.add(seconds)
        self.fill.add(messages)


def zeros(names: Iterable[str]) -> Counter[str]:
    """A counter that has these already, at 0."""
    return Counter(dict.fromkeys(names, 0))


def tally(values: Sequence[T]) -> list[tuple[T, int]]:
    """How often each value occurs: by identity first, at C speed, as nearly always all are the same."""
    if not values:
        return []
    first = values[0]
    if len(values) == 1:  # a message per request
        return [(first, 1)]
    number = values.count(first)
    if number == len(values):
        return [(first, number)]
    return [(first, number), *tally([value for value in values if value != first])]
