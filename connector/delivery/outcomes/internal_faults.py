"""What goes wrong in a lane although nothing may: a fault of ours is its provider's outage, and nobody else's.

Rendering, signing, sending, reading and deciding are ours, but what they work on is the provider's and the sender's: a
fault there ends no worker, touches no other provider and loses no message. What fails outside of the lane (results that
cannot be handed over, a journal that cannot be written) is a StreamError, and is not treated here.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec

import structlog

from connector.clock import Clock
from connector.delivery.counts import LaneCounts
from connector.delivery.limits.flow_control import FlowControl, Judgement
from connector.delivery.outcomes.decision import Decision, OutcomeHandler
from connector.delivery.outcomes.unsent import PartialIdentity, unsent
from connector.delivery.queue.attempt import Attempt, Part
from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.errors import StreamError
from connector.model import Result, Status

log = structlog.get_logger(__name__)

TOLD = 100
"""Different faults that are told with their traceback; the same one is told once."""

FRAMES = 20

PIECES = 16
"""Of a request of 1,000 messages the one at fault is alone in its fourth request: before its attempts are used up."""

REST_SECONDS = 10.0
"""A lane that cannot even open its breaker stands still for so long, or it would do nothing but fail."""

AGAIN_SECONDS = 60.0
"""Before a message is sent again that not even its result could be made for."""


Accounting = ParamSpec("Accounting")


def _accountable(method: Callable[Accounting, Decision]) -> Callable[Accounting, Decision]:
    """Where even this goes wrong, somebody has to stop: going on would leave messages that nobody answers for."""

    @functools.wraps(method)
    def checked(*args: Accounting.args, **kwargs: Accounting.kwargs) -> Decision:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            raise StreamError("nobody answers for these messages any more") from error

    return checked


class InternalFaults:
    """Counts faults, tells each once, and says what becomes of the messages.

    Args:
        provider: the lane's.
        attempts: requests a message may be in.
    """

    def __init__(
        self,
        provider: str,
        flow_control: FlowControl,
        outcome_handler: OutcomeHandler,
        *,
        counts: LaneCounts,
        attempts: int,
        clock: Clock,
        dry_run: bool,
    ) -> None:
        self._dry_run = dry_run
        self._provider = provider
        self._flow_control = flow_control
        self._outcome_handler = outcome_handler
        self._counts = counts
        self._attempts = attempts
        self._clock = clock
        self._until = 0.0
        self._told: set[tuple[str, ...]] = set()

    def delay(self, now: float) -> float:
        """Seconds until the lane may go on, where not even its breaker could be opened."""
        return self._until - now

    @_accountable
    def unsent(self, part: Part, error: Exception) -> Decision:
        """No request could be made of these messages.

        While others get through it is the fault of some of them, and they are halved until it is known of which. Such a
        one is counted as an attempt each time, and ends `failed` with its last one.
        """
        own = self._note(error, part.key, part.items)
        part.behind = True
        if not own:
            return Decision(again=[part])
        items, half = part.items, len(part.items) // 2
        if half:
            halves = (items[:half], items[half:])
            return Decision(again=[Part(part.key, it, None, part.split, alone=True) for it in halves])
        return self._counted(items, part, Status.FAILED, _named(error))

    @_accountable
    def sent(self, attempt: Attempt, error: Exception) -> Decision:
        """Something went wrong with a request that was made, perhaps after the provider had it."""
        own = self._note(error, attempt.part.key, attempt.items, probe=attempt.probe, judged=attempt.judged)
        if attempt.done:
            return Decision()
        attempt.done = True
        breaker = self._flow_control.account.breaker
        judgement = Judgement(breaker.outage(attempt.started, self._attempts))
        try:
            decision = self._outcome_handler.broken(attempt, judgement, _named(error))
        except Exception as also:
            self._note(also, attempt.part.key, attempt.items, probe=False)
        else:
            if own:
                decision.later = [(delay, piece) for delay, part in decision.later for piece in _pieces(part)]
            return decision
        # Not even that: it is certain at least that no message goes missing, and that none is sent for ever.
        for item in attempt.items:
            item.uncertain = item.uncertain or attempt.at_transport
        return self._counted(attempt.items, attempt.part, Status.UNKNOWN, _named(error))

    def elsewhere(self, error: Exception) -> None:
        """Something went wrong that concerns no request."""
        self._note(error, WindowKey(0, None, None, high=False), ())

    @_accountable
    def dismissed(self, dismissed: Sequence[tuple[Item, Status]], error: Exception) -> Decision:
        """Messages that end without a request, whose results could not be made: as much as is certain."""
        self._note(error, WindowKey(0, None, None, high=False), ())
        decision = Decision()
        for item, status in dismissed:
            decision.add(item, self._result(item, Status.UNKNOWN if item.uncertain else status, _named(error)))
        return decision

    def _note(
        self,
        error: Exception,
        key: WindowKey,
        items: Sequence[Item],
        *,
        probe: bool | None = None,
        judged: bool = False,
    ) -> bool:
        """True where it is the fault of these messages, since others get through."""
        self._counts.errors += 1
        self._tell(error)
        try:
            return self._flow_control.broken(_named(error), key, items, probe=probe, judged=judged)
        except Exception as also:
            self._tell(also)
            self._until = self._clock.monotonic() + REST_SECONDS
            self._flow_control.inconclusive(probe=bool(probe))
            return False

    def _counted(self, items: Sequence[Item], part: Part, status: Status, reason: str) -> Decision:
        decision = Decision()
        again = []
        for item in items:
            item.attempts += 1
            if item.attempts < self._attempts:
                again.append(item)
                continue
            decision.add(item, self._result(item, status, reason))
        if again:
            decision.later.append((AGAIN_SECONDS, Part(part.key, again, None, part.split, alone=True)))
        return decision

    def _result(self, item: Item, status: Status, reason: str) -> Result:
        now = datetime.fromtimestamp(self._clock.wall(), UTC)
        result = unsent(item, PartialIdentity(), status, reason, completed_at=now, dry_run=self._dry_run)
        result.provider = self._provider
        return result

    def _tell(self, error: Exception) -> None:
        """Without the words of the error and without values: both may hold what was to be sent."""
        chain, frames = [error], []
        while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and len(chain) < FRAMES:
            chain.append(cause)  # type: ignore[arg-type]
        for each in reversed(chain):
            frames.append(type(each).__name__)
            frames += [
                f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(each.__traceback__)[-FRAMES:]
            ]
        place = tuple(frames)
        if place in self._told or len(self._told) >= TOLD:
            return
        self._told.add(place)
        log.error("error in a provider's lane; its messages wait", provider=self._provider, traceback=frames)


def _pieces(part: Part) -> Iterator[Part]:
    """A request that is to be sent again in parts, since one of its messages is at fault: which, is soon known."""
    size = max(1, len(part.items) // PIECES)
    if part.sealed is not None or size == len(part.items):
        yield part
        return
    for start in range(0, len(part.items), size):
        yield Part(part.key, part.items[start : start + size], None, part.split, alone=True)


def _named(error: Exception) -> str:
    return f"internal error: {type(error).__name__}; the log has where"
