"""`cap`: exactly so many events of a campaign are sent, counted from what the log says and never anew."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.model import CampaignState
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.campaign_counts import COMMITTED_CAMPAIGNS, CampaignOrdinals, name_of, share_of
from connector.stream.partitions.committer import metadata_of
from connector.stream.partitions.formats import METADATA_BYTES, counts_of, owed_of, settles
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.retry import retry_records
from tests.stream.test_intake import Bench
from tests.thorough import examples


@given(st.integers(0, 10_000), st.integers(1, 50))
def test_shares_add_up_to_the_cap(cap, partitions):
    shares = [share_of(cap, index, partitions) for index in range(partitions)]
    assert sum(shares) == cap
    assert max(shares) - min(shares) <= 1


@settings(max_examples=examples(200))
@given(st.lists(st.sampled_from(["a", "b", None]), max_size=40), st.data())
def test_which_event_of_its_campaign_one_is_stays_the_same_through_any_number_of_owners(log, data):
    """Each reads on from a committed offset: also again what an earlier one has read, or has finished."""
    counts, begin, position = CampaignOrdinals(), 0, 0
    truth = {offset: log[: offset + 1].count(campaign) for offset, campaign in enumerate(log)}
    while True:
        end = data.draw(st.integers(begin, len(log)))
        for offset in range(begin, end):
            if (campaign := log[offset]) is not None:
                assert counts.count(campaign, offset) == truth[offset]
        for _ in range(data.draw(st.integers(0, 3))):  # commits
            position = data.draw(st.integers(position, end))
            committed = counts.at(position)
            assert committed == {name_of(it): log[:position].count(it) for it in "ab" if it in log[:position]}
            counts.trim(position)
        if end == len(log):
            return
        if data.draw(st.booleans()):  # the next owner
            counts, begin = CampaignOrdinals(counts.at(position)), position
        else:
            begin = end


class Capped(Bench):
    """One of four partitions, whose share of 10 is 3."""

    def __init__(self, number: int = 0, counts: CampaignOrdinals | None = None, settled: tuple[int, ...] = ()) -> None:
        super().__init__()
        owned = Assignment()
        owned.know({"m": range(4)})
        self.intake._caps._index = owned.index
        known = OffsetSet(100)
        known.add_all(settled)
        self.partition = Partition("m", number, Ledger(0, known), ReplayMarks(0, {}), {}, 0, OffsetSet(10))
        self.partition.counts = counts or CampaignOrdinals()
        self.records: list[Any] = []

    def _move(self, items: Any, moved: Any) -> None:
        super()._move(items, moved)
        for item, it in zip(items, moved, strict=True):
            self.records.append(
                (item.raw, [("settles", settles(item.origin.topic, item.origin.partition, item.offset)), it.header])
            )

    def take(self, count: int, *, first: int = 0, **fields: Any) -> None:
        values = [self.item(message_id=f"m{first + number}", **fields).raw for number in range(count)]
        self.take_raw(*values, first=first)

    def take_raw(self, *values: bytes, first: int = 0) -> None:
        stamp = int(self.clock.wall() * 1000)
        records: list[Any] = [
            SimpleNamespace(offset=first + number, value=value, key=None, timestamp=stamp, headers=())
            for number, value in enumerate(values)
        ]
        self.intake.admit(self.partition, records)

    def again(self) -> None:
        """What waits is read again from its retry topic."""
        records, self.records = self.records, []
        partition = Partition("r.5s", self.partition.partition, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(10))
        stamp = int(self.clock.wall() * 1000)
        self.intake.admit(
            partition,
            [
                SimpleNamespace(offset=number, value=raw, key=None, timestamp=stamp, headers=headers)
                for number, (raw, headers) in enumerate(records)
            ],  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(("number", "share"), [(0, 3), (1, 3), (2, 2), (3, 2)])
def test_a_partition_sends_its_share_and_lets_the_rest_wait(number, share):
    bench = Capped(number)
    bench.campaign(cap=10)
    bench.take(5)
    assert bench.a.offered == [f"m{number}" for number in range(share)]
    assert len(bench.moved) == bench.intake.counts.capped == 5 - share
    assert not bench.results


def test_other_campaigns_and_none_are_not_counted():
    bench = Capped()
    bench.campaign(cap=10)
    bench.take(20, campaign_id="other")
    bench.take(20, first=20, campaign_id=None)
    assert len(bench.a.offered) == 40
    assert not bench.partition.counts


def test_raising_the_cap_lets_go_as_many_as_it_is_raised_by_and_no_cap_lets_go_all():
    bench = Capped()
    bench.campaign(cap=10)
    bench.take(8)
    bench.again()
    assert len(bench.a.offered) == 3
    bench.campaign(cap=20)
    bench.again()
    assert bench.a.offered == [f"m{number}" for number in range(5)]
    bench.campaign()
    bench.again()
    assert bench.a.offered == [f"m{number}" for number in range(8)]


def test_what_waits_for_the_cap_goes_on_doing_so_while_its_campaign_is_paused():
    bench = Capped()
    bench.campaign(cap=10)
    bench.take(5)
    bench.campaign(cap=10, state=CampaignState.PAUSED)
    bench.again()
    bench.campaign(cap=10)
    bench.again()
    assert len(bench.a.offered) == 3


def test_cancelling_ends_what_waits():
    bench = Capped()
    bench.campaign(cap=10)
    bench.take(5)
    bench.campaign(cap=10, state=CampaignState.CANCELLED)
    bench.again()
    assert bench.results == {"m3": "cancelled", "m4": "cancelled"}


def test_events_that_have_their_results_are_counted_when_they_are_read_again():
    """Else a worker that was killed before a commit would let as many more through."""
    bench = Capped(settled=(0, 1))
    bench.campaign(cap=10)
    bench.take(6)
    assert bench.a.offered == ["m2"]


def test_the_next_owner_counts_on_from_the_commit():
    first = Capped()
    first.campaign(cap=10)
    first.take(2)
    first.partition.ledger.settle([0, 1])
    bench = Capped(counts=CampaignOrdinals(counts_of(metadata_of(first.partition, 2, (), closed=False))))
    bench.campaign(cap=10)
    bench.take(4, first=2)
    assert bench.a.offered == ["m2"]


def test_what_is_no_message_is_not_counted():
    bench = Capped()
    bench.campaign(cap=10)
    bench.take_raw(b"", b"{", b'{"campaign_id": "c"}', b"[" * 10_000, b'{"message_id": 1, "campaign_id": "c"}')
    bench.take(4, first=5)
    assert bench.a.offered == ["m5", "m6", "m7"]


def test_a_commit_has_room_for_what_is_owed_first():
    partition = Capped().partition
    for number in range(3 * COMMITTED_CAMPAIGNS):
        partition.counts.count(f"campaign {number}", number)
    whole = metadata_of(partition, 400, (), closed=False)
    assert len(whole) < METADATA_BYTES / 2 + 1000
    assert list(counts_of(whole)) == [name_of(f"campaign {number}") for number in range(200, 300)]
    partition.ends.update({"x" * 200 + str(number): 2**60 for number in range(7)})
    partition.marks = ReplayMarks(0, partition.ends)
    owed = range(400, 1400, 2)
    crowded = metadata_of(partition, 400, owed, closed=False)
    assert len(crowded) <= METADATA_BYTES
    assert (counts_of(crowded), owed_of(crowded, 400, 10_000)) == ({}, list(owed))


@pytest.mark.parametrize(
    "metadata", ["", "{", '{"counts":{"a":-1}}', '{"counts":{"a":1e400}}', '{"v":2,"counts":{}}', "[" * 5000]
)
def test_counts_that_others_wrote_are_none(metadata):
    assert counts_of(metadata) == {}


def test_a_retry_record_says_which_event_it_is_only_where_that_counts():
    item = Bench().item()
    item.received_at = datetime(2026, 3, 2, tzinfo=UTC)
    plain, counted = (msgspec.json.decode(retry_records.header(item, 0.0, number)[1]) for number in (0, 7))
    assert "ordinal" not in plain
    assert counted["ordinal"] == 7
    assert retry_records.read([retry_records.header(item, 0.0, 7)]).ordinal == 7
