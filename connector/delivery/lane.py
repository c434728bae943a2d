"""One provider's way out: messages wait in windows, free request slots pull them, every message ends in one result.

The way of a message: `offer` files it → a free slot takes its window (`Departures`) → it is decoded and rendered with
the others (`RequestBuilder`) → the request is under way (`InFlight`) → what becomes of each message is decided
(`OutcomeHandler`) and carried out (`OpenMessages`): final results go out at once, the rest goes back to the windows,
waits for its time, or is parked when that is long. What the lane is given and gives away goes through its `LaneHost`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from connector.clock import Clock
from connector.definition.tree import Definition
from connector.delivery.counts import LaneCounts
from connector.delivery.http.tracing import RequestTracing
from connector.delivery.http.transport import Transport
from connector.delivery.lane_host import LaneHost
from connector.delivery.limits.account import Account
from connector.delivery.limits.backoff import Backoff
from connector.delivery.limits.circuit_breaker import BreakerState
from connector.delivery.limits.flow_control import FlowControl
from connector.delivery.limits.lane_settings import LaneSettings
from connector.delivery.limits.lane_status import LaneStatus
from connector.delivery.limits.passage import Open, Passage
from connector.delivery.outcomes.decision import OutcomeHandler
from connector.delivery.outcomes.internal_faults import InternalFaults
from connector.delivery.outcomes.open_messages import OpenMessages
from connector.delivery.queue.backlog import Backlog
from connector.delivery.queue.expiry import Expiry
from connector.delivery.queue.fragmentation import Fragmentation, fragmentation
from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.delivery.route import Route, compile_routes
from connector.delivery.sending.departures import IDLE_SECONDS, NAP_SECONDS, Departures
from connector.delivery.sending.in_flight import InFlight
from connector.delivery.sending.lane_state import LaneState
from connector.delivery.sending.reading_turns import SlowReadings
from connector.delivery.sending.request_builder import RequestBuilder, Router
from connector.errors import MessageError, StreamError
from connector.model import Message, ReferenceMaker


class Lane:
    """Everything open for one provider.

    Args:
        definition: the provider.
        host: decodes its messages, says whether they may leave, takes over what is done.
        transport: sends requests.
        clock: time.
        settings: waits.
        passage: while it is narrow one message leaves at a time, in all lanes together; open by default.
        account: limits and breaker shared with other lanes; its own by default.
        slow_readings: turns shared with the other lanes of the process; its own by default.
        tracing: makes a span of each request; none by default.
        routes: compiled operations; compiled from the definition by default.
        counts: go on from here: those of the lane it replaces.
        signer: of what receipts name messages by; none are asked for by default.
        uniform: a random number in [0, 1), for jitter.

    Attributes:
        counts: what it has done, for metrics.
        definition: what it was made from.
    """

    def __init__(
        self,
        definition: Definition,
        *,
        host: LaneHost,
        transport: Transport,
        clock: Clock,
        settings: LaneSettings,
        passage: Passage | None = None,
        account: Account | None = None,
        slow_readings: SlowReadings | None = None,
        tracing: RequestTracing | None = None,
        routes: Sequence[Route] | None = None,
        counts: LaneCounts | None = None,
        signer: ReferenceMaker | None = None,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.name = definition.name
        self.definition = definition
        self.counts = LaneCounts() if counts is None else counts
        self._transport = transport
        self._clock = clock
        self._settings = settings
        self._routes = compile_routes(definition) if routes is None else routes
        backoff = Backoff(definition.retry, uniform)
        self._outcome_handler = OutcomeHandler(definition, backoff=backoff, clock=clock, dry_run=settings.dry_run)
        account = account or Account(definition, settings.breaker, clock.monotonic(), uniform)
        sizes = [route.renderer.min_records for route in self._routes]
        self._flow_control = FlowControl(
            definition, account, clock=clock, backoff=backoff, counts=self.counts, sizes=sizes
        )
        self._faults = InternalFaults(
            self.name,
            self._flow_control,
            self._outcome_handler,
            counts=self.counts,
            attempts=definition.retry.attempts,
            clock=clock,
            dry_run=settings.dry_run,
        )
        self._router = Router(definition.name, self._routes)
        self._request_builder = RequestBuilder(
            self._routes,
            self._router,
            host=host,
            outcome_handler=self._outcome_handler,
            counts=self.counts,
            clock=clock,
            signer=signer,
        )
        self._backlog = Backlog([settings.shape(route) for route in self._routes], settings.wait_max)
        self._expiry = Expiry(self._backlog, clock)
        self._open_messages = OpenMessages(
            self._backlog,
            self._expiry,
            host=host,
            park_after=settings.park_after,
            counts=self.counts,
            clock=clock,
        )
        self._state = LaneState()
        self._in_flight = InFlight(
            self.name,
            transport,
            host=host,
            state=self._state,
            open_messages=self._open_messages,
            flow_control=self._flow_control,
            outcome_handler=self._outcome_handler,
            faults=self._faults,
            counts=self.counts,
            clock=clock,
            slow_readings=slow_readings,
            tracing=tracing,
            dry_run=settings.dry_run,
        )
        self._departures = Departures(
            self.name,
            backlog=self._backlog,
            expiry=self._expiry,
            request_builder=self._request_builder,
            outcome_handler=self._outcome_handler,
            open_messages=self._open_messages,
            in_flight=self._in_flight,
            flow_control=self._flow_control,
            faults=self._faults,
            counts=self.counts,
            clock=clock,
            smallest=sizes,
            attempts=definition.retry.attempts,
            host=host,
            state=self._state,
            passage=passage or Open(),
        )
        self._closed = False
        self._delay = 0.0
        self._steered_at = clock.monotonic()  # when it was made, paused or resumed last

    # ---- in ---------------------------------------------------------------------------------------------------------

    def offer(self, item: Item, message: Message) -> None:
        """File a message. Call `wake` when nothing more is known to come.

        Raises:
            MessageError: no operation fits it, or its batch cannot be determined; it is not filed.
        """
        key, empty = self._router.key(message, item.priority), not self._backlog.windows
        self._open_messages.add(key, item)
        self._offered(empty)

    def offer_all(self, items: Sequence[Item], messages: Sequence[Message]) -> bool:
        """File messages at once. False, with none of them filed, where they have to be offered one by one."""
        windows = self._router.windows(messages, items)
        if windows is None:
            return False
        empty = not self._backlog.windows
        self._open_messages.extend(windows)
        self._offered(empty)
        return True

    def _offered(self, empty: bool) -> None:
        """Wake for what may leave whatever else comes, and to set the timer of the first window."""
        if empty or self._backlog.ready:
            self.wake()

    def wake(self) -> None:
        """Something may have changed that the lane does not see: partitions are caught up, memory is full."""
        self._state.wake()

    @property
    def open_count(self) -> int:
        """Messages offered and neither finished, parked nor handed back."""
        return self._open_messages.count

    @property
    def open_bytes(self) -> int:
        """Bytes of their events."""
        return self._open_messages.bytes

    @property
    def windows(self) -> int:
        """Open windows."""
        return self._backlog.windows

    @property
    def requests(self) -> int:
        """Requests under way."""
        return len(self._in_flight)

    @property
    def waiting(self) -> bool:
        """True while it deliberately sends nothing: no messages, or limits, breaker, hours or retries say later."""
        return not self._in_flight and self._delay > 0

    @property
    def refusing(self) -> bool:
        """True while nothing is sent for reasons of the provider: it is paused, or its breaker waits."""
        return self._state.paused or self._flow_control.account.breaker.delay(self._clock.monotonic()) > 0

    def accepts(self, message: Message) -> bool:
        """Whether `offer` would file it."""
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
        if self._state.paused:
            return math.inf
        now = self._clock.monotonic()
        held = self._flow_control.delay(1, now)
        messages = self.open_count if ahead is None else ahead
        return held if math.isinf(held) else max(held, self._open_messages.pace.seconds(messages, now))

    def share(self, fraction: float) -> None:
        """Take part in the provider's limits and slots with this fraction: that of the partitions this worker owns."""
        self._flow_control.share(fraction)

    # ---- control ----------------------------------------------------------------------------------------------------

    @property
    def paused(self) -> bool:
        """An operator has stopped this provider: nothing leaves, messages wait."""
        return self._state.paused

    def pause(self, *, paused: bool) -> None:
        """An operator stops the provider, or lets it go on."""
        if paused is not self._state.paused:
            self._steered_at = self._clock.monotonic()
        self._state.pause(paused)

    def probe(self) -> None:
        """An operator says that the provider works again: it is asked at once, if its breaker is open."""
        self._flow_control.probe_now()
        self.wake()

    def hold(self, campaign: str | None) -> None:
        """Let nothing of a campaign leave, from the next request on, until `release`."""
        self._backlog.hold(campaign)

    def cancel(self, campaign: str | None) -> None:
        """Let every message of a campaign end `cancelled`, also those that come; not what is under way."""
        self._backlog.unhold(campaign)
        self._expiry.cancel(campaign)
        self.wake()

    def release(self, campaign: str | None) -> None:
        """End `hold` or `cancel`."""
        self._backlog.unhold(campaign)
        self._expiry.uncancel(campaign)
        self.wake()

    @property
    def held(self) -> AbstractSet[str | None]:
        """Campaigns on hold."""
        return self._backlog.held

    def evict(
        self, wanted: Callable[[WindowKey, Item], bool], *, sealed: bool = False, only_delayed: bool = False
    ) -> list[Item]:
        """Hand back waiting messages, to be filed anew or to wait elsewhere; the lane forgets them.

        Args:
            wanted: which; looked at for each message.
            sealed: also requests that were to be repeated as they were.
            only_delayed: only those that wait for their time to be sent again.
        """
        return self._open_messages.evict(wanted, sealed=sealed, only_delayed=only_delayed)

    @property
    def apart(self) -> Fragmentation | None:
        """What keeps its open windows apart."""
        return fragmentation(self._backlog.keys, [route.renderer.key_parts for route in self._routes])

    @property
    def status(self) -> LaneStatus:
        """What the lane is doing, for metrics and pages."""
        breaker, now = self._flow_control.account.breaker, self._clock.monotonic()
        oldest, earliest, opens_in = self._backlog.oldest, self._expiry.earliest, self._flow_control.hours_delay()
        since = self._steered_at if self._state.paused else max(self._steered_at, breaker.since)
        if opens_in > 0 and not self._state.paused and breaker.state is BreakerState.CLOSED:
            since = -math.inf  # a schedule says when it opens, not when it closed
        return LaneStatus(
            open_count=self.open_count,
            windows=self.windows,
            waiting=self._backlog.waiting,
            delayed=self._backlog.delayed,
            requests=len(self._in_flight),
            slots=self._flow_control.concurrency.slots,
            breaker=breaker.state,
            reason=breaker.reason,
            paused=self._state.paused,
            opens_in=opens_in,
            held=self.counts.held_by(now),
            token_refreshes=self._transport.token_refreshes,
            for_seconds=None if math.isinf(since) else now - since,
            probe_in=breaker.delay(now) if breaker.state is BreakerState.OPEN else None,
            oldest=0.0 if oldest is None else max(0.0, now - oldest),
            expires_at=earliest if self.open_count and not math.isinf(earliest) else None,
            share=self._flow_control.fraction,
        )

    # ---- out --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send until `close`. Raises what went wrong outside of the lane: with results, the journal, retry topics.

        What goes wrong inside is this provider's outage (see `InternalFaults`), and the lane goes on.
        """
        while not self._closed:
            self._state.looking()
            try:
                self._delay = delay = self._departures.turn()
                self._in_flight.raise_error()
            except StreamError as error:
                raise error.__cause__ or error from None
            except Exception as error:
                self._faults.elsewhere(error)
                self._delay = delay = NAP_SECONDS
                self._state.looking()
            longest = NAP_SECONDS if self.open_count or len(self._in_flight) else IDLE_SECONDS
            await self._state.sleep(min(delay, longest))

    def close(self) -> None:
        """Let `run` end. Requests under way go on; `drain` waits for them."""
        self._closed = True
        self.wake()

    async def drain(self, deadline: float) -> list[Item]:
        """Stop pulling, wait for the requests under way until `deadline` (monotonic seconds), forget everything.

        Returns every item without a result: never attempted ones have `attempts` 0, those whose request was given up at
        the deadline are marked `uncertain` (under `report` they end `unknown` instead).
        """
        self._state.rest()
        await self._in_flight.land(deadline)
        return self._open_messages.clear()

    def rest(self) -> None:
        """Pull nothing more until `reopen`; requests under way go on."""
        self._state.rest()

    def reopen(self) -> None:
        """Pull again after `drain` or `rest`."""
        self._state.resume()
