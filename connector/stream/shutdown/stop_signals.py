"""SIGTERM and SIGINT, from the first moment to the last: whoever is in charge is told, also of one that came before."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

Tell = Callable[[signal.Signals], object]


class StopSignals:
    """Takes the signals of this process. The first one counts; later ones change nothing.

    Attributes:
        number: the one that came; None until then.
    """

    def __init__(self) -> None:
        self.number: signal.Signals | None = None
        self._tell: Tell | None = None

    def install(self) -> None:
        """Take them from now on. SIGHUP, which loads definitions again, is of no interest until somebody takes it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def tell(self, tell: Tell | None) -> None:
        """From now on `tell` is called, in the main thread between two instructions; at once where one has come."""
        self._tell = tell
        if tell is not None and self.number is not None:
            tell(self.number)

    def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """`asyncio.run`, given up when a signal comes: None then. Raises what `work` raises."""

        async def attended() -> T:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None
            self.tell(lambda _: loop.call_soon_threadsafe(task.cancel))
            try:
                return await work
            finally:
                self.tell(None)

        try:
            return asyncio.run(attended())
        except asyncio.CancelledError:
            if self.number is None:
                raise
            return None

    def _on(self, number: int, _frame: object) -> None:
        if self.number is None:
            self.number = signal.Signals(number)
            if self._tell is not None:
                self._tell(self.number)
