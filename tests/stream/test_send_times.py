"""`send_at`: what waits for its time, what cannot, and that nobody waits behind somebody who waits longer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from connector.delivery.queue.item import Item
from connector.model import CampaignState
from connector.stream.intake.send_times import LONGEST_SECONDS, SendTimes
from connector.stream.partitions.formats import settles
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.retry import retry_records
from tests.stream.test_intake import NOON, Bench
from tests.stream.test_tiers import FAST, SHORTEST, Stream, run

DAY = 86_400.0


def at(seconds: float) -> str:
    return datetime.fromtimestamp(NOON + seconds, UTC).isoformat()


class Read(Bench):
    """Events that are read from their source, and again from the retry topics they were sent to."""

    def __init__(self, *, max_age: float | None = None, ahead: float = LONGEST_SECONDS) -> None:
        super().__init__(max_age, tiers={5.0: "r.5s", 30.0: "r.30s", 300.0: "r.5m", 3600.0: "r.1h"})
        self.intake._send_times = SendTimes(max_age=max_age, ahead=ahead)
        self.records: list[Any] = []
        self._offsets: dict[str, int] = {}

    def _move(self, items: Any, moved: Any) -> None:
        super()._move(items, moved)
        for item, it in zip(items, moved, strict=True):
            header = ("settles", settles(item.origin.topic, 0, item.offset))
            self.records.append((it.topic, item.raw, [header, it.header]))

    def event(self, *, stamped: float = 0.0, **fields: Any) -> None:
        """One is read, with this time stamp."""
        self._admit("m", self.item(**fields).raw, (), NOON + stamped)

    def again(self) -> retry_records.RetryHeader:
        """The tier of the last one has passed: it is read again. Returns what its record says."""
        topic, raw, headers = self.records.pop()
        delay = {"r.5s": 5.0, "r.30s": 30.0, "r.5m": 300.0, "r.1h": 3600.0}[topic]
        self.clock.advance(delay)
        self._admit(topic, raw, headers, self.clock.wall() - delay)
        return retry_records.read(headers)

    def _admit(self, topic: str, raw: bytes, headers: Any, stamp: float) -> None:
        offset = self._offsets.setdefault(topic, 0)
        self._offsets[topic] += 1
        partition = Partition(topic, 0, Ledger(offset), ReplayMarks(0, {}), {}, 0, OffsetSet(10))
        record: Any = SimpleNamespace(offset=offset, value=raw, key=None, timestamp=int(stamp * 1000), headers=headers)
        self.intake.admit(partition, [record])


@pytest.mark.parametrize(
    ("ahead", "tier"), [(4, "r.5s"), (5, "r.5s"), (29, "r.5s"), (31, "r.30s"), (3 * DAY, "r.1h"), (7 * DAY, "r.1h")]
)
def test_what_is_not_to_be_sent_yet_waits_in_the_longest_tier_that_does_not_go_beyond_its_time(ahead, tier):
    bench = Read()
    bench.event(send_at=at(ahead))
    assert (bench.moved, bench.a.offered) == ([tier], [])
    assert bench.intake.counts.scheduled == {"a": 1}
    assert not bench.intake.counts.diverted


@pytest.mark.parametrize("ahead", [-DAY, -1, 0])
def test_what_is_due_is_sent_at_once(ahead):
    bench = Read()
    bench.event(send_at=at(ahead))
    assert (bench.moved, bench.a.offered) == ([], ["m1"])


@pytest.mark.parametrize("campaign", [False, True], ids=["of the event", "of its campaign"])
@pytest.mark.parametrize("ahead", [0.5, 7.3, 3700.0, 3 * DAY + 17.2])
def test_it_is_sent_never_before_its_time_and_no_later_than_the_shortest_tier_after_it(ahead, campaign):
    bench = Read(max_age=60.0)  # which counts from then
    if campaign:
        bench.campaign(send_at=datetime.fromtimestamp(NOON + ahead, UTC))
    bench.event(**({} if campaign else {"send_at": at(ahead)}))
    hops = 0
    while not bench.a.offered:
        assert not bench.results
        bench.again()
        hops += 1
    assert 0.0 <= bench.clock.wall() - NOON - ahead < 5.0
    assert hops <= ahead // 3600 + 11 + 9 + 6 + 1, "what days of waiting cost: a record per hour and 27 more"


def test_its_age_counts_from_its_time():
    """And from its own stamp where that is later."""
    bench = Read(max_age=600.0)
    bench.event(stamped=-599.0, message_id="old", send_at=at(-3600))
    bench.event(stamped=-601.0, message_id="stale", send_at=at(-3600))
    bench.event(stamped=-601.0, message_id="early", send_at=at(5))
    assert (bench.a.offered, bench.results) == (["old"], {"stale": "expired"})
    assert bench.again().deadline == NOON + 605
    assert bench.a.offered == ["old", "early"]


def test_what_could_never_be_sent_is_told_at_once():
    bench = Read(ahead=7 * DAY)
    bench.event(message_id="far", send_at=at(7 * DAY + 1))
    bench.event(message_id="never", send_at=at(60), expires_at=at(60))
    bench.event(message_id="soon", send_at=at(60), expires_at=at(61))
    assert bench.results == {"far": "invalid", "never": "invalid"}
    assert [it.reason for it in bench.finals] == [
        "send_at: more than 168h ahead, for which its topic keeps events; produce it later",
        "send_at: not before expires_at, so that it could never be sent",
    ]
    assert bench.moved == ["r.30s"]


@pytest.mark.parametrize("value", ["tomorrow", "2026-03-03T09:00:00", 1772442000.5, True, {}, "9999-12-31T23:59:59Z"])
def test_no_time_and_one_out_of_reach_end_invalid(value):
    bench = Read()
    bench.event(send_at=value)
    assert bench.results == {"m1": "invalid"}
    assert not bench.moved


def test_a_source_that_keeps_events_for_ever_does_not_let_them_wait_for_more_than_a_month():
    """Beyond that a retry record is not believed, and what it holds would be sent at once."""
    item = Item(b"", SimpleNamespace(topic="m", partition=0, live=True), 0, None, datetime.now(UTC))
    times = SendTimes(max_age=None, ahead=float("inf"))
    assert times.fault(item, NOON + LONGEST_SECONDS + 1, NOON) is not None
    assert times.fault(item, NOON + LONGEST_SECONDS - 1, NOON) is None
    assert LONGEST_SECONDS < retry_records.LATEST_SECONDS


def test_a_shorter_bound_does_not_end_what_waits_already():
    """Topics may be given another retention meanwhile."""
    bench = Read(ahead=DAY)
    bench.event(send_at=at(3700))
    bench.intake._send_times = SendTimes(max_age=None, ahead=1.0)
    bench.again()
    assert (bench.results, bench.moved) == ({}, ["r.1h", "r.30s"])


@pytest.mark.parametrize(
    ("campaign", "ends"),
    [({"state": CampaignState.CANCELLED}, {"m1": "cancelled"}), ({"state": CampaignState.PAUSED}, {}), ({}, {})],
)
def test_when_it_is_due_it_is_asked_again_what_operators_say(campaign, ends):
    bench = Read()
    bench.event(send_at=at(5))
    bench.campaign(**campaign)
    bench.again()
    assert bench.results == ends
    assert bench.a.offered == ([] if campaign else ["m1"])


def test_when_it_is_due_it_is_asked_again_whether_the_recipient_may_be_texted():
    """Somebody may have opted out meanwhile, or a country been blocked; a worker may have been started anew."""
    opted_out: set[str] = set()
    bench = Read()
    policy: Any = SimpleNamespace(
        suppresses=lambda _topic, message: message.message_id in opted_out, some=lambda _: True
    )
    bench.intake._suppressions = policy
    for name in ("opted-out", "blocked", "well"):
        bench.event(message_id=name, send_at=at(5), to="+18765550100" if name == "blocked" else "+919812345678")
    assert (bench.results, len(bench.records)) == ({}, 3)
    opted_out.add("opted-out")
    bench.intake._refusal = lambda to: "to: a number of JM" if to.startswith("+1876") else None
    for _ in range(3):
        bench.again()
    assert bench.results == {"opted-out": "suppressed", "blocked": "invalid"}
    assert bench.a.offered == ["well"]


def test_a_campaign_may_think_better_of_its_time():
    """Those that wait hear of it when their tier has passed; an event's own time goes before."""
    bench = Read()
    bench.campaign(send_at=datetime.fromtimestamp(NOON + 2 * DAY, UTC))
    bench.event()
    bench.event(message_id="own", send_at=at(3700))
    bench.campaign(send_at=datetime.fromtimestamp(NOON + 60, UTC))
    assert bench.again().due == NOON + 3700
    bench.records.pop()
    assert bench.again().due == 0.0, "else it would be waited for all the same"
    assert bench.a.offered == ["m1"]


