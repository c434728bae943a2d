"""What a change of the control table does to messages that wait, with real lanes and a driven clock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from connector.clock import ManualClock
from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.model import Campaign, CampaignState, ProviderState
from connector.stream.control.apply import SLICE_MESSAGES, ControlApplier
from connector.stream.control.failover import Failover
from connector.stream.control.table import ControlTable, campaign_record, provider_record
from connector.stream.partitions.refile_queue import RefileQueue


@pytest.fixture
def told():
    """What is logged."""
    with capture_logs() as entries:
        yield entries


class FakeLane:
    """Remembers what it is told; holds (campaign, item) pairs."""

    def probe(self) -> None: ...

    def __init__(self, name: str, *waiting: tuple[str, str]) -> None:
        self.name = name
        self.paused = False
        self.told: list[tuple[str, str]] = []
        self.waiting = list(waiting)
        self.woken = 0

    def pause(self, *, paused: bool) -> None:
        self.paused = paused

    def hold(self, campaign: str) -> None:
        self.told.append(("hold", campaign))

    def cancel(self, campaign: str) -> None:
        self.told.append(("cancel", campaign))

    def release(self, campaign: str) -> None:
        self.told.append(("release", campaign))

    def evict(self, wanted) -> list[str]:
        gone = [pair for pair in self.waiting if wanted(WindowKey(0, pair[0], None, high=False), pair[1])]
        self.waiting = [pair for pair in self.waiting if pair not in gone]
        return [item for _, item in gone]

    def wake(self) -> None:
        self.woken += 1


class Bench:
    """Two lanes, one of them on its way out, and what was filed anew."""

    def __init__(self) -> None:
        self.clock = ManualClock(wall=1_772_452_800.0)  # 12:00 UTC
        self.lane = FakeLane("p", ("c", "i1"), ("d", "i2"))
        self.old = FakeLane("p", ("c", "i3"))
        self.filed: list[list[Item]] = []
        self.control = ControlTable(self.clock, most=1 << 20, topic="sms.control")
        self.queue = RefileQueue()
        self.control_applier = ControlApplier(
            {"p": self.lane},
            [self.old],
            control=self.control,
            queue=self.queue,
            refiler=SimpleNamespace(refile=self._refile),
            failover=Failover({}),
            owned=SimpleNamespace(live=True),
            clock=self.clock,
        )

    def _refile(self, items: Sequence[Item]) -> None:
        self.filed.append(list(items))


@pytest.mark.parametrize(
    ("campaign", "told"),
    [
        (Campaign(state=CampaignState.PAUSED), [("release", "c"), ("hold", "c")]),
        (Campaign(body="new"), [("release", "c")]),
        (Campaign(hours="13:00-14:00 UTC"), [("release", "c"), ("hold", "c")]),
    ],
)
def test_a_changed_campaign_leaves_the_lanes_and_is_filed_anew(campaign, told):
    """Only that campaign, from every lane; what comes back from requests under way is held where it must be."""
    bench = Bench()
    bench.control_applier.apply(*campaign_record("c", campaign))
    assert bench.lane.told == bench.old.told == told
    assert bench.lane.waiting == [("d", "i2")]
    assert bench.queue.clear() == ["i1", "i3"]


def test_a_cancelled_campaign_is_dismissed_by_its_lanes():
    """They settle it a turn at a time; nothing is filed anew."""
    bench = Bench()
    bench.control_applier.apply(*campaign_record("c", Campaign(state=CampaignState.CANCELLED)))
    assert bench.lane.told == bench.old.told == [("cancel", "c")]
    assert bench.queue.clear() == []


def test_hours_are_looked_at_as_time_passes():
    """When they begin the campaign is released, when they end it is held; in between nothing happens."""
    bench = Bench()
    bench.control_applier.apply(*campaign_record("c", Campaign(hours="13:00-14:00 UTC")))
    bench.control_applier.hours()
    bench.lane.told.clear()
    bench.control_applier.hours()
    assert bench.lane.told == []
    bench.clock.advance(3600)
    bench.control_applier.hours()
    assert bench.lane.told == [("release", "c")]
    bench.clock.advance(3600)
    bench.control_applier.hours()
    assert bench.lane.told[1:] == [("release", "c"), ("hold", "c")]


def test_a_paused_provider_stays_paused_when_its_lane_is_replaced():
    """The table holds, not the lane; unknown providers are remembered."""
    bench = Bench()
    bench.control_applier.apply(*provider_record("p", ProviderState(paused=True)))
    bench.control_applier.apply(*provider_record("later", ProviderState(paused=True)))
    assert bench.lane.paused
    replaced, later = FakeLane("p"), FakeLane("later")
    bench.control_applier.adopt(replaced)
    bench.control_applier.adopt(later)
    assert replaced.paused
    assert later.paused
    bench.control_applier.apply(*provider_record("p", ProviderState(paused=False)))
    assert not bench.lane.paused


async def test_a_large_campaign_is_filed_anew_in_turns():
    """Others get theirs in between, and nothing is lost when the epoch ends in the middle."""
    bench = Bench()
    items = list(range(SLICE_MESSAGES * 3))
    bench.queue.add(items)
    run = asyncio.create_task(bench.control_applier.run())
    await asyncio.sleep(0)
    left = bench.queue.clear()
    run.cancel()
    filed = [item for turn in bench.filed for item in turn]
    assert 0 < len(filed) < len(items)
    assert filed + left == items
    assert all(len(turn) <= SLICE_MESSAGES for turn in bench.filed)


def test_what_the_topic_held_at_the_start_is_one_line_and_what_follows_is_news(told):
    """The whole history is read at every start: told change by change it would look as if it happened now."""
    bench = Bench()
    for number in range(40):
        bench.control_applier.apply(*campaign_record(f"c{number % 4}", Campaign(body=str(number))))
    bench.control_applier.apply(*campaign_record("c1", Campaign(state=CampaignState.PAUSED)))
    bench.control_applier.apply(*campaign_record("c2", Campaign(state=CampaignState.CANCELLED)))
    bench.control_applier.apply(*provider_record("p", ProviderState(paused=True)))
    assert told == []
    assert bench.lane.paused
    bench.control_applier.replayed()
    bench.control_applier.replayed()
    assert told == [
        {
            "event": "control topic read",
            "log_level": "info",
            "campaigns": 4,
            "campaigns_paused": 1,
            "campaigns_cancelled": 1,
            "providers_paused": "p",
        }
    ]
    bench.control_applier.apply(*campaign_record("c3", Campaign(state=CampaignState.PAUSED)))
    bench.control_applier.apply(*provider_record("p", ProviderState(paused=False)))
    assert [entry["event"] for entry in told[1:]] == ["campaign changed", "provider resumed by an operator"]
