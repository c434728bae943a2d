"""Results that name other events than their own, as a mirror with other offsets brings them, stop the start."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson
import pytest
from aiokafka import ConsumerRecord, TopicPartition

from connector.kafka.fetched import Fetched
from connector.stream.epoch.foreign_results import NamedResult, foreign_results

TP = TopicPartition("sms.messages", 3)


class Events:
    """The event at an offset has the id `m<offset>`; offsets below ten are gone, odd hundreds are no messages."""

    async def read_between(self, tp: TopicPartition, start: int, end: int, *, wanted: Callable[[], bool]) -> Fetched:
        found = Fetched(start)
        for offset in range(max(start, 10), end):
            value = b"\xff" if offset // 100 % 2 else orjson.dumps({"message_id": f"m{offset}"})
            found.append(ConsumerRecord(tp.topic, tp.partition, offset, 0, 0, None, value, None, 0, 0, ()))
        return found


def result(offset: int, message_id: str) -> NamedResult:
    return offset, orjson.dumps({"message_id": message_id})


async def told(sample: Sequence[NamedResult]) -> list[str]:
    problems = await foreign_results(Events(), {TP: sample}, "sms.results", wanted=lambda: True)
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    "sample",
    [
        [],
        [result(20, "m20"), result(21, "m21")],
        [result(20, "m20"), result(21, "forged")],  # one of two: anybody may have written it
        [result(5, "gone"), result(6, "gone")],  # their events are no longer there
        [result(120, "unreadable")],
        [(20, b"{"), (21, None), (22, b"[" * 10_000)],
    ],
)
async def test_results_that_fit_or_cannot_be_compared_stop_nothing(sample: Sequence[NamedResult]) -> None:
    assert await told(sample) == []


@pytest.mark.parametrize("shift", [1, -1, 30])
async def test_results_that_name_other_events_stop_the_start(shift: int) -> None:
    (problem,) = await told([result(20 + n, f"m{20 + n + shift}") for n in range(8)])
    assert "of the newest results of sms.messages[3], 8 of 8 name an event with another message_id" in problem
    assert "sms-connector adopt" in problem


async def test_a_few_that_fit_by_chance_do_not_hide_it() -> None:
    (problem,) = await told([result(20, "m20"), *(result(n, f"m{n + 7}") for n in range(21, 27))])
    assert "6 of 7" in problem