def test_a_worker_that_knows_no_send_at_waits_all_the_same():
    """Of connector 0.1, which shares the group while a rolling upgrade goes on: the header says when it is due."""
    bench = Read()
    bench.event(send_at=at(3 * DAY))
    assert bench.again().due == NOON + 3 * DAY


LATE_SECONDS = SHORTEST + 1.0 + 5.0
"""The shortest tier, a look at it, and `wait_max` of a window: nobody tells these lanes that nothing more will come."""


@pytest.mark.parametrize("seed", range(2))
def test_none_waits_behind_one_that_waits_longer(seed: int) -> None:
    """A hundred are due in a quarter of an hour, beside others that are due in seconds, in the same partitions."""

    async def story(stream: Stream) -> None:
        stream.refuses = False
        for _ in range(100):
            stream.produce("p", "c", send_in=stream.random.uniform(600, 900))
        for _ in range(100):
            await asyncio.sleep(1.0)
            stream.produce("p", "c1", send_in=stream.random.choice([0.5, 1.5, 7.0, 90.0]))
            stream.produce("p", "c0")
        await stream.all_settled(within=910.0)

    stream = run(seed, {"p": FAST}, story)
    late = {place: stream.first_sent[place] - at for place, at in stream.send_ats.items()}
    assert len(late) == 200
    assert min(late.values()) >= 0.0
    assert max(late.values()) <= LATE_SECONDS
    assert sum(stream.tiers_used.values()) <= 100 * (900 / 60 + 12) + 100 * 15
    assert stream.budget.messages == 0
