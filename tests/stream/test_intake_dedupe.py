"""What intake makes of events that repeat an earlier one, on every way they can take."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from connector.clock import ManualClock
from connector.model import Result, Source
from connector.stream.control.failover import Failover
from connector.stream.control.table import ControlTable
from connector.stream.intake.budget import Budget
from connector.stream.intake.dedupe import REPLAY_OF, DedupedResults, DedupeIndex
from connector.stream.intake.intake import Intake
from connector.stream.intake.refusals import Refusals
from connector.stream.intake.unknown_fields import EventDecoder
from connector.stream.intake.unknown_names import UnknownNames
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.retry import retry_records
from connector.stream.retry.routing import RetryRouting
from connector.stream.retry.tiers import Tiers
from tests.stream.restoring import restorer
from tests.stream.test_intake import FakeLane


class Bench:
    """Intake with one lane, and a partition."""

    def __init__(self, *, on: bool = True) -> None:
        self.clock = ManualClock()
        self.lane = FakeLane("a")
        self.lanes: Any = {"a": self.lane}
        self.results: dict[int, Result] = {}
        self.duplicates = DedupeIndex(messages=1000, horizon=600, clock=self.clock)
        self.duplicates.own({("m", 0)})
        tiers, retries = Tiers({5.0: "r.5s"}), SimpleNamespace(move=lambda _items, _records: None)
        self.intake = Intake(
            self.lanes,
            control=ControlTable(self.clock, most=1 << 20, topic="sms.control"),
            failover=Failover(self.lanes),
            results=DedupedResults(self.duplicates, SimpleNamespace(add=self._finish)),
            retries=retries,
            retry_routing=RetryRouting(tiers, retries=retries, clock=self.clock, longest=300),
            sources=["m"],
            refusals=Refusals(dry_run=False),
            restorer=restorer(tiers),
            unknown=UnknownNames(self.lanes, grace=600, clock=self.clock),
            reader=EventDecoder("report", self.clock),
            budget=Budget(messages=100, bytes_=1 << 20, shares={}),
            clock=self.clock,
            allowed=lambda to: to != "+919800000000",
            max_age=None,
            duplicates=self.duplicates if on else None,
        )
        self.journalled = OffsetSet(100)
        self.partition = Partition("m", 0, Ledger(0), ReplayMarks(0, {}), {}, 0, self.journalled)
        self.retries = Partition("r.5s", 0, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(100))

    def _finish(self, items, results) -> None:
        self.results |= {result.source.offset: result for result in results}

    def take(self, *message_ids: str, headers: Any = (), **fields: Any) -> None:
        first = self.partition.ledger.high
        records: Any = [
            record(first + number, message_id, headers, **fields) for number, message_id in enumerate(message_ids)
        ]
        self.intake.admit(self.partition, records)

    def statuses(self) -> dict[int, str]:
        return {offset: result.status.value for offset, result in self.results.items()}


def record(offset: int, message_id: str, headers: Any = (), **fields: Any) -> SimpleNamespace:
    event = {"message_id": message_id, "to": "+919812345678", "provider": "a", **fields}
    return SimpleNamespace(offset=offset, value=msgspec.json.encode(event), key=None, timestamp=0, headers=headers)


@pytest.mark.parametrize("together", [True, False], ids=["in one slice", "in two"])
def test_an_event_that_repeats_an_earlier_one_ends_as_a_duplicate_that_names_it(together: bool):
    bench = Bench()
    if together:
        bench.take("x", "a", "a", "y")
    else:
        bench.take("x", "a")
        bench.take("a", "y")
    assert bench.lane.offered == ["x", "a", "y"]
    assert bench.statuses() == {2: "duplicate"}
    assert bench.results[2].duplicate_of == Source("m", 0, 1)
    assert bench.results[2].message_id == "a"
    assert bench.intake.counts.refused["a", "duplicate"] == 1


def test_nothing_repeats_anything_where_nobody_asks():
    bench = Bench(on=False)
    bench.take("a", "a")
    assert bench.lane.offered == ["a", "a"]


@pytest.mark.parametrize(
    "fields",
    [{"to": "+919800000000"}, {"expires_at": "2001-01-01T00:00:00Z"}, {"provider": None}, {"body": "bad"}, {"to": "x"}],
    ids=["not allowed", "expired", "no provider", "does not fit", "unreadable"],
)
def test_an_event_that_was_not_sent_is_not_repeated(fields: dict[str, Any]):
    bench = Bench()
    bench.take("a", **fields)
    bench.take("a")
    assert bench.lane.offered == ["a"]
    assert list(bench.statuses()) == [0]


def test_an_event_that_a_worker_may_have_sent_before_it_died_is_repeated():
    """Also by the next one in its slice."""
    bench = Bench()
    bench.journalled.add(0)
    bench.take("a", "a")
    bench.take("a")
    assert bench.lane.offered == []
    assert bench.statuses() == {0: "unknown", 1: "duplicate", 2: "duplicate"}


def test_what_is_filed_anew_or_comes_back_from_a_retry_topic_repeats_nothing():
    bench = Bench()
    items: Any = []
    bench.lane.offer_all = lambda its, _messages: bool(items.extend(its)) or True  # type: ignore[method-assign]
    bench.take("a")
    bench.intake.refile(items)
    waited: Any = record(0, "a", [("settles", b"m/0/0"), retry_records.header(items[0], 0.0)])
    bench.intake.admit(bench.retries, [waited])
    assert len(items) == 3
    assert bench.results == {}


def test_a_replayed_event_is_sent():
    bench = Bench()
    bench.take("a")
    bench.take("a", headers=[(REPLAY_OF, b"m/0/0")])
    assert bench.lane.offered == ["a", "a"]


def test_an_event_without_an_id_is_none_that_could_be_repeated():
    bench = Bench()
    nameless: Any = SimpleNamespace(offset=0, value=b'{"to":"+919812345678"}', key=None, timestamp=0, headers=())
    bench.intake.admit(bench.partition, [nameless])
    nameless.offset = 1
    bench.intake.admit(bench.partition, [nameless])
    assert bench.statuses() == {0: "invalid", 1: "invalid"}
