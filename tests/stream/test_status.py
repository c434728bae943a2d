"""What a worker says of its partitions: what nobody has taken, what is open, what waits in retry topics."""

from __future__ import annotations

from types import SimpleNamespace

from connector.clock import ManualClock
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.open_transactions import OpenTransactions
from connector.stream.partitions.partition import Partition
from connector.stream.status import partition_status, retry_backlog


def partition(topic: str, number: int, *, start: int = 0, log_end: int = 0) -> Partition:
    return Partition(topic, number, Ledger(start), ReplayMarks(start, {}), {}, start, OffsetSet(100), log_end=log_end)


def status(it: Partition, end: int | None):
    group = SimpleNamespace(end=lambda *_: end, stable_end=lambda *_: end)
    return partition_status(it, group, OpenTransactions(ManualClock()))


def test_what_is_open_in_a_lane_is_lag_and_not_unread() -> None:
    it = partition("messages", 0)
    assert it.ledger.admit_run(0, 30)
    it.ledger.settle(range(10))
    found = status(it, 100)
    assert (found.lag, found.span, found.unread) == (90, 20, 70)


def test_before_the_first_fetch_what_the_log_held_at_the_opening_is_unread() -> None:
    found = status(partition("messages", 0, start=5, log_end=25), None)
    assert (found.lag, found.unread) == (20, 20)


def test_an_end_that_was_fetched_before_the_newest_event_makes_nothing_negative() -> None:
    it = partition("messages", 0)
    assert it.ledger.admit_run(0, 30)
    assert status(it, 20).unread == 0


def test_the_backlog_of_a_retry_topic_is_what_stood_there_what_was_read_and_what_this_worker_wrote() -> None:
    owned = Assignment()
    sources = [partition("messages", 0), partition("priority", 0), partition("messages", 1)]
    retries = [
        partition("retry.5s", 0, start=10, log_end=12),
        partition("retry.5s", 1),
        partition("retry.1m", 0),
    ]
    owned.own(sources, retries, 1)
    assert retry_backlog(owned) == {"retry.5s": 2, "retry.1m": 0}
    sources[0].note_end("retry.5s", 15)
    sources[1].note_end("retry.5s", 17)
    retries[0].note_end("retry.1m", 3)  # one tier up
    sources[0].note_end("results", 400)
    assert retry_backlog(owned) == {"retry.5s": 7, "retry.1m": 3}
    assert retries[0].ledger.admit_run(10, 17)
    retries[0].ledger.settle(range(10, 14))
    assert retry_backlog(owned) == {"retry.5s": 3, "retry.1m": 3}
    owned.disown()
    assert retry_backlog(owned) == {}
