"""What leaves a lane next: full windows as they come while the provider works, else one small request as a probe."""

from __future__ import annotations

from collections.abc import Sequence

from connector.clock import Clock
from connector.delivery.counts import LaneCounts
from connector.delivery.lane_host import LaneHost
from connector.delivery.limits.flow_control import FlowControl, Verdict
from connector.delivery.limits.passage import Passage
from connector.delivery.outcomes.decision import OutcomeHandler
from connector.delivery.outcomes.internal_faults import InternalFaults
from connector.delivery.outcomes.open_messages import OpenMessages
from connector.delivery.queue.attempt import Part
from connector.delivery.queue.backlog import Backlog
from connector.delivery.queue.expiry import Expiry
from connector.delivery.queue.item import Item
from connector.delivery.sending.in_flight import InFlight
from connector.delivery.sending.lane_state import LaneState
from connector.delivery.sending.request_builder import RequestBuilder
from connector.model import Status

TURN = 16
"""Requests prepared before other tasks get their turn: a full one takes milliseconds."""

NAP_SECONDS = 1.0
"""Longest sleep: what else the lane depends on (`caught_up`, a shared breaker, hours) is looked at this often."""
IDLE_SECONDS = 30.0
"""Of a lane without messages: what comes wakes it."""


class Departures:
    """Starts requests of one lane while there are free slots. Everything it is made of is the lane's.

    Args:
        provider: the lane's, for the names of tasks.
        smallest: per operation, messages the smallest request holds.
        attempts: requests a message may be in.
        host, passage: see `Lane`.
        state: whether anything is to leave.
    """

    def __init__(
        self,
        provider: str,
        *,
        backlog: Backlog,
        expiry: Expiry,
        request_builder: RequestBuilder,
        outcome_handler: OutcomeHandler,
        open_messages: OpenMessages,
        in_flight: InFlight,
        flow_control: FlowControl,
        faults: InternalFaults,
        counts: LaneCounts,
        clock: Clock,
        smallest: Sequence[int],
        attempts: int,
        host: LaneHost,
        state: LaneState,
        passage: Passage,
    ) -> None:
        self._provider = provider
        self._backlog = backlog
        self._expiry = expiry
        self._request_builder = request_builder
        self._outcome_handler = outcome_handler
        self._open_messages = open_messages
        self._in_flight = in_flight
        self._flow_control = flow_control
        self._faults = faults
        self._counts = counts
        self._clock = clock
        self._smallest = smallest
        self._attempts = attempts
        self._host = host
        self._state = state
        self._passage = passage
        self._aside: set[str | None] = set()

    def turn(self) -> float:
        """Fill free slots. Seconds until it is worth looking again though nothing wakes the lane."""
        now = self._clock.monotonic()
        self._backlog.release(now)
        if not self._state.pulling:
            return NAP_SECONDS
        if (delay := self._faults.delay(now)) > 0:
            return delay
        if self._flow_control.aside or self._aside:
            self._set_aside(now)
        if dismissed := self._expiry.turn():
            self._dismiss(dismissed)
            return 0.0
        for _ in range(TURN):
            delay = self._pull_one(now)
            if delay > 0:
                return delay
        return 0.0

    def _set_aside(self, now: float) -> None:
        """Let campaigns whose requests fail while others get through wait, and those whose time has come go on."""
        aside = set(self._flow_control.aside.waiting(now))
        if aside != self._aside:
            self._aside = aside
            self._backlog.set_aside(aside)

    def _pull_one(self, now: float) -> float:
        """Start the next request; seconds to wait when there is none to start now."""
        if self._state.paused or len(self._in_flight) >= self._flow_control.concurrency.slots:
            return NAP_SECONDS
        if self._passage.narrow and not self._passage.free:
            return NAP_SECONDS
        if not self._flow_control.breaker_lets_pass:
            return self._probe(now)
        return self._next(now)

    def _next(self, now: float) -> float:
        """The next request, in the order of the windows."""
        caught_up = not self._backlog.full and self._host.caught_up  # of no interest where one is full
        choice = self._backlog.choose(
            now, idle=not self._in_flight, caught_up=caught_up, memory_full=self._host.memory_full
        )
        if choice is None:
            self._counts.flow(now)
            change = self._backlog.next_change(caught_up=caught_up)
            return IDLE_SECONDS if change is None else max(change - now, 0.0)
        if isinstance(choice, Part) and choice.last is not None:
            verdict = self._flow_control.verdict(choice, now)
            if verdict is not Verdict.OUTAGE:
                part = self._backlog.pop(choice, len(choice.items), now)
                if verdict is Verdict.OWN:
                    self._open_messages.carry_out(self._outcome_handler.own_fault(part))
                else:
                    self._backlog.later(part, now + NAP_SECONDS)
                return 0.0
        smallest = self._smallest[choice.key.operation]
        records = self._flow_control.largest(self._backlog.records(choice), smallest)
        if self._passage.narrow:
            records = min(records, smallest)
        delay = self._flow_control.delay(records, now)
        if delay == 0:
            self._counts.departed(self._backlog.why, now - choice.items[0].since, now)
            part = self._backlog.pop(choice, records, now)
            self._depart(self._with_requests_left(part, now) if self._flow_control.doubtful else part, now)
        else:
            self._counts.hold(now)
        return delay

    def _probe(self, now: float) -> float:
        """Find out with one small request whether the provider works again, when its time has come."""
        delay = self._flow_control.delay(1, now)
        if delay > 0:
            if self._backlog.waiting:
                self._counts.hold(now)
            return delay
        probing, backlog = self._flow_control.probing, self._backlog
        probe = probing.choose(backlog)
        if probe is not None and probing.spent(probe):
            probe = probing.fresh(backlog) or probe
        if probe is None:  # at most windows that are too small for a request, and may grow
            return self._next(now)
        if probing.spent(probe) and (delay := self._flow_control.account.breaker.last_resort(now)) > 0:
            return delay
        part = backlog.pick(probe.source, probe.indexes)
        self._counts.departed(backlog.why, now - part.items[0].since, now)
        self._depart(part, now)
        return 0.0

    def _with_requests_left(self, part: Part, now: float) -> Part:
        """Without the messages whose last request it would be: whether the provider works is known in a moment."""
        last = [item for item in part.items if item.attempts >= self._attempts]
        if not last:
            return part
        if part.apart:
            self._backlog.later(part, now + NAP_SECONDS)
            return Part(part.key, [])
        self._backlog.later(Part(part.key, last), now + NAP_SECONDS)
        return Part(part.key, [item for item in part.items if item.attempts < self._attempts])

    def _dismiss(self, dismissed: Sequence[tuple[Item, Status]]) -> None:
        try:
            decision = self._request_builder.dismiss(dismissed)
        except Exception as error:
            decision = self._faults.dismissed(dismissed, error)
        self._open_messages.carry_out(decision)

    def _depart(self, part: Part, now: float) -> None:
        if self._expiry.is_cancelled(part.key.campaign):
            self._dismiss([(item, Status.CANCELLED) for item in part.items])
            return
        try:
            attempt, decision = self._request_builder.prepare(part)
        except Exception as error:
            self._open_messages.carry_out(self._faults.unsent(part, error))
            return
        if attempt is not None:
            attempt.probe = self._flow_control.departed(len(attempt.items), now)
            self._in_flight.depart(attempt, f"request {self._provider} {attempt.batch.id}")
        self._open_messages.carry_out(decision)
