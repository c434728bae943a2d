"""How long this process may go on without hearing from its group: half a session from the last proof of membership.

A broker gives a member's partitions away when nothing has come from it for a session. It may hear nothing although this
process runs and reaches its providers: the network to the brokers is cut, the coordinator is frozen, or the process
itself stood still. So what counts is not that we run but what a broker has answered: a heartbeat, a commit or a join
that it accepted for the current generation, from the moment that request was *sent*. Half a session later nothing is
sent or written any more until the next proof; the other half is the margin for what had just been let go.

Only monotonic time counts: a wall clock that is set changes nothing.
"""

from __future__ import annotations

import asyncio

from connector.clock import Clock

TICK_SECONDS, CALM_TICK_SECONDS = 0.1, 0.5
"""How often whoever waits is let go, and how often it is looked whether the lease has run out. Who sends or writes asks
by itself."""


class Lease:
    """Certain from a proof until `seconds` after it.

    Proofs and losses come from the consumer's thread, which shares one number with the worker's loop: who asks sees the
    newest. Whoever waits is let go by `tick` and `wake`, on the loop.

    Args:
        seconds: half the session time-out.
    """

    def __init__(self, clock: Clock, *, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._proven = float("-inf")
        self._changed = asyncio.Event()

    @property
    def certain(self) -> bool:
        """True while a request of a current member was sent less than `seconds` ago and has been accepted."""
        return self._clock.monotonic() - self._proven <= self._seconds

    def prove(self, sent: float) -> None:
        """A broker has accepted a request of a member of the current generation, sent at that monotonic time."""
        self._proven = max(self._proven, sent)

    def lose(self) -> None:
        """A broker does not know the member or its generation any more: what was proven before is void."""
        self._proven = float("-inf")

    async def changed(self) -> None:
        """Wait until it is certain again, or until an epoch has ended. Look again afterwards: both may be over."""
        await self._changed.wait()

    def tick(self) -> bool:
        """Called by the loop time and again: lets go whoever waits, once it is certain. Returns `certain`."""
        if certain := self.certain:
            self.wake()
        return certain

    def wake(self) -> None:
        """Let everybody look again: what they wait for may have ended."""
        self._changed.set()
        self._changed = asyncio.Event()
