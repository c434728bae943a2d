"""How long a transaction has been open, from where the log can be read to, and when that is told."""

from __future__ import annotations

from structlog.testing import capture_logs

from connector.clock import ManualClock
from connector.stream.partitions.open_transactions import TOLD_SECONDS, OpenTransactions


def test_only_a_transaction_that_stays_where_it_is_counts():
    clock = ManualClock()
    undecided = OpenTransactions(clock)
    assert undecided.seconds("sms", 0, 10, 10) == 0
    assert undecided.seconds("sms", 0, 10, 12) == 0  # seen for the first time
    clock.advance(30)
    assert undecided.seconds("sms", 0, 10, 40) == 30
    assert undecided.seconds("sms", 1, 5, 9) == 0
    clock.advance(30)
    assert undecided.seconds("sms", 0, 20, 60) == 0  # the next one
    clock.advance(5)
    assert undecided.seconds("sms", 0, 20, 60) == 5
    assert undecided.seconds("sms", 0, 60, 60) == 0
    assert undecided.seconds("sms", 0, 60, 61) == 0
    assert undecided.seconds("sms", 0, None, 61) == 0


def test_one_that_is_left_open_is_told_once_with_its_place_and_so_is_its_end():
    clock = ManualClock()
    undecided = OpenTransactions(clock)
    with capture_logs() as logs:
        for waiting in range(100):  # more comes in behind it
            undecided.seconds("sms", 3, 10, 12 + waiting)
            clock.advance(TOLD_SECONDS / 10)
        undecided.seconds("sms", 3, 112, 112)
    opened, decided = logs
    assert opened["log_level"] == "warning"
    assert opened["event"].startswith("a producer has left a transaction open")
    place = {"topic": "sms", "partition": 3, "offset": 10}
    assert opened | place | {"seconds": 30, "records_waiting": 12} == opened
    assert decided | place | {"seconds": 300} == decided


def test_a_producer_that_writes_transactions_all_the_time_is_not_told():
    clock = ManualClock()
    undecided = OpenTransactions(clock)
    with capture_logs() as logs:
        for offset in range(100):
            undecided.seconds("sms", 3, offset, offset + 50)
            clock.advance(TOLD_SECONDS / 10)
    assert logs == []


def test_what_another_worker_looks_after_begins_anew_when_it_comes_back():
    clock = ManualClock()
    undecided = OpenTransactions(clock)
    undecided.seconds("sms", 3, 10, 12)
    undecided.seconds("sms", 4, 10, 12)
    undecided.keep({("sms", 4)})
    clock.advance(5)
    assert undecided.seconds("sms", 3, 10, 12) == 0
    assert undecided.seconds("sms", 4, 10, 12) == 5
