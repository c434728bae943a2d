"""What goes on while partitions are owned, through an outage of the brokers."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from aiokafka.errors import CommitFailedError, NodeNotReadyError

from connector.clock import ManualClock
from connector.settings.model import Settings
from connector.stream import upkeep as room
from connector.stream.cluster import Cluster
from connector.stream.committer import Commit, Committer
from connector.stream.ledger import Ledger, Marks
from connector.stream.ownership import Ownership
from connector.stream.partition import Partition
from connector.stream.pulse import Pulse
from connector.stream.tail import Offsets
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


async def refused(offsets: Any) -> None:
    raise CommitFailedError("another member owns them")


def upkeep(owned: Ownership, clock: ManualClock, pulse: Pulse, *, commit: Commit, cluster: object = None) -> Upkeep:
    return Upkeep(
        owned,
        pulse=pulse,
        sources=Committer(commit),
        retries=Committer(commit),
        cluster=cast(Cluster, cluster),
        clock=clock,
        settings=SETTINGS,
    )


async def test_retry_records_that_cannot_be_deleted_in_an_outage_are_tried_again_later() -> None:
    """It once ended the worker after a minute without brokers, and every other worker with it."""
    clock = ManualClock()
    cluster, owned = Away(clock), Ownership()
    owned.live = True
    loop = asyncio.ensure_future(
        upkeep(owned, clock, Pulse(clock, limit=5), commit=committed, cluster=cluster).committing()
    )
    await asyncio.sleep(0)
    clock.advance(PURGE_SECONDS)
    waiting = asyncio.ensure_future(cluster.again.wait())
    await asyncio.wait({loop, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert not loop.done()
    assert waiting.done()
    loop.cancel()


@pytest.mark.parametrize(
    ("live", "owns", "commit", "certain"),
    [
        (True, True, committed, True),
        (True, True, refused, False),
        (False, True, committed, True),
        (False, True, refused, False),  # being given back: what waits to be written must not be let go
        (False, False, refused, True),
    ],
)
async def test_who_stood_still_writes_again_when_the_group_says_so_or_there_is_nothing_to_write(
    monkeypatch: pytest.MonkeyPatch, live: bool, owns: bool, commit: Commit, certain: bool
) -> None:
    monkeypatch.setattr(room, "TICK_SECONDS", 0)
    clock, owned = ManualClock(), Ownership()
    if owns:
        owned.own([Partition("sms", 0, Ledger(5), Marks(5, {}), {}, 5, Offsets(9))], [], 1)
    owned.live = live
    pulse = Pulse(clock, limit=5)
    clock.advance(6)
    loop = asyncio.ensure_future(upkeep(owned, clock, pulse, commit=commit).ticking())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not loop.done()
    assert pulse.certain is certain
    loop.cancel()
