"""docs/second-cluster.md with two real clusters: topics are copied as a mirror copies them, with other offsets, and the
second cluster's workers go on where the first one's had come to.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests import marked
from tests.integration.pipeline import Pipeline, event
from tests.integration.small import configure
from tests.kafka.fixtures import MakeKafka
from tests.kafka.records import Event, create_topics, delete_records, produce, read_all
from tests.processes import StartConnector

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

PARTITIONS, EVENTS = 2, 6_000
GONE = 137
"""Records of each partition that the second cluster had, and deleted: its offsets are others from there on."""
WAITING = 20
"""Events of a campaign that is paused in the first cluster. They are in its retry topics, far behind all others: more
than two spans, so that a worker that had only results to go by would not look for them."""


class Clusters:
    """A pipeline on each; both call one provider, whose log says who was texted.

    Args:
        prefixed: the mirror puts `primary.` before the names of topics, as MirrorMaker 2 does unless told otherwise.
    """

    def __init__(
        self, make_kafka: MakeKafka, folder: Path, unique: str, start: StartConnector, *, prefixed: bool
    ) -> None:
        homes = [folder / "first", folder / "second"]
        for home in homes:
            home.mkdir()
        self.first, self.second = (
            Pipeline(home, make_kafka().bootstrap, unique, start, partitions=PARTITIONS) for home in homes
        )
        self.first.simulate("json.latency=0.05")
        self.second.log, self.second.address = self.first.log, self.first.address
        self.prefix = "primary." if prefixed else ""
        self.mirrored_results = f"primary.{self.first.results}"
        configure(self.first)
        self.second.source = f"{self.prefix}{self.first.source}"
        configure(self.second, start_from="earliest", topics=self._topics())
        for pipeline in (self.first, self.second):
            pipeline.define(records=20, concurrency=2)
        fillers = [Event(b"{}", partition=number) for number in range(PARTITIONS) for _ in range(GONE)]
        produce(self.second.bootstrap, self.second.source, fillers)
        delete_records(self.second.bootstrap, self.second.source, dict.fromkeys(range(PARTITIONS), GONE))
        create_topics(self.second.bootstrap, self.mirrored_results, partitions=PARTITIONS)

    def _topics(self) -> dict[str, Any]:
        topics: dict[str, Any] = orjson.loads(self.first.config.read_bytes())["topics"]
        del topics["retry_tiers"]
        return {**topics, "sources": [self.second.source]}

    def mirror(self, results: str, *, lag: int = 0) -> None:
        """Copy events, and results but for the newest `lag` of each partition; every tenth result twice, as mirrors are
        "at least once".
        """
        self._copy(read_all(self.first.bootstrap, self.first.source), self.second.source)
        for number in range(PARTITIONS):
            written = [it for it in read_all(self.first.bootstrap, self.first.results) if it.partition == number]
            kept = written[: len(written) - lag]
            self._copy([*kept, *kept[::10]], results)

    def _copy(self, records: list[Any], target: str) -> None:
        produce(
            self.second.bootstrap,
            target,
            [Event(it.value, it.key, it.partition, dict(it.headers)) for it in records],
        )

    def taken(self) -> Counter[str]:
        """How often the provider took each message."""
        return Counter(record["ref"] for request in self.first.requests() for record in request["taken"])

    def results_of(self, pipeline: Pipeline) -> Counter[str]:
        return Counter(result["message_id"] for result in pipeline.read_results())


def events() -> list[dict[str, Any]]:
    """The paused campaign's first."""
    return [event(n, campaign="paused" if n < WAITING else f"c{n % 3}") for n in range(EVENTS)]


