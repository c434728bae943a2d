"""Keeping N processes running: started again with a growing pause, stopped together."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from connector.clock import Clock

log = structlog.get_logger(__name__)

CONFIGURATION = frozenset({2, 78})
"""Exit codes after which starting again cannot help: usage and configuration."""

ENDED_EARLY = 128 + signal.SIGTERM
"""A worker that was told to stop before it had joined: the signal itself ends it, and there was nothing to finish."""

PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A process that ran for so long has recovered: the next pause is the first one again."""


class SupervisedProcess(Protocol):
    """One process."""

    async def wait(self) -> int:
        """Its exit code, when it has ended; negative where a signal ended it."""
        ...

    def send_signal(self, number: int) -> None:
        """SIGTERM asks it to stop, SIGHUP to load its definitions again."""
        ...

    def kill(self) -> None:
        """End it."""
        ...


class Supervisor:
    """Runs workers until they are stopped, or one says that a person has to mend something.

    Args:
        start: starts worker number N.
        patience: seconds a worker may take to stop; more than its own deadlines.

    Attributes:
        restarts: by worker.
    """

    def __init__(
        self, number: int, start: Callable[[int], Awaitable[SupervisedProcess]], *, clock: Clock, patience: float
    ) -> None:
        self.restarts = dict.fromkeys(range(number), 0)
        self._start = start
        self._clock = clock
        self._patience = patience
        self._stopping = asyncio.Event()
        self._children: dict[int, SupervisedProcess] = {}

    def stop(self) -> None:
        """Stop all of them. Safe to repeat."""
        self._stopping.set()
        self.tell(signal.SIGTERM)

    def tell(self, number: signal.Signals) -> None:
        """Pass a signal on to every worker that runs."""
        for child in self._children.values():
            child.send_signal(number)

    async def run(self) -> int:
        """Run to the end: 0 when every worker stopped cleanly, else the first exit code that was not 0."""
        codes = await asyncio.gather(*(self._keep(worker) for worker in self.restarts))
        return next((code for code in codes if code in CONFIGURATION), next(filter(None, codes), 0))

    async def _keep(self, worker: int) -> int:
        """Keep one worker running; its last exit code, where that is of a stop or of a configuration."""
        pause = PAUSE_SECONDS
        while True:
            started = self._clock.monotonic()
            child = self._children[worker] = await self._start(worker)
            if self._stopping.is_set():  # it was being started when the others were told
                child.send_signal(signal.SIGTERM)
            code = await self._ended(child)
            del self._children[worker]
            if self._stopping.is_set():
                return 0 if code == ENDED_EARLY else code
            if code in CONFIGURATION:
                log.error("worker cannot run; stopping the others", worker=worker, exit_code=code)
                self.stop()
                return code
            if self._clock.monotonic() - started >= STEADY_SECONDS:
                pause = PAUSE_SECONDS
            log.warning("worker ended; starting it again", worker=worker, exit_code=code, seconds=pause)
            if await self._stopped_within(pause):
                return 0  # nothing of it runs
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            self.restarts[worker] += 1

    async def _ended(self, child: SupervisedProcess) -> int:
        """The exit code of a child; one that does not stop when told is killed after a while."""
        ended = asyncio.ensure_future(child.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ended.done():
            await asyncio.wait({ended}, timeout=self._patience)
        if not ended.done():
            child.kill()
        code = await ended
        return 128 - code if code < 0 else code

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True
