"""Whose records a consumer of several topics hands over first."""

from __future__ import annotations

from collections import Counter

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from connector.kafka.fetched import Fetched
from connector.kafka.guarded import TopicTurns

POLL = 2_000


def poll(turns: TopicTurns, waiting: dict[TopicPartition, int]) -> Counter[str]:
    """One poll of what waits, as the fetcher does it: who had a turn moves to the end. Records by topic."""
    drained: dict[TopicPartition, Fetched] = {}
    most = POLL
    for tp in turns.order(waiting):
        drained[tp] = Fetched(0)
        drained[tp].extend(range(min(most, waiting[tp])))
        most -= len(drained[tp])
        if most == 0:
            break
    turns.note(drained)
    for tp, taken in drained.items():
        if left := waiting.pop(tp) - len(taken):
            waiting[tp] = left
    return Counter({tp.topic: len(taken) for tp, taken in drained.items()})


def campaign(partitions: int = 12) -> dict[TopicPartition, int]:
    return {TopicPartition("campaign", number): 10 * POLL for number in range(partitions)}


def test_a_lone_event_is_read_with_the_next_poll_whatever_another_topic_has_waiting() -> None:
    turns, waiting = TopicTurns(), campaign()
    assert poll(turns, waiting) == {"campaign": POLL}
    for number in range(40):
        comes = number % 3 != 2  # also at each of several polls: having had little is no turn
        if comes:
            waiting[TopicPartition("passwords", number % 12)] = 1
        assert poll(turns, waiting)["passwords"] == comes


def test_who_comes_first_takes_nothing_from_the_rest_of_the_poll() -> None:
    turns, waiting = TopicTurns(), {**campaign(), TopicPartition("passwords", 0): 1}
    poll(turns, waiting)
    waiting[TopicPartition("passwords", 0)] = 1
    assert poll(turns, waiting).total() == POLL


@given(st.lists(st.integers(1, 12), min_size=2, max_size=5))
def test_topics_with_a_backlog_take_turns_however_many_partitions_they_have(partitions: list[int]) -> None:
    waiting = {
        TopicPartition(f"topic-{topic}", number): 100 * POLL
        for topic, many in enumerate(partitions)
        for number in range(many)
    }
    turns, served = TopicTurns(), Counter[str]()
    for _ in range(4 * len(partitions)):
        served += poll(turns, waiting)
    assert set(served.values()) == {4 * POLL}


def test_partitions_of_one_topic_come_in_their_order() -> None:
    waiting = list(campaign())
    assert TopicTurns().order(reversed(waiting)) == waiting[::-1]
