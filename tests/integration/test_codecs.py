"""Every codec a producer or a topic may choose, on each topic a worker reads, over a restart, and the commands."""

from __future__ import annotations

import json

import orjson
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.integration.pipeline import Pipeline, event
from tests.kafka.records import Event, committed, end_offsets, produce
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

WAITING = 20
"""Events that go through a retry topic: their campaign is held while the first worker runs."""


def compress_topics(pipeline: Pipeline, codec: str) -> None:
    """Let the brokers compress whatever is written, by whomever."""
    admin = AdminClient({"bootstrap.servers": pipeline.bootstrap, "log_level": 0})
    names = [name for name in admin.list_topics(timeout=30).topics if name.startswith(f"{pipeline.unique}.")]
    entry = ConfigEntry("compression.type", codec, incremental_operation=AlterConfigOpType.SET)
    resources = [ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry]) for name in names]
    for future in admin.incremental_alter_configs(resources).values():
        future.result(30)


def control(pipeline: Pipeline, state: str, codec: str) -> None:
    """What `sms-connector campaign` writes, by a producer that compresses."""
    record = Event(orjson.dumps({"state": state}), key=b"campaign:held", partition=0)
    produce(pipeline.bootstrap, f"{pipeline.unique}.control", [record], codec=codec)


CASES = [
    ("none", "producer"),
    *((codec, by) for codec in ("gzip", "snappy", "lz4", "zstd") for by in ("producer", "topic")),
]


@pytest.mark.parametrize(("codec", "by"), CASES)
def test_every_codec_is_read_on_every_topic(pipeline: Pipeline, codec: str, by: str):
    """Events, control records, retry records and results, compressed by their producer or by their topic; a restart
    reads the results back, and nothing is sent or reported twice. `lag`, `results` and `trace` read them as well.
    """
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(park_max="2s")
    document = pipeline.config.read_text().replace('"retry_prefix"', '"retry_tiers":["1s","2s"],"retry_prefix"')
    pipeline.config.write_text(document)
    pipeline.create_topics()
    if by == "topic":
        compress_topics(pipeline, codec)
    retry = f"{pipeline.unique}.retry.1s"
    for topic in (pipeline.results, retry, f"{pipeline.unique}.journal", pipeline.dead_letters):
        # Nobody but the connector writes there: what somebody else has written is read over, not stumbled upon.
        others = [Event(b"{}", partition=number) for number in range(pipeline.partitions) if topic != retry]
        produce(pipeline.bootstrap, topic, others, codec=codec)
    before = pipeline.count_results()
    control(pipeline, "paused", codec)
    pipeline.produce([event(n, campaign="held" if n < WAITING else "c0") for n in range(200)], codec=codec)

    first = pipeline.worker("w0")
    pipeline.wait_for_results(before + 200 - WAITING)
    wait_until(lambda: pipeline.count(retry) >= WAITING, "the held events to wait in a retry topic")
    behind = [json.loads(line) for line in pipeline.invoke("lag", "--json").stdout.splitlines()]
    assert {row["topic"] for row in behind} <= {pipeline.source, retry, f"{pipeline.unique}.retry.2s"}
    first.kill()

    second = pipeline.worker("w1")
    control(pipeline, "running", codec)
    pipeline.wait_for_results(before + 200)
    assert second.stop() == 0, second.output
    results = [result for result in pipeline.read_results() if "status" in result]
    assert sorted(result["message_id"] for result in results) == sorted(f"m{n}" for n in range(200))
    assert {result["status"] for result in results} == {"accepted"}
    taken = [record["ref"] for request in pipeline.requests() for record in request["taken"]]
    assert sorted(taken) == sorted(f"m{n}" for n in range(200))
    done = {place: it.offset for place, it in committed(pipeline.bootstrap, pipeline.unique, pipeline.source).items()}
    assert done == end_offsets(pipeline.bootstrap, pipeline.source)

    told = pipeline.invoke("results", "--json", "-n", "500").stdout.splitlines()
    assert len([line for line in told if "accepted" in line]) == 200
    assert "accepted" in pipeline.invoke("trace", "m3", "--since", "1h").stdout
    assert pipeline.invoke("lag", "--json").stdout == ""
