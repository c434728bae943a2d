"""Where a partition starts, and when it must not."""

from __future__ import annotations

import pytest

from connector.errors import Problem
from connector.stream.partitions.start_offset import PartitionSituation, Start, decide


def at(**facts):
    defaults = {"committed": None, "begin": 0, "end": 100}
    return decide(PartitionSituation("sms.messages", 3, **(defaults | facts)), group="g")


@pytest.mark.parametrize(
    ("facts", "offset"),
    [
        ({"committed": 42}, 42),
        ({"committed": 0, "end": 0}, 0),
        ({"committed": 42, "chosen": 7}, 42),  # start_from is for the first start only
        ({"committed": 42, "resume_at": 60}, 42),  # the results are a bitmap then, not a start
        ({"committed": 42, "begin": 50}, 50),
        ({"resume_at": 60}, 60),
        ({"resume_at": 60, "chosen": 0}, 60),  # offsets deleted: the results know better than start_from
        ({"resume_at": 20, "begin": 50}, 50),
        ({"chosen": 0}, 0),
        ({"established": True, "begin": 5}, 5),  # a partition added to the topic
        ({"established": True, "chosen": 100}, 0),  # start_from latest was for the first start: these are new events
        ({"chosen": 100}, 100),
        ({"begin": 0, "end": 0}, 0),
        ({"begin": 100, "end": 100}, 100),
    ],
)
def test_starts(facts, offset):
    """A committed offset, else the results, else start_from, else only an empty log."""
    start = at(**facts)
    assert isinstance(start, Start)
    assert start.offset == offset


def test_old_events_are_never_sent_by_default():
    """Nothing committed, no results, nothing chosen: refused, with the setting that decides."""
    problem = at()
    assert isinstance(problem, Problem)
    assert problem.path == "start_from"
    assert "100 events" in str(problem)


@pytest.mark.parametrize("facts", [{"committed": 101}, {"resume_at": 101}])
def test_a_log_that_is_shorter_than_what_was_done_is_refused(facts):
    """A recreated or truncated topic has other events under the same offsets."""
    problem = at(**facts)
    assert isinstance(problem, Problem)
    assert "truncated or created anew" in str(problem)


def test_lost_events_are_said():
    """Retention overtook the group: it goes on, and says which offsets were never read."""
    start = at(committed=10, begin=50)
    assert "10 to 49" in start.note
