"""One provider's way out: messages wait in windows, free request slots pull them, every message ends in one result.

The way of a message: `offer` files it → a free slot takes its window (`_pull`) → it is decoded and rendered with the
others (`_prepare`) → the request is under way (`_fly`) → its outcomes are settled (`_settle`): final results go out at
once, the rest goes back to the windows, waits for its time, or is handed to `park` when that is long.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet

from connector.clock import Clock
from connector.definition.tree import Definition, Operation
from connector.delivery.attempt import Attempt, Part
from connector.delivery.backlog import Backlog
from connector.delivery.counts import LaneCounts
from connector.delivery.dismissal import Dismissal
from connector.delivery.gate import Account, Gate
from connector.delivery.item import Item
from connector.delivery.lane_settings import LaneSettings
from connector.delivery.pace import Pace
from connector.delivery.preparation import Preparation, Router
from connector.delivery.retry import Backoff
from connector.delivery.route import Route, compile_routes
from connector.delivery.settlement import Settlement, Settler
from connector.delivery.status import LaneStatus
from connector.delivery.transport import Transport
from connector.delivery.windows import Key
from connector.errors import MessageError, RequestError
from connector.model import Message, Outcome, Reply, Result, Status

TURN = 16
"""Requests prepared before other tasks get their turn: a full one takes milliseconds."""

NAP_SECONDS = 1.0
"""Longest sleep: what else the lane depends on (`caught_up`, a shared breaker, hours) is looked at this often."""

CANCEL_SECONDS = 1.0
"""Given to abandoned requests to end; one that does not is left behind."""


class Lane:
    """Everything open for one provider.

    Args:
        definition: the provider.
        decode: an item's message; raises MessageError when it has none any more.
        settle: takes final results, at most one per item, one call per reply; must not wait.
        transport: sends requests.
        clock: time.
        settings: waits.
        caught_up: True when no event is waiting in the partitions that feed this lane.
        memory_full: True when no further event can be read until something leaves.
        park: takes over messages that have to wait until a wall time beyond `park_after`; without it they wait here.
        before_send: awaited before each request leaves, with operation, batch id and items (the journal, the check for
            zombies). False: this worker may not send; the items wait on, and nothing is pulled until `reopen`.
        account: limits and breaker shared with other lanes; its own by default.
        routes: compiled operations; compiled from the definition by default.
        uniform: a random number in [0, 1), for jitter.

    Attributes:
        open_count, open_bytes: messages offered and neither settled, parked nor returned by `drain`.
        counts: what it has done, for metrics.
    """

    def __init__(
        self,
        definition: Definition,
        *,
        decode: Callable[[Item], Message],
        settle: Callable[[Sequence[Item], Sequence[Result]], None],
        transport: Transport,
        clock: Clock,
        settings: LaneSettings,
        caught_up: Callable[[], bool],
        memory_full: Callable[[], bool] = lambda: False,
        park: Callable[[Sequence[Item], float], None] | None = None,
        before_send: Callable[[Operation, str, Sequence[Item]], Awaitable[bool]] | None = None,
        account: Account | None = None,
        routes: Sequence[Route] | None = None,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.name = definition.name
        self.open_count = 0
        self.open_bytes = 0
        self.counts = LaneCounts()
        self._settle_with = settle
        self._transport = transport
        self._clock = clock
        self._settings = settings
        self._caught_up = caught_up
        self._memory_full = memory_full
        self._park = park
        self._before_send = before_send
        self._routes = compile_routes(definition) if routes is None else routes
        backoff = Backoff(definition.retry, uniform)
        self._settler = Settler(definition, backoff=backoff, clock=clock, dry_run=settings.dry_run)
        account = account or Account(definition, settings.breaker, clock.monotonic(), uniform)
        self._gate = Gate(definition, account, clock=clock, backoff=backoff, redact=self._settler.redact)
        self._router = Router(definition.name, self._routes)
        self._preparation = Preparation(self._routes, self._router, decode=decode, settler=self._settler, clock=clock)
        self._backlog = Backlog([settings.shape(route) for route in self._routes], settings.wait_max)
        self._dismissal = Dismissal(self._backlog, clock)
        self._flights: dict[asyncio.Task[None], Attempt] = {}
        self._awake = asyncio.Event()
        self._error: Exception | None = None
        self._pulling = True
        self._closed = False
        self._delay = 0.0
        self._paused = False
        self._pace = Pace(clock.monotonic())

    # ---- in ---------------------------------------------------------------------------------------------------------

    def offer(self, item: Item, message: Message) -> None:
        """File a message. Call `wake` after the last one of a chunk.

        Raises:
            MessageError: no operation fits it, or its batch cannot be determined; it is not taken.
        """
        key = self._router.key(message, item.priority)
        item.since = self._clock.monotonic()
        self._backlog.add(key, item)
        if item.deadline is not None and item.deadline < self._dismissal.earliest:
            self._dismissal.earliest = item.deadline
        self.open_count += 1
        self.open_bytes += len(item.raw)

    def offer_all(self, items: Sequence[Item], messages: Sequence[Message]) -> bool:
        """File messages at once. False, with none of them taken, where they have to be offered one by one."""
        keys = self._router.keys(messages, items)
        if keys is None:
            return False
        now = self._clock.monotonic()
        groups: defaultdict[Key, list[Item]] = defaultdict(list)
        for key, item in zip(keys, items, strict=True):
            item.since = now
            groups[key].append(item)
        for key, group in groups.items():
            self._backlog.extend(key, group)
        self._dismissal.expect(items)
        self.open_count += len(items)
        self.open_bytes += sum([len(item.raw) for item in items])
        return True

    def wake(self) -> None:
        """Something may have changed: messages were offered, partitions caught up, time has passed."""
        self._awake.set()

    @property
    def waiting(self) -> bool:
        """True while it deliberately sends nothing: no messages, or limits, breaker, hours or retries say later."""
        return not self._flights and self._delay > 0

    @property
    def refusing(self) -> bool:
        """True while nothing is sent for reasons of the provider: it is paused, or its breaker waits."""
        return self._paused or self._gate.account.breaker.delay(self._clock.monotonic()) > 0

    def takes(self, message: Message) -> bool:
        """Whether `offer` would take it."""
        try:
            self._router.key(message, priority=False)
        except MessageError:
            return False
        return True

    def expected_wait(self, ahead: int | None = None) -> float:
        """Seconds until a message would leave, by the pace of the last while; infinite while the lane is held up.

        Args:
            ahead: messages that leave before it; by default all there are.
        """
        if self._paused:
            return math.inf
        now = self._clock.monotonic()
        held = self._gate.delay(1, now)
        messages = self.open_count if ahead is None else ahead
        return held if math.isinf(held) else max(held, self._pace.seconds(messages, now))

    def share(self, fraction: float) -> None:
        """Take part in the provider's limits and slots with this fraction: that of the partitions this worker owns."""
        self._gate.share(fraction)

    # ---- control ----------------------------------------------------------------------------------------------------

    @property
    def paused(self) -> bool:
        """An operator has stopped this provider: nothing leaves, messages wait."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused
        self.wake()

    def hold(self, campaign: str | None) -> None:
        """Let nothing of a campaign leave, from the next request on, until `release`."""
        self._backlog.hold(campaign)

    def cancel(self, campaign: str | None) -> None:
        """Let every message of a campaign end `cancelled`, also those that come; not what is under way."""
        self._backlog.unhold(campaign)
        self._dismissal.cancel(campaign)
        self.wake()

    def release(self, campaign: str | None) -> None:
        """End `hold` or `cancel`."""
        self._backlog.unhold(campaign)
        self._dismissal.uncancel(campaign)
        self.wake()

    @property
    def held(self) -> AbstractSet[str | None]:
        """Campaigns on hold."""
        return self._backlog.held

    def evict(
        self, wanted: Callable[[Key, Item], bool], *, sealed: bool = False, only_delayed: bool = False
    ) -> list[Item]:
        """Hand back waiting messages, to be filed anew or to wait elsewhere; the lane forgets them.

        Args:
            wanted: which; looked at for each message.
            sealed: also requests that were to be repeated as they were.
            only_delayed: only those that wait for their time to be sent again.
        """
        items = self._backlog.remove(wanted, sealed=sealed, only_delayed=only_delayed)
        self._forget(items)
        return items

    @property
    def status(self) -> LaneStatus:
        """What the lane is doing, for metrics and pages."""
        breaker = self._gate.account.breaker
        return LaneStatus(
            open_count=self.open_count,
            windows=self._backlog.windows,
            waiting=self._backlog.waiting,
            delayed=self._backlog.delayed,
            requests=len(self._flights),
            slots=self._gate.concurrency.slots,
            breaker=breaker.state,
            reason=breaker.reason,
            paused=self._paused,
            opens_in=self._gate.closed(),
            held=self.counts.held_by(self._clock.monotonic()),
            token_refreshes=self._transport.token_refreshes,
        )

    # ---- out --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send until `close`. Raises what went wrong unexpectedly, after its messages were put back."""
        while not self._closed:
            self._awake.clear()
            self._delay = delay = self._pull()
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            await self._sleep(delay)

    def close(self) -> None:
        """Let `run` end. Requests under way go on; `drain` waits for them."""
        self._closed = True
        self.wake()

    async def drain(self, deadline: float) -> list[Item]:
        """Stop pulling, wait for the requests under way until `deadline` (monotonic seconds), forget everything.

        Returns every item that is not settled: never attempted ones have `attempts` 0, those whose request was given up
        at the deadline are marked `uncertain` (under `report` they are settled as `unknown` instead).
        """
        self._pulling = False
        if self._flights:
            await asyncio.wait(self._flights, timeout=max(deadline - self._clock.monotonic(), 0.0))
        if self._flights:
            abandoned = list(self._flights)
            for task in abandoned:
                task.cancel()
            await asyncio.wait(abandoned, timeout=CANCEL_SECONDS)
            for task in [task for task in abandoned if task in self._flights]:
                self._ended(self._flights.pop(task))
        items = self._backlog.clear() + self._dismissal.clear()
        self.counts.returned += len(items)
        self._forget(items)
        return items

    def rest(self) -> None:
        """Pull nothing more until `reopen`; requests under way go on."""
        self._pulling = False

    def reopen(self) -> None:
        """Pull again after `drain` or `rest`."""
        self._pulling = True
        self.wake()

    async def _sleep(self, delay: float) -> None:
        if delay <= 0:
            await asyncio.sleep(0)
            return
        timer = asyncio.get_running_loop().call_later(min(delay, NAP_SECONDS), self._awake.set)
        try:
            await self._awake.wait()
        finally:
            timer.cancel()

    def _pull(self) -> float:
        """Fill free slots. Seconds until it is worth looking again though nothing wakes the lane."""
        now = self._clock.monotonic()
        self._backlog.release(now)
        if not self._pulling:
            return NAP_SECONDS
        if dismissed := self._dismissal.turn():
            self._settle(self._preparation.dismiss(dismissed))
            return 0.0
        for _ in range(TURN):
            delay = self._pull_one(now)
            if delay > 0:
                return delay
        return 0.0

    def _pull_one(self, now: float) -> float:
        """Start the next request; seconds to wait when there is none to start now."""
        if self._paused or len(self._flights) >= self._gate.concurrency.slots:
            return NAP_SECONDS
        caught_up = self._caught_up()
        choice = self._backlog.choose(now, idle=not self._flights, caught_up=caught_up, memory_full=self._memory_full())
        if choice is None:
            self.counts.flow(now)
            change = self._backlog.next_change(caught_up=caught_up)
            return NAP_SECONDS if change is None else max(change - now, 0.0)
        smallest = self._routes[choice.key[0]].renderer.min_records
        records = self._gate.largest(self._backlog.records(choice), smallest)
        delay = self._gate.delay(records, now)
        if delay == 0:
            self.counts.departed(self._backlog.why, now - choice.items[0].since, now)
            self._depart(self._backlog.take(choice, records, now), now)
        else:
            self.counts.hold(now)
        return delay

    def _depart(self, part: Part, now: float) -> None:
        if self._dismissal.is_cancelled(part.key[1]):
            self._settle(self._preparation.dismiss([(item, Status.CANCELLED) for item in part.items]))
            return
        try:
            attempt, settlement = self._preparation.prepare(part)
        except Exception:
            self._backlog.untouched(part)
            raise
        if attempt is not None:
            attempt.probe = self._gate.departed(len(attempt.items), now)
            task = asyncio.create_task(self._fly(attempt), name=f"request {self.name} {attempt.batch.id}")
            self._flights[task] = attempt
            task.add_done_callback(self._landed)
        self._settle(settlement)

    # ---- the request and after it -----------------------------------------------------------------------------------

    async def _fly(self, attempt: Attempt) -> None:
        operation = attempt.route.operation
        if self._before_send is not None and not await self._before_send(operation, attempt.batch.id, attempt.items):
            self._pulling = False
            return  # `_landed` puts its items back
        attempt.at_transport = True
        sent = self._clock.monotonic()
        try:
            reply = await self._transport.send(attempt.request, operation.auth)
        except RequestError as error:
            if not attempt.done:
                self._gate.failed(error, started=attempt.started, probe=attempt.probe)
                self.counts.failed(error, self._clock.monotonic() - sent, len(attempt.items))
                settlement = self._settler.failed(attempt, error)
                attempt.done = True
                self._settle(settlement)
        else:
            if not attempt.done:
                self._read(attempt, reply, self._clock.monotonic() - sent)

    def _read(self, attempt: Attempt, reply: Reply, seconds: float) -> None:
        if self._settings.dry_run:
            accepted = Outcome("accept")
            whole: Outcome | None = accepted
            outcomes: Sequence[Outcome] = [accepted] * len(attempt.items)
        else:
            reading = attempt.route.reader.read(reply, attempt.messages, attempt.batch, self._clock.wall())
            whole, outcomes = reading.whole, reading.outcomes
        assert len(outcomes) == len(attempt.items), "a reader gives one outcome per message"
        self._gate.replied(reply.status, outcomes, whole, started=attempt.started, probe=attempt.probe)
        self.counts.replied(reply.status, seconds, outcomes)
        settlement = self._settler.replied(attempt, None if self._settings.dry_run else reply.status, outcomes, whole)
        attempt.done = True
        self._settle(settlement)

    def _landed(self, task: asyncio.Task[None]) -> None:
        """A slot is free. Whatever its request left undone is put back, whatever went wrong surfaces from `run`."""
        attempt = self._flights.pop(task, None)
        error = None if task.cancelled() else task.exception()
        try:
            if attempt is not None:
                self._ended(attempt)
        except Exception as also:
            error = error or also
        if isinstance(error, Exception) and self._error is None:
            self._error = error
        self.wake()

    def _ended(self, attempt: Attempt) -> None:
        if attempt.done:
            return
        attempt.done = True
        self._gate.vanished(probe=attempt.probe)
        self._settle(self._settler.abandoned(attempt, "given up while the provider had it"))

    # ---- what becomes of messages -----------------------------------------------------------------------------------

    def _settle(self, settlement: Settlement) -> None:
        now = self._clock.monotonic()
        for part in settlement.untouched:
            self._dismissal.expect(part.items)
            self._backlog.untouched(part)
        for part in settlement.again:
            self._dismissal.expect(part.items)
            self._backlog.again(part, now)
        for delay, part in settlement.later:
            self._dismissal.expect(part.items)
            # A request to be repeated as it was cannot be had from its messages: it stays while that is of use.
            sealed = part.sealed is not None and now + delay < part.sealed.until
            if self._park is not None and delay > self._settings.park_after and not sealed:
                self._park(part.items, self._clock.wall() + delay)
                self.counts.parked += len(part.items)
                self._pace.note(len(part.items), now)
                self._forget(part.items)
            else:
                self._backlog.later(part, now + delay)
        if settlement.items:
            self._settle_with(settlement.items, settlement.results)
            self.counts.ended(settlement.results)
            self._pace.note(len(settlement.items), now)
            self._forget(settlement.items)

    def _forget(self, items: Sequence[Item]) -> None:
        self.open_count -= len(items)
        self.open_bytes -= sum([len(item.raw) for item in items])
