"""What operators change while messages wait: campaigns, paused providers, definitions.

Every change of a campaign is the same move: what waits of it leaves the lanes and is filed anew, and intake decides
again by the table as it is now: send, hold in a retry topic, cancel, another provider, another batch.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import structlog

from connector.clock import Clock
from connector.delivery.lane import Lane
from connector.delivery.queue.item import Item
from connector.model import CampaignState
from connector.stream.control.failover import Failover
from connector.stream.control.table import ControlTable
from connector.stream.control.topic_reader import ControlRecords
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.refile_queue import RefileQueue

log = structlog.get_logger(__name__)

# Filed anew between two turns of the event loop.
SLICE_MESSAGES = 250
# How often hours of campaigns and refusing providers are looked at.
CONTROL_LOOK_SECONDS = 1.0
# Names in the line about the control topic; more would make it unreadable.
TOLD_PROVIDERS = 20


class Refiler(Protocol):
    """Decides anew about messages that were admitted before.

    Implemented by `Intake` (connector/stream/intake/intake.py), put in place in `connector/stream/wiring/input.py`.
    """

    def refile(self, items: Sequence[Item]) -> None:
        """File these anew."""


class ControlApplier(ControlRecords):
    """Carries changes of the control table into the lanes.

    Args:
        lanes: by provider name; may change.
        retiring: lanes that finish their last requests.
        queue: what is to be filed anew.
        refiler: files it.
        failover: whose messages another lane may take.
        owned: nothing is filed while the partitions are given back.
    """

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        retiring: Collection[Lane],
        *,
        control: ControlTable,
        queue: RefileQueue,
        refiler: Refiler,
        failover: Failover,
        owned: Assignment,
        clock: Clock,
    ) -> None:
        self._lanes = lanes
        self._retiring = retiring
        self._control = control
        self._queue = queue
        self._refiler = refiler
        self._failover = failover
        self._owned = owned
        self._clock = clock
        self._closed: set[str] = set()
        self._replaying = True

    def apply(self, key: bytes | None, value: bytes | None, place: tuple[int, int] = (0, -1)) -> None:
        """Take in one control record, which stands at this partition and offset."""
        change = self._control.apply(key, value, place)
        if change is None:
            return
        if change.provider is not None:
            self._provider(change.provider)
        if change.campaign is not None:
            if not self._replaying:
                log.info("campaign changed", campaign=change.campaign, state=str(self._control.state(change.campaign)))
            self._campaign(change.campaign)

    def replayed(self) -> None:
        """The topic was read to its end. What stood in it is history, told in one line; what follows is news."""
        if not self._replaying:
            return
        self._replaying = False
        states = Counter(campaign.state for campaign in self._control.campaigns.values())
        log.info(
            "control topic read",
            campaigns=states.total(),
            campaigns_paused=states[CampaignState.PAUSED],
            campaigns_cancelled=states[CampaignState.CANCELLED],
            providers_paused=", ".join(sorted(self._control.paused)[:TOLD_PROVIDERS]) or None,
        )

    def adopt(self, lane: Lane) -> None:
        """A lane is new: what holds for its provider holds for it."""
        lane.pause(paused=lane.name in self._control.paused)

    def hours(self) -> None:
        """Look which campaigns' hours have begun or ended."""
        closed = {name for name in self._control.timed() if self._control.opens_at(name) > 0}
        changed = closed ^ self._closed
        self._closed = closed
        for name in changed:
            self._campaign(name)

    async def run(self) -> None:
        """File anew, and look at what changes by itself, for ever."""
        looked_at = self._clock.monotonic()
        while True:
            if self._queue and self._owned.live:
                self._refiler.refile(self._queue.pop(SLICE_MESSAGES))
                for lane in self._lanes.values():
                    lane.wake()
                await asyncio.sleep(0)
            else:
                await self._queue.wait(CONTROL_LOOK_SECONDS)
            if self._clock.monotonic() - looked_at >= CONTROL_LOOK_SECONDS:
                looked_at = self._clock.monotonic()
                self.hours()
                for lane in list(self._failover.stranded()):
                    self._queue.add(lane.evict(lambda _key, item: not item.uncertain))

    def _provider(self, name: str) -> None:
        paused = name in self._control.paused
        lane = self._lanes.get(name)
        if not self._replaying:
            log.info("provider paused by an operator" if paused else "provider resumed by an operator", provider=name)
        if lane is not None:
            lane.pause(paused=paused)
            if not paused:
                lane.probe()

    def _campaign(self, name: str) -> None:
        cancelled = self._control.state(name) is CampaignState.CANCELLED
        held = self._control.opens_at(name) > 0
        for lane in [*self._lanes.values(), *self._retiring]:
            if cancelled:
                lane.cancel(name)
                continue
            lane.release(name)
            if held:  # also what comes back from requests under way
                lane.hold(name)
            self._queue.add(lane.evict(lambda key, _item: key.campaign == name))
