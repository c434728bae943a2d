"""A real schema registry and real brokers: what the serializers of others write is sent, whoever is away meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2

from tests.formats.test_protobuf import MADE, SECOND, common, events
from tests.integration.pipeline import Pipeline, event
from tests.integration.registry import SchemaRegistry, runner
from tests.kafka.find import required
from tests.kafka.jars import JarsUnavailableError
from tests.kafka.records import Event, produce, read_all
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]  # Maven may have to resolve the registry

RECIPIENT = {"type": "record", "name": "acme.Recipient", "fields": [{"name": "msisdn", "type": "long"}]}
AVRO = {
    "type": "record",
    "name": "acme.Shipped",
    "fields": [
        {"name": "order", "type": "string"},
        {"name": "recipient", "type": "acme.Recipient"},
        {"name": "note", "type": ["null", "string"], "default": None},
    ],
}
JSON = {"title": "Shipped", "type": "object", "properties": {"order": {"type": "string"}}}
CUSTOM = "{hid: 'h1', uid: %s}"
COMMON = {
    "provider": "'batched'",
    "campaign_id": "'c0'",
    "template_id": "'t1'",
    "template_variables": "{name: 'Zoë'}",
}
NUMBER = "join('', ['+', to_string(%s)])"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SchemaRegistry]:
    try:
        runner()
    except JarsUnavailableError as error:
        if required():
            pytest.fail(f"needs a schema registry: {error} (CI is set: a skip is a failure)", pytrace=False)
        pytest.skip(f"needs a schema registry: {error}")
    process = SchemaRegistry(tmp_path_factory.mktemp("registry"))
    try:
        process.wait()
        yield process
    finally:
        process.stop()


@pytest.fixture
def client(registry: SchemaRegistry) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": registry.url}) as made:
        yield made


class Shop:
    """A pipeline with a source of each format beside the plain one."""

    def __init__(self, pipeline: Pipeline, registry: SchemaRegistry, client: SchemaRegistryClient) -> None:
        self.pipeline, self.client = pipeline, client
        self.avro, self.protobuf, self.json = (f"{pipeline.unique}.{it}" for it in ("avro", "protobuf", "json"))
        pipeline.simulate()
        pipeline.define()
        file = pipeline.folder / "events.desc"
        file.write_bytes(descriptor_pb2.FileDescriptorSet(file=[common(), events()]).SerializeToString())
        topics: dict[str, Any] = json.loads(pipeline.configure().read_bytes())["topics"]
        by_order = {"message_id": "order", "to": NUMBER % "recipient.msisdn", "custom": CUSTOM % "order", **COMMON}
        by_id = {"message_id": "id", "to": NUMBER % "to.msisdn", "custom": CUSTOM % "id", **COMMON}
        topics["sources"] += [
            {"topic": self.avro, "format": "avro", "message": by_order},
            {
                "topic": self.protobuf,
                "format": "protobuf",
                "descriptors": str(file),
                "type": "acme.Sms",
                "message": by_id,
            },
            {"topic": self.json, "format": "json-schema", "message": by_order, "cloudevents": True},
        ]
        topics["sources"][-1]["message"] = {name: _in_data(it) for name, it in by_order.items()}
        pipeline.configure(
            topics=topics,
            registry={"url": registry.url, "timeout": "1s"},
            results={"headers": ["correlation-id"]},
            health={"port": 0},
        )
        pipeline.create_topics()

    def avro_serializer(self, **changes: Any) -> AvroSerializer:
        """Its schema is registered, with the one that it refers to."""
        subject = f"{self.pipeline.unique}-recipient"
        self.client.register_schema(subject, Schema(json.dumps(RECIPIENT), "AVRO"))
        reference = SchemaReference("acme.Recipient", subject, 1)
        schema = Schema(json.dumps({**AVRO, **changes}), "AVRO", references=[reference])
        return AvroSerializer(self.client, schema)

    def produce_avro(self, serializer: AvroSerializer, numbers: range) -> None:
        field = SerializationContext(self.avro, MessageField.VALUE)
        values = (
            (n, serializer({"order": f"a{n}", "recipient": {"msisdn": 919800000000 + 10 * n + 9}, "note": None}, field))
            for n in numbers
        )
        produce(self.pipeline.bootstrap, self.avro, (_event(value, n) for n, value in values))

    def statuses(self) -> Counter[tuple[str, str]]:
        found = self.pipeline.read_results()
        return Counter((it["source"]["topic"].rpartition(".")[2], it["status"]) for it in found)


def _in_data(text: str) -> str:
    return text.replace("order", "data.order").replace("recipient", "data.recipient")


def _event(value: bytes | None, number: int, **headers: bytes) -> Event:
    return Event(value, key=b"k%d" % number, headers={"correlation-id": b"c%d" % number, **headers})


def test_what_serializers_write_is_sent_and_answered(
    pipeline: Pipeline, registry: SchemaRegistry, client: SchemaRegistryClient
) -> None:
    shop = Shop(pipeline, registry, client)
    shop.produce_avro(shop.avro_serializer(), range(50))
    sms = [MADE["acme.Sms"](id=f"p{n}", to={"msisdn": 919800000000 + 10 * n + 9}) for n in range(50)]
    produce(
        pipeline.bootstrap,
        shop.protobuf,
        (_event(b"\0\0\0\0\1" + SECOND + each.SerializeToString(), n) for n, each in enumerate(sms)),
    )
    serializer = JSONSerializer(json.dumps(JSON), shop.client)
    field = SerializationContext(shop.json, MessageField.VALUE)
    attributes = {f"ce_{name}": b"1.0" for name in ("specversion", "id", "source", "type")}
    orders = [{"order": f"j{n}", "recipient": {"msisdn": 919800000000 + 10 * n + 9}} for n in range(50)]
    produce(
        pipeline.bootstrap, shop.json, (_event(serializer(it, field), n, **attributes) for n, it in enumerate(orders))
    )
    produce(pipeline.bootstrap, shop.avro, [b"\0\0\xff\xff\xffwho", b"{}", b"\0", b""])
    worker = pipeline.worker()
    pipeline.wait_for_results(154)
    assert worker.stop() == 0, worker.output
    assert shop.statuses() == {
        ("avro", "accepted"): 50,
        ("protobuf", "accepted"): 50,
        ("json", "accepted"): 50,
        ("avro", "invalid"): 4,
    }
    for record in pipeline.read_result_records():
        result = json.loads(record.value or b"")
        if result["status"] == "accepted":
            assert record.headers["correlation-id"] == b"c" + result["message_id"][1:].encode()
    reasons = sorted(it["reason"] for it in pipeline.read_results() if it["status"] == "invalid")
    assert "the registry has no schema 16777215" in reasons[-1], reasons
    assert len(read_all(pipeline.bootstrap, pipeline.dead_letters)) == 4


def test_commands_find_send_and_replay_events_of_other_formats(
    pipeline: Pipeline, registry: SchemaRegistry, client: SchemaRegistryClient
) -> None:
    shop = Shop(pipeline, registry, client)
    shop.produce_avro(shop.avro_serializer(), range(3))
    attributes = {f"ce_{name}": b"1.0" for name in ("specversion", "id", "source", "type")}
    order = json.dumps({"order": "j7", "recipient": {"msisdn": 919800000079}}).encode()
    produce(pipeline.bootstrap, shop.json, [_event(b"\0\0\0\0\1" + order, 7, **attributes)])
    events = pipeline.folder / "events.jsonl"
    events.write_text(json.dumps(event(5)) + "\n")
    pipeline.invoke("send", str(events), "--topic", shop.avro)
    worker = pipeline.worker()
    pipeline.wait_for_results(5)
    for message_id in ("a1", "j7", "m5"):
        (found,) = pipeline.invoke("trace", message_id, "--json").stdout.splitlines()
        assert '"accepted"' in found
        assert json.loads(found)["event"] is not None
    replay = ("replay", "--from", "results", "--status", "accepted", "--may-repeat", "--since", "1h", "--yes")
    assert "5 events from results replayed" in pipeline.invoke(*replay).stderr
    pipeline.wait_for_results(10)
    assert worker.stop() == 0, worker.output
    assert shop.statuses() == {("avro", "accepted"): 8, ("json", "accepted"): 2}


def test_a_registry_that_is_away_holds_its_source_over_a_kill_and_loses_nothing(
    pipeline: Pipeline, registry: SchemaRegistry, client: SchemaRegistryClient
) -> None:
    shop = Shop(pipeline, registry, client)
    shop.produce_avro(shop.avro_serializer(), range(20))
    first = pipeline.worker("w0")
    pipeline.wait_for_results(20)
    shop.produce_avro(shop.avro_serializer(doc="a later version"), range(20, 60))
    registry.pause()
    try:
        first.wait_for("the schema registry cannot be asked", within=60)
        first.kill()
        second = pipeline.worker("w1")
        second.wait_for("the schema registry cannot be asked", within=60)
        wait_until(lambda: "events of" in _ready(second.output), "the worker to say so")
        assert pipeline.count_results() == 20
    finally:
        registry.resume()
    pipeline.wait_for_results(60)
    assert second.stop() == 0, second.output
    assert shop.statuses() == {("avro", "accepted"): 60}


def _ready(output: str) -> str:
    line = next(json.loads(it) for it in output.splitlines() if '"event": "health"' in it or '"health"' in it)
    try:
        with urlopen(f"{line['url']}/health/ready", timeout=5) as response:
            return str(response.read())
    except HTTPError as error:
        return error.read().decode()
