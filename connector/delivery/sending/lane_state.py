"""Whether a lane sends, and what it sleeps by: changed by operators, by the worker, and by requests that end."""

from __future__ import annotations

import asyncio


class LaneState:
    """One lane's.

    Attributes:
        pulling: messages may leave; False while this worker may not send.
        paused: by an operator: nothing leaves, messages wait.
    """

    def __init__(self) -> None:
        self.pulling = True
        self.paused = False
        self._awake = asyncio.Event()

    def rest(self) -> None:
        """Pull nothing more until `resume`; requests under way go on."""
        self.pulling = False

    def resume(self) -> None:
        """Pull again."""
        self.pulling = True
        self.wake()

    def pause(self, paused: bool) -> None:
        """An operator stops the provider, or lets it go on."""
        self.paused = paused
        self.wake()

    def wake(self) -> None:
        """Something may have changed that the lane waits for."""
        self._awake.set()

    def looking(self) -> None:
        """The lane looks at everything now: what woke it until here is seen to."""
        self._awake.clear()

    async def sleep(self, seconds: float) -> None:
        """Until something wakes the lane, at most so long."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        timer = asyncio.get_running_loop().call_later(seconds, self._awake.set)
        try:
            await self._awake.wait()
        finally:
            timer.cancel()
