"""How long a transaction has been open, from where the log can be read to."""

from __future__ import annotations

from connector.clock import ManualClock
from connector.stream.undecided import Undecided


def test_only_a_transaction_that_stays_where_it_is_counts():
    clock = ManualClock()
    undecided = Undecided(clock)
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
