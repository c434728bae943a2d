"""What goes on while partitions are owned, through an outage of the brokers."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from aiokafka.errors import NodeNotReadyError

from connector.clock import ManualClock
from connector.settings.model import Settings
from connector.stream.cluster import Cluster
from connector.stream.committer import Committer
from connector.stream.ownership import Ownership
from connector.stream.pulse import Pulse
from connector.stream.upkeep import PURGE_SECONDS, Upkeep

SETTINGS = Settings.model_validate(
    {"group": "test", "providers": ["fake"], "start_from": "earliest", "timeouts": {"commit_interval": "10ms"}}
)


class Away:
    """A cluster whose brokers do not answer."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.asked = 0
        self.again = asyncio.Event()

    async def committed(self, group: str, topics: Any) -> Any:
        self.asked += 1
        self._clock.advance(PURGE_SECONDS)
        if self.asked == 2:
            self.again.set()
        raise NodeNotReadyError("node 1")


async def committed(offsets: Any) -> None: ...


async def test_retry_records_that_cannot_be_deleted_in_an_outage_are_tried_again_later() -> None:
    """It once ended the worker after a minute without brokers, and every other worker with it."""
    clock = ManualClock()
    cluster, owned = Away(clock), Ownership()
    owned.live = True
    upkeep = Upkeep(
        owned,
        pulse=Pulse(clock, limit=5),
        sources=Committer(committed),
        retries=Committer(committed),
        cluster=cast(Cluster, cluster),
        clock=clock,
        settings=SETTINGS,
    )
    loop = asyncio.ensure_future(upkeep.committing())
    await asyncio.sleep(0)
    clock.advance(PURGE_SECONDS)
    waiting = asyncio.ensure_future(cluster.again.wait())
    await asyncio.wait({loop, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert not loop.done()
    assert waiting.done()
    loop.cancel()
