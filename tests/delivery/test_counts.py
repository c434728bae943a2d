"""What a lane counts for metrics: once per request, and true."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.definition.tree import Limits, Rate
from connector.delivery.counts import MOST_RULES, OTHER_RULES, Histogram, LaneCounts, tally
from connector.errors import Phase, RequestError
from connector.model import Outcome

from .virtual import simulate
from .world import World, names


@given(st.lists(st.sampled_from(["a", "b", "c"])))
def test_a_tally_counts_each_value(values: list[str]) -> None:
    assert dict(tally(values)) == {value: values.count(value) for value in set(values)}


def test_a_value_on_a_bound_belongs_below_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.add(value)
    assert histogram.counts == [2, 1, 1]
    assert histogram.total == 12.0


def test_requests_fill_reasons_and_results_are_counted_per_request() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.answer = lambda call: {"m3": Outcome("reject"), "m4": Outcome("unknown")}
        world.offer(*names(25))
        await world.run(20)
        counts = world.lane.counts
        assert +counts.finished == {"accepted": 23, "rejected": 1, "unknown": 1}
        assert sum(counts.requests["2xx"].counts) == len(world.sent) == 3
        assert counts.fill.total == 25
        assert counts.closed["full"] == 2
        assert sum(counts.closed.values()) == 3
        assert +counts.again == {}

    simulate(scenario())


def test_what_is_sent_again_is_counted_by_what_happened() -> None:
    async def scenario() -> None:
        world = World()
        answers = [
            Outcome("throttle"),
            RequestError(Phase.CONNECT, "refused", uncertain=False),
            RequestError(Phase.READ, "closed", uncertain=True),
            Outcome("accept"),
        ]
        world.provider.answer = lambda call: answers[min(len(world.provider.calls), 4) - 1]
        world.offer(*names(10))
        await world.run(300)
        counts = world.lane.counts
        assert +counts.again == {"throttle": 10, "connect": 10, "uncertain": 10}
        assert sum(counts.requests["none"].counts) == 2
        assert +counts.finished == {"accepted": 10}

    simulate(scenario())


def test_time_held_by_a_limit_is_counted_and_goes_on_while_it_lasts() -> None:
    async def scenario() -> None:
        world = World(limits=Limits(requests=(Rate(1, 10.0),), concurrency=4))
        world.offer(*names(20))
        await world.run(5)
        assert 4.0 <= world.lane.status.held <= 5.1
        await world.run(60)
        assert +world.lane.counts.finished == {"accepted": 20}
        held = world.lane.status.held
        await world.run(60)
        assert world.lane.status.held == held, "nothing waits, nothing is held"

    simulate(scenario())


def test_what_urgent_messages_waited_for_is_told_apart() -> None:
    counts = LaneCounts()
    counts.departed("full", 3.0, 1.0)
    counts.departed("priority", 0.3, 1.0)
    assert (sum(counts.age.counts), sum(counts.urgent.counts), counts.urgent.total) == (2, 1, 0.3)


OTHER = Outcome("accept", rule="a")
RULES: list[tuple[str, list[Outcome], dict[str, int], dict[str, int]]] = [
    ("one for all", [Outcome("accept", rule="a")] * 5, {"a": 5}, {}),
    ("one for all, to be sent again", [Outcome("retry", rule="b")] * 5, {"b": 5}, {"retry": 5}),
    ("equal ones", [Outcome("accept", rule="a"), Outcome("accept", rule="a")], {"a": 2}, {}),
    (
        "several",
        [OTHER, Outcome("reject", rule="b"), Outcome("retry", rule="c"), Outcome("accept", rule="a")],
        {"a": 2, "b": 1, "c": 1},
        {"retry": 1},
    ),
    ("the first and the last", [OTHER, Outcome("defer", rule="d"), OTHER], {"a": 2, "d": 1}, {"defer": 1}),
    ("one message", [Outcome("pause", rule="e")], {"e": 1}, {"pause": 1}),
    ("none", [], {}, {}),
]


@pytest.mark.parametrize(("what", "outcomes", "rules", "again"), RULES, ids=[what for what, *_ in RULES])
def test_messages_are_counted_by_the_rule_that_decided(
    what: str, outcomes: list[Outcome], rules: dict[str, int], again: dict[str, int]
) -> None:
    counts = LaneCounts()
    counts.replied(200, 0.1, outcomes)
    assert counts.rules == rules
    assert +counts.again == again


def test_rules_of_definitions_that_come_and_go_are_bounded() -> None:
    counts = LaneCounts()
    for number in range(3 * MOST_RULES):
        counts.replied(200, 0.1, [Outcome("accept", rule=f"response.rules[{number}]")])
    assert len(counts.rules) == MOST_RULES + 1
    assert counts.rules[OTHER_RULES] == 2 * MOST_RULES
