"""What operators change while messages wait: campaigns, paused providers, definitions.

Every change of a campaign is the same move: what waits of it leaves the lanes and is filed anew, and intake decides
again by the table as it is now: send, hold in a retry topic, cancel, another provider, another batch.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from connector.clock import Clock
from connector.delivery.lane import Lane
from connector.delivery.queue.item import Item
from connector.model import CampaignState
from connector.stream.control.failover import Failover
from connector.stream.control.table import ControlTable

log = structlog.get_logger(__name__)

# Filed anew between two turns of the event loop.
SLICE_MESSAGES = 250
# How often hours of campaigns and refusing providers are looked at.
LOOK_SECONDS = 1.0
# Names in the line about the control topic; more would make it unreadable.
TOLD_PROVIDERS = 20


class ControlApplier:
    """Carries changes of the control table into the lanes.

    Args:
        lanes: by provider name; may change.
        retiring: lanes that finish their last requests.
        refile: files items anew.
        failover: whose messages another lane may take.
        live: whether it may: not while the partitions are given back.
    """

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        retiring: Collection[Lane],
        *,
        control: ControlTable,
        refile: Callable[[Sequence[Item]], None],
        failover: Failover,
        live: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._lanes = lanes
        self._retiring = retiring
        self._control = control
        self._refile = refile
        self._failover = failover
        self._live = live
        self._clock = clock
        self._closed: set[str] = set()
        self._waiting: deque[Item] = deque()
        self._awake = asyncio.Event()
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
        lane.paused = lane.name in self._control.paused

    def file(self, items: Sequence[Item]) -> None:
        """File these anew, in turns."""
        self._waiting.extend(items)
        self._awake.set()

    def clear(self) -> list[Item]:
        """The epoch has ended: what is still to be filed anew."""
        items = list(self._waiting)
        self._waiting.clear()
        return items

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
            if self._waiting and self._live():
                self._refile([self._waiting.popleft() for _ in range(min(SLICE_MESSAGES, len(self._waiting)))])
                for lane in self._lanes.values():
                    lane.wake()
                await asyncio.sleep(0)
            else:
                self._awake.clear()
                timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._awake.set)
                await self._awake.wait()
                timer.cancel()
            if self._clock.monotonic() - looked_at >= LOOK_SECONDS:
                looked_at = self._clock.monotonic()
                self.hours()
                for lane in list(self._failover.stranded()):
                    self.file(lane.evict(lambda _key, item: not item.uncertain))

    def _provider(self, name: str) -> None:
        paused = name in self._control.paused
        lane = self._lanes.get(name)
        if not self._replaying:
            log.info("provider paused by an operator" if paused else "provider resumed by an operator", provider=name)
        if lane is not None:
            lane.paused = paused
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
            self.file(lane.evict(lambda key, _item: key.campaign == name))
