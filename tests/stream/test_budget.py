"""What a worker may hold: bounds, and what is kept free for each source."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from connector.stream.intake.budget import MESSAGE_BYTES, WINDOW_BYTES, Budget, weight


async def test_full_by_messages_or_by_bytes_and_a_release_wakes_the_waiter():
    """Whichever bound is met first stops intake; every release lets it look again."""
    budget = Budget(messages=2, bytes_=weight(2, 100))
    budget.charge("m", 1, 99)
    assert not budget.full("m")
    budget.charge("m", 1, 0)
    assert budget.full("m")
    waiter = asyncio.create_task(budget.wait(60))
    await asyncio.sleep(0)
    budget.release("m", 1, 0)
    await waiter
    assert not budget.full("m")
    budget.charge("m", 0, weight(1, 1))
    assert budget.full("m")
    budget.clear()
    assert not budget.full("m")


def test_a_backlog_cannot_take_what_is_kept_free_for_another_source():
    """The bulk source stops at its part; the other one has its reserve, and what is left of the rest."""
    budget = Budget(messages=100, bytes_=1 << 20, shares={"urgent": 0.2, "bulk": 0.0})
    budget.charge("bulk", 80, 0)
    assert budget.full("bulk")
    assert budget.full("retry.5s")
    assert not budget.full("urgent")
    budget.charge("urgent", 20, 0)
    assert budget.full("urgent")
    budget.release("bulk", 10, 0)
    assert not budget.full("urgent")  # beyond its reserve it takes part in the rest
    assert not budget.full("bulk")


def test_bytes_are_kept_free_as_well():
    """A few large events are a backlog, too."""
    budget = Budget(messages=100, bytes_=2000, shares={"urgent": 0.5})
    budget.charge("bulk", 1, 1000)
    assert budget.full("bulk")
    assert not budget.full("urgent")


def test_what_holds_a_message_counts_too():
    """Small events in windows of their own take mostly that: the bound is one of the process."""
    lanes = SimpleNamespace(windows=0)
    budget = Budget(messages=100, bytes_=10_000, lanes=lanes)
    budget.charge("m", 10, 50)
    assert budget.bytes == 50 + 10 * MESSAGE_BYTES
    assert budget.free() == (90, 10_000 - budget.bytes)
    lanes.windows = 10
    assert budget.bytes == 50 + 10 * (MESSAGE_BYTES + WINDOW_BYTES)
    assert budget.full("m")
    lanes.windows = 0
    budget.release("m", 10, 50)
    assert budget.free() == (100, 10_000)


def test_half_of_a_reserve_is_for_a_provider_that_does_not_send():
    """Its messages are held there; beyond it they are diverted, so that another provider's find room."""
    budget = Budget(messages=100, bytes_=1 << 20, shares={"urgent": 0.2})
    assert not budget.reserved("bulk")
    budget.charge("urgent", 9, 9)
    assert budget.reserved("urgent")
    budget.charge("urgent", 1, 1)
    assert not budget.reserved("urgent")


@given(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from([0.0, 0.1, 0.3]), min_size=1),
    st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=300),
)
def test_no_order_of_events_takes_a_reserve(shares, steps):
    """Admitting one message at a time where there is room: the bound holds, and no reserve is ever taken."""
    budget = Budget(messages=50, bytes_=1 << 30, shares=shares)
    held: dict[str, int] = dict.fromkeys("abcd", 0)
    for topic, leaves in steps:
        if leaves and held[topic]:
            budget.release(topic, 1, 0)
            held[topic] -= 1
        elif not budget.full(topic):
            budget.charge(topic, 1, 0)
            held[topic] += 1
        assert budget.messages <= 50
        for name, share in shares.items():
            assert held[name] >= share * 50 or not budget.full(name)
