"""When the app subscribes: once every agent has registered its topic, and at once.

Faust sleeps for a second before the app may subscribe ("to give agents a chance to register"), which was a third of a
worker's start. An agent that has not by then is heard of 45 seconds later, by a second rebalance. Here what is waited
for is the registration itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, cast

from faust.tables.manager import TableManager
from faust.transport.conductor import Conductor


class RegisteringConductor(Conductor):
    """Faust's, which knows the topics agents listen to; one can wait for them."""

    def __init__(self, app: Any, **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self._added = asyncio.Event()

    def add(self, topic: Any) -> None:
        super().add(topic)
        self._added.set()

    async def registered(self, names: Collection[str]) -> None:
        """Return when agents listen to all these topics."""
        while not set(names) <= {name for topic in self for name in topic.topics}:
            self._added.clear()
            await self._added.wait()


class NoTables(TableManager):
    """Faust's table manager, for an app without tables: whoever subscribes waits for it."""

    async def on_start(self) -> None:
        names = {name for agent in self.app.agents.values() for name in agent.channel.topics}
        await self.wait(cast(RegisteringConductor, self.app.topics).registered(names))
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
