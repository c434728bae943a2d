"""Duplicates in the input on a real Kafka: recognised by whoever owns the partition."""

from __future__ import annotations

import signal

import orjson
import pytest

from tests.integration.pipeline import Pipeline, event
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka


def test_an_id_is_sent_once_also_after_a_kill_and_by_the_next_owner_and_again_when_it_is_replayed(make_pipeline):
    """One partition. A worker is killed while it sends m3, which is sent again as it must be: it repeats nothing."""
    pipeline: Pipeline = make_pipeline(partitions=1)
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(duplicates={"horizon": "10m"}, timeouts={"session": "3s", "heartbeat": "1s"})
    pipeline.create_topics()
    pipeline.produce([event(1), event(1), event(2)])
    first = pipeline.worker("w0")
    pipeline.wait_for_results(3)
    assert sent(pipeline) == ["m1", "m2"]
    pipeline.turn(latency=30)
    pipeline.produce([event(3)])
    wait_until(lambda: "m3" in sent(pipeline), "m3 at the provider")
    first.send(signal.SIGKILL)
    first.kill()

    pipeline.turn()
    pipeline.produce([event(1)])
    second = pipeline.worker("w1")
    pipeline.wait_for_results(5)
    assert sent(pipeline) == ["m1", "m2", "m3", "m3"]
    assert second.stop() == 0, second.output
    third = pipeline.worker("w2")
    pipeline.produce([event(2), event(3)])
    pipeline.wait_for_results(7)
    assert sent(pipeline) == ["m1", "m2", "m3", "m3"]
    assert statuses(pipeline) == [
        (0, "accepted", None),
        (1, "duplicate", 0),
        (2, "accepted", None),
        (3, "accepted", None),
        (4, "duplicate", 0),
        (5, "duplicate", 2),
        (6, "duplicate", 3),
    ]
    traced = [orjson.loads(it) for it in pipeline.invoke("trace", "m2", "--since", "1h", "--json").stdout.splitlines()]
    assert [it["state"] for it in traced] == ["accepted", "duplicate"]

    pipeline.command(
        "replay", "--from", "results", "--status", "duplicate", "--message-id", "m2", "--may-repeat", "--yes"
    )
    pipeline.wait_for_results(8)
    assert statuses(pipeline)[-1] == (7, "accepted", None)
    assert third.stop() == 0, third.output


def sent(pipeline: Pipeline) -> list[str]:
    """Messages at the provider, in order of their ids."""
    return sorted(record["ref"] for request in pipeline.requests() for record in request["taken"])


def statuses(pipeline: Pipeline) -> list[tuple[int, str, int | None]]:
    """Per event its offset, its status and the offset of the one it repeats."""
    found = []
    for result in pipeline.read_results():
        earlier = result.get("duplicate_of")
        found.append((result["source"]["offset"], result["status"], None if earlier is None else earlier["offset"]))
    return sorted(found)
