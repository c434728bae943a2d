"""Requests under way: from their departure until it is known what became of each of their messages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from connector.clock import Clock
from connector.delivery.counts import LaneCounts
from connector.delivery.http.tracing import RequestTracing
from connector.delivery.http.transport import Transport
from connector.delivery.lane_host import LaneHost
from connector.delivery.limits.flow_control import CLEAR, FlowControl
from connector.delivery.outcomes.decision import OutcomeHandler
from connector.delivery.outcomes.internal_faults import InternalFaults
from connector.delivery.outcomes.open_messages import OpenMessages
from connector.delivery.queue.attempt import Attempt
from connector.delivery.sending import request_log
from connector.delivery.sending.lane_state import LaneState
from connector.delivery.sending.reading_turns import ReadingTurns, SlowReadings
from connector.errors import RequestError, StreamError, WithheldError
from connector.model import Outcome, Reply, UniformOutcomes

CANCEL_SECONDS = 1.0
"""Given to abandoned requests to end; one that does not is left behind."""


class Departure:
    """Whether a request may leave: nobody in it has opted out since it was made.

    Attributes:
        suppressed: somebody has.
    """

    __slots__ = ("_attempt", "_host", "suppressed")

    def __init__(self, host: LaneHost, attempt: Attempt) -> None:
        self._host = host
        self._attempt = attempt
        self.suppressed = False

    def may_leave(self) -> bool:
        """Asked again wherever it had to wait: for permission, a token, a connection."""
        host, attempt = self._host, self._attempt
        if host.suppression_changes == attempt.suppression_changes:
            return True
        self.suppressed = bool(host.suppressed(attempt.items, attempt.messages))
        return not self.suppressed


class InFlight:
    """The requests of one lane.

    Args:
        provider: the lane's, for logs and traces.
        transport: sends them.
        host: asked before each leaves.
        state: told when a request may not leave, as no other may either, and when a slot is free again.
        open_messages: take what becomes of their messages.
        flow_control: learns from how they end.
        outcome_handler: says what their outcomes mean.
        faults: says what becomes of their messages where something of ours goes wrong.
        counts: are kept.
        clock: time.
        slow_readings: shared with other lanes.
        tracing: makes a span of each, where that is wanted.
        dry_run: replies are not read; every message is accepted.
    """

    def __init__(
        self,
        provider: str,
        transport: Transport,
        *,
        host: LaneHost,
        state: LaneState,
        open_messages: OpenMessages,
        flow_control: FlowControl,
        outcome_handler: OutcomeHandler,
        faults: InternalFaults,
        counts: LaneCounts,
        clock: Clock,
        slow_readings: SlowReadings | None,
        tracing: RequestTracing | None,
        dry_run: bool,
    ) -> None:
        self._error: StreamError | None = None
        self._provider = provider
        self._transport = transport
        self._host = host
        self._state = state
        self._open_messages = open_messages
        self._flow_control = flow_control
        self._outcome_handler = outcome_handler
        self._faults = faults
        self._counts = counts
        self._clock = clock
        self._turns = ReadingTurns(clock, slow_readings)
        self._tracing = tracing
        self._dry_run = dry_run
        self._attempts: dict[asyncio.Task[None], Attempt] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def depart(self, attempt: Attempt, name: str) -> None:
        """Send this request."""
        task = asyncio.create_task(self._fly(attempt), name=name)
        self._attempts[task] = attempt
        task.add_done_callback(self._finished)

    async def land(self, deadline: float) -> None:
        """Wait for those under way until `deadline` (monotonic seconds), then give up those that are left."""
        self._turns.hurry()
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=max(deadline - self._clock.monotonic(), 0.0))
        if self._attempts:
            abandoned = list(self._attempts)
            for task in abandoned:
                task.cancel()
            await asyncio.wait(abandoned, timeout=CANCEL_SECONDS)
            for task in [task for task in abandoned if task in self._attempts]:
                self._ended(self._attempts.pop(task))

    def raise_error(self) -> None:
        """Raise what ends the worker, once, where there is something.

        Raises:
            StreamError: what was decided for messages could not be carried out, or it is not known whether they may be
                sent.
        """
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    async def _fly(self, attempt: Attempt) -> None:
        try:
            await self._send(attempt)
        except StreamError:
            raise
        except Exception as error:
            self._open_messages.carry_out(self._faults.sent(attempt, error))

    async def _send(self, attempt: Attempt) -> None:
        operation = attempt.route.operation
        if not await self._await_permission(attempt):
            self._state.rest()
            return  # `_finished` puts its items back
        if await self._is_suppressed(attempt):
            return  # likewise; the next request is made without them
        attempt.at_transport = True
        sent = self._clock.monotonic()
        departure = Departure(self._host, attempt)
        try:
            if self._tracing is None:
                reply = await self._transport.send(attempt.request, operation.auth, departure.may_leave)
            else:
                reply = await self._tracing.send(self._transport, attempt, self._provider, departure.may_leave)
        except WithheldError:
            attempt.at_transport = False  # nothing of it has left; `_finished` puts its items back
            if departure.suppressed:
                await self._withdraw(attempt)
        except RequestError as error:
            if not attempt.done:
                self._failed(attempt, error, self._clock.monotonic() - sent)
        else:
            landed = self._clock.monotonic()
            if not self._turns.free(landed):
                await self._turns.come()
            if not attempt.done:
                self._handle_reply(attempt, reply, landed - sent)

    async def _await_permission(self, attempt: Attempt) -> bool:
        try:
            return await self._host.await_permission(attempt.route.operation, attempt.batch.id, attempt.items)
        except Exception as error:
            raise StreamError("nothing may be sent") from error

    async def _is_suppressed(self, attempt: Attempt) -> bool:
        """Whether somebody in it has opted out since it was made: permission may have taken as long as an outage."""
        if Departure(self._host, attempt).may_leave():
            return False
        await self._withdraw(attempt)
        return True

    async def _withdraw(self, attempt: Attempt) -> None:
        try:
            await self._host.withdraw_permission(attempt.route.operation, attempt.items)
        except Exception as error:
            raise StreamError("a request that does not leave could not be taken back") from error

    def _failed(self, attempt: Attempt, error: RequestError, seconds: float) -> None:
        judgement = self._flow_control.failed(error, attempt)
        attempt.judged = True
        self._counts.failed(error, seconds, len(attempt.items))
        request_log.failed(self._provider, attempt, seconds, error)
        decision = self._outcome_handler.failed(attempt, error, judgement)
        attempt.done = True
        self._open_messages.carry_out(decision)

    def _handle_reply(self, attempt: Attempt, reply: Reply, seconds: float) -> None:
        """Read it, let limits and counts learn from it, decide what becomes of each message, and carry that out."""
        outcomes, whole = self._read_outcomes(attempt, reply)
        told = [outcomes.shared] * len(outcomes) if type(outcomes) is UniformOutcomes else outcomes
        status = None if self._dry_run else reply.status
        judgement, fault = CLEAR, None
        try:
            judgement = self._flow_control.replied(reply.status, told, whole, attempt)
            attempt.judged = True
            self._counts.replied(reply.status, seconds, told)
            request_log.replied(self._provider, attempt, seconds, status, told)
        except Exception as error:  # what the provider said is known and counts, whatever goes wrong in counting it
            fault = error
        decision = self._outcome_handler.replied(attempt, status, outcomes, whole, judgement)
        attempt.done = True
        self._open_messages.carry_out(decision)
        if fault is not None:
            self._open_messages.carry_out(self._faults.sent(attempt, fault))

    def _read_outcomes(self, attempt: Attempt, reply: Reply) -> tuple[Sequence[Outcome], Outcome | None]:
        """What the reply means: one outcome per message, in order, and the one that stands for all where one does."""
        if self._dry_run:
            accepted = Outcome("accept")
            return [accepted] * len(attempt.items), accepted
        begun = self._clock.monotonic()
        try:
            reading = attempt.route.reader.read(reply, attempt.messages, attempt.batch, self._clock.wall())
        finally:
            self._turns.read(begun)
        if len(reading.outcomes) != len(attempt.items):
            raise AssertionError("a reader gives one outcome per message")
        return reading.outcomes, reading.whole

    def _finished(self, task: asyncio.Task[None]) -> None:
        """A slot is free. Whatever its request left undone is put back; see `raise_error` for what ends the worker."""
        attempt = self._attempts.pop(task, None)
        error = None if task.cancelled() else task.exception()
        try:
            if attempt is not None:
                self._ended(attempt)
        except StreamError as also:
            error = error or also
        if isinstance(error, StreamError) and self._error is None:  # `_fly` lets no other pass
            self._error = error
        self._state.wake()

    def _ended(self, attempt: Attempt) -> None:
        if attempt.done:
            return
        attempt.done = True
        try:
            self._flow_control.inconclusive(probe=attempt.probe)
            decision = self._outcome_handler.abandoned(attempt, "given up while the provider had it")
        except Exception as error:
            attempt.done = False
            decision = self._faults.sent(attempt, error)
        self._open_messages.carry_out(decision)
