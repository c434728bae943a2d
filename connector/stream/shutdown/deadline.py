"""Deadlines outside the event loop: Faust and aiokafka wait for ever in several outages, and a stuck loop cannot time
itself out. A thread of its own ends the process instead; what is not committed is read again by whoever comes next.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import NoReturn, Protocol

import structlog

from connector.clock import Clock

log = structlog.get_logger(__name__)

EXIT_DEADLINE = 70
EXIT_WATCHDOG = 71
EXIT_CONFIGURATION = 78
WATCHDOG_LOOK_SECONDS = 1.0
"""How often it is looked whether something gets done."""


def end_process(code: int, why: str) -> NoReturn:
    """End now, without cleaning up: cleaning up is what hangs."""
    log.critical("ending the process", exit_code=code, why=why)
    sys.stderr.flush()
    os._exit(code)


class Deadline:
    """Ends the process with `code` unless cancelled within `seconds`."""

    def __init__(self, seconds: float, why: str, *, code: int = EXIT_DEADLINE) -> None:
        self._timer = threading.Timer(seconds, end_process, (code, why))
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        self._timer.cancel()


class WorkerProgress:
    """What a worker has got done: events settled. Only reading back, when partitions are opened, counts beside it.

    Not a new generation: a worker that is thrown out of the group again and again, as while one event takes longer to
    decode than a session, gets one every few seconds. Nor what it then reads back once more: only where it comes
    further than at any opening since an event was settled.
    """

    def __init__(self) -> None:
        self._last = -1
        self._furthest = 0

    def at(self, *, settled: int, read_back: int) -> tuple[int, int]:
        """What has been got done.

        Args:
            settled: events so far.
            read_back: records of the current opening, 0 while there is none.
        """
        if settled != self._last:
            self._last, self._furthest = settled, 0
        self._furthest = max(self._furthest, read_back)
        return settled, self._furthest


class Watched(Protocol):
    """What may get stuck. Looked at from another thread: it must only read.

    Implemented by `Worker` (connector/stream/worker.py), put in place in `connector/stream/process.py`.
    Implemented by `JoinWorker` (connector/stream/receipts/join_worker.py), put in place in
    `connector/stream/receipts/join_process.py`.

    Attributes:
        progress: changes whenever something gets done; see `WorkerProgress`.
        idle: there is deliberately nothing to do.
    """

    @property
    def progress(self) -> object: ...
    @property
    def idle(self) -> bool: ...


class Watchdog:
    """Ends the process with EXIT_WATCHDOG when something shows no progress for `seconds` although it is not idle.

    Args:
        watched: looked at from a thread of its own.
    """

    def __init__(self, clock: Clock, watched: Watched, *, seconds: float) -> None:
        self._clock = clock
        self._watched = watched
        self._seconds = seconds
        self._last: object = None
        self._since = clock.monotonic()
        self._stop = threading.Event()

    def look(self) -> bool:
        """One look; False when the process is stuck."""
        now, progress = self._clock.monotonic(), self._watched.progress
        if progress != self._last or self._watched.idle:
            self._last, self._since = progress, now
        return now - self._since < self._seconds

    def start(self) -> None:
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(WATCHDOG_LOOK_SECONDS):
            if not self.look():
                end_process(EXIT_WATCHDOG, f"no progress for {self._seconds:g} s")
