"""What brokers tell of the topics, asked at each opening: what is missing is waited for, what refuses all ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.errors import TopicError
from connector.kafka.access import AclOperation
from connector.kafka.topic_plan import ActualTopic, plan
from connector.settings.model import Settings
from connector.stream.epoch import topic_inspection as module
from connector.stream.epoch.topic_inspection import Inspection
from connector.stream.lanes import LaneSet
from connector.stream.output.pending_results import PendingResults
from connector.stream.output.proof import Proof
from connector.stream.output.writability import Writability
from tests.stream.test_opening import SETTINGS

PATIENCE = 30.0
TOPICS = SETTINGS.topics
ALL = frozenset(AclOperation)


class Case:
    """A cluster that has all topics, as they should be, and tells everything of them."""

    def __init__(self, settings: Settings = SETTINGS, *, reports: bool = False) -> None:
        self.clock = ManualClock()
        self.writable = Writability(self.clock, patience=PATIENCE)
        self.proof = Proof(TOPICS.results, pending=PendingResults(1), lanes=LaneSet())
        source = ActualTopic(TOPICS.source_names[0], 4, 1, {}, ALL)
        wanted = plan(TOPICS, {source.name: source})
        self.actual = {it.name: ActualTopic(it.name, 4, 1, it.configs, ALL) for it in wanted.topics}
        self.asked = 0
        self.inspection = Inspection(
            self,  # type: ignore[arg-type]
            settings,
            writable=self.writable,
            proof=self.proof,
            lanes=SimpleNamespace(reporting=reports),  # type: ignore[arg-type]
        )

    async def topics(self, names: Collection[str]) -> Mapping[str, ActualTopic]:
        self.asked += 1
        return {name: it for name, it in self.actual.items() if name in names}

    def change(self, topic: str, **fields: Any) -> None:
        self.actual[topic] = replace(self.actual[topic], **fields)

    async def look(self) -> asyncio.Task[None]:
        """Begin, and let it ask twice if it does."""
        task = asyncio.create_task(self.inspection.look(wanted=lambda: True))
        for _ in range(10):
            await asyncio.sleep(0)
        return task


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)


async def test_what_is_known_to_be_taken_needs_no_proof() -> None:
    case = Case()
    await (await case.look())
    assert case.asked == 1
    assert not case.proof.narrow


@pytest.mark.parametrize("told", [{"operations": None}, {"configs": None}, {"operations": None, "configs": None}])
async def test_what_brokers_do_not_tell_has_to_be_shown_at_each_opening(told: dict[str, None]) -> None:
    """By the first record that is acknowledged, which opens the way once."""
    case = Case()
    case.change(TOPICS.results, **told)
    await (await case.look())
    assert case.proof.narrow
    case.proof.acknowledged(TOPICS.dead_letters)
    assert case.proof.narrow
    case.proof.acknowledged(TOPICS.results)
    assert not case.proof.narrow
    await (await case.look())
    assert case.proof.narrow


@pytest.mark.parametrize("topic", [TOPICS.results, next(iter(TOPICS.retry.values()))])
async def test_access_that_is_missing_is_waited_for_and_then_ends_it(topic: str) -> None:
    case = Case()
    case.change(topic, operations=frozenset({AclOperation.READ}))
    task = await case.look()
    assert case.writable.topics == [topic]
    assert case.writable.holding
    case.clock.advance(PATIENCE)
    with pytest.raises(TopicError, match="lacks Write") as caught:
        await task
    assert [it.path for it in caught.value.problems] == [topic]
    assert caught.value.exit_code == 78


async def test_access_that_comes_late_lets_it_go_on() -> None:
    case = Case()
    case.change(TOPICS.results, operations=frozenset())
    task = await case.look()
    case.change(TOPICS.results, operations=ALL)
    await task
    assert not case.writable.holding
    assert not case.proof.narrow


async def test_a_topic_that_is_not_there_is_waited_for_and_then_ends_it() -> None:
    case = Case()
    del case.actual[TOPICS.results]
    task = await case.look()
    assert case.writable.holding
    case.clock.advance(PATIENCE)
    with pytest.raises(TopicError, match="is not on the cluster"):
        await task


@pytest.mark.parametrize(
    "rule",
    [{"max.message.bytes": "1000"}, {"message.timestamp.before.max.ms": "0"}, {"min.insync.replicas": "2"}],
    ids=lambda it: next(iter(it)),
)
async def test_a_rule_that_refuses_every_record_ends_it_at_once(rule: dict[str, str]) -> None:
    case = Case()
    case.change(TOPICS.results, configs={**(case.actual[TOPICS.results].configs or {}), **rule})
    with pytest.raises(TopicError, match=next(iter(rule))):
        await (await case.look())


async def test_what_only_matters_at_a_start_ends_no_worker_that_runs() -> None:
    """Retention, a partition more, and dead letters, which are given up where they are refused."""
    case = Case()
    case.change(TOPICS.results, configs={"retention.ms": "1000"}, partitions=5)
    case.change(TOPICS.dead_letters, operations=frozenset())
    case.change(TOPICS.journal, operations=frozenset())
    await (await case.look())
    assert not case.writable.holding


async def test_the_journal_is_needed_by_who_reports() -> None:
    case = Case(reports=True)
    case.change(TOPICS.journal, operations=frozenset())
    task = await case.look()
    assert case.writable.topics == [TOPICS.journal]
    task.cancel()


async def test_a_doubt_that_the_last_epoch_has_left_behind_ends_with_the_next_opening() -> None:
    """Who waited for the topic was forgotten with its partitions: nobody else would find out."""
    case = Case()
    case.writable.doubt(TOPICS.results, module.TopicAuthorizationFailedError(TOPICS.results))
    await (await case.look())
    assert not case.writable.holding