@pytest.mark.parametrize("prefixed", [True, False], ids=["prefixed", "same-names"])
def test_after_a_disaster_nothing_is_lost_and_only_what_had_no_mirrored_result_is_sent_again(
    make_kafka: MakeKafka, tmp_path: Path, unique: str, start_connector: StartConnector, prefixed: bool
) -> None:
    clusters = Clusters(make_kafka, tmp_path, unique, start_connector, prefixed=prefixed)
    first, second = clusters.first, clusters.second
    first.invoke("campaign", "pause", "paused", "--new")
    first.produce(events())
    worker = first.worker()
    first.wait_for_results(EVENTS - 600)
    worker.kill()
    clusters.mirror(clusters.mirrored_results, lag=100)
    sent_there = set(clusters.taken())
    told_here = {orjson.loads(it.value)["message_id"] for it in read_all(second.bootstrap, clusters.mirrored_results)}

    said = orjson.loads(second.invoke("adopt", clusters.mirrored_results, "--json").stdout)
    assert (said["events"], said["finished_there"], said["done"]) == (EVENTS, len(told_here), False)
    assert second.count_results() == 0
    second.invoke("adopt", clusters.mirrored_results, "--yes")
    assert second.count_results() == len(told_here)
    again = orjson.loads(second.invoke("adopt", clusters.mirrored_results, "--json").stdout)
    assert (again["finished_here"], again["finished_there"]) == (len(told_here), 0)

    other = second.worker()
    second.wait_for_results(EVENTS)
    assert other.stop() == 0, other.output
    results = clusters.results_of(second)
    assert len(results) == EVENTS, "nothing is lost"
    assert set(results.values()) == {1}
    doubled = {ref for ref, count in clusters.taken().items() if count > 1}
    assert doubled, "the first cluster sent what its mirrored results do not tell of"
    assert doubled <= sent_there - told_here
    assert second.audit().lost == 0


def test_a_planned_move_sends_nothing_twice(
    make_kafka: MakeKafka, tmp_path: Path, unique: str, start_connector: StartConnector
) -> None:
    clusters = Clusters(make_kafka, tmp_path, unique, start_connector, prefixed=False)
    first, second = clusters.first, clusters.second
    first.produce(events())
    worker = first.worker()
    first.wait_for_results(EVENTS // 2)
    assert worker.stop() == 0, worker.output
    clusters.mirror(clusters.mirrored_results)
    second.invoke("adopt", clusters.mirrored_results, "--yes")
    other = second.worker()
    second.wait_for_results(EVENTS)
    assert other.stop() == 0, other.output
    assert set(clusters.taken().values()) == {1}
    assert clusters.results_of(second) == Counter(it["message_id"] for it in events())


def test_results_that_were_mirrored_under_their_own_name_are_refused(
    make_kafka: MakeKafka, tmp_path: Path, unique: str, start_connector: StartConnector
) -> None:
    """Their offsets are those of other events here: no worker starts on them, and nothing is taken over beside them."""
    clusters = Clusters(make_kafka, tmp_path, unique, start_connector, prefixed=False)
    first, second = clusters.first, clusters.second
    first.produce(event(n) for n in range(1_000))
    worker = first.worker()
    first.wait_for_results(1_000)
    assert worker.stop() == 0, worker.output
    clusters.mirror(second.results)
    before = clusters.taken()
    refused = second.worker()
    assert refused.wait() == 78
    assert "was mirrored from a cluster where events have other offsets" in refused.output
    assert clusters.taken() == before
    said = second.command("adopt", clusters.mirrored_results, code=78)
    assert "is of another event than" in said
    assert "mirrored under its own name" in said
    assert marked.PASSWORD not in said
    assert "is `topics.results` itself" in second.command("adopt", second.results, code=2)


def test_nothing_is_taken_over_while_workers_run(
    make_kafka: MakeKafka, tmp_path: Path, unique: str, start_connector: StartConnector
) -> None:
    clusters = Clusters(make_kafka, tmp_path, unique, start_connector, prefixed=False)
    worker = clusters.second.worker()
    worker.wait_for("partitions opened")
    said = clusters.second.command("adopt", clusters.mirrored_results, code=78)
    assert "1 workers are running" in said
    assert worker.stop() == 0, worker.output
