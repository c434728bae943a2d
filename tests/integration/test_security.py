"""SASL and TLS on a real broker: each mechanism gets every client of ours in, and nobody else."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from connector.errors import ConnectorError
from connector.kafka.admin import count_brokers, open_admin
from connector.kafka.clients import connect, producer
from connector.settings.model import Settings
from tests.integration.pipeline import Pipeline, event
from tests.kafka import records
from tests.kafka.local import LocalKafka

pytestmark = pytest.mark.kafka


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """aiokafka leaves connections that were refused to the collector, which would blame a later test for them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def sasl(kafka: LocalKafka, **changes: str) -> Settings:
    security = kafka.security
    assert security is not None
    return settings(
        {
            "bootstrap.servers": kafka.sasl_bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": security.user,
            "sasl.password": security.password,
            "ssl.ca.location": str(security.certificates.ca),
            **changes,
        }
    )


def mutual(kafka: LocalKafka, **changes: str | None) -> Settings:
    security = kafka.security
    assert security is not None
    return settings(
        {
            "bootstrap.servers": kafka.tls_bootstrap,
            "security.protocol": "SSL",
            "ssl.ca.location": str(security.certificates.ca),
            "ssl.certificate.location": str(security.certificates.client_certificate),
            "ssl.key.location": str(security.certificates.client_key),
            **changes,
        }
    )


def settings(kafka: dict[str, Any]) -> Settings:
    # A broker that refuses lets the client wait for its answer: not for long here.
    timeouts = {"broker_request": "5s", "session": "5s"}
    return Settings.model_validate({"kafka": kafka, "timeouts": timeouts})


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
async def test_admin_producer_and_consumer_get_in_with_each_mechanism(secure_kafka, unique, mechanism) -> None:
    await roundtrip(secure_kafka, sasl(secure_kafka, **{"sasl.mechanism": mechanism}), unique)


async def test_admin_producer_and_consumer_get_in_with_a_client_certificate(secure_kafka, unique) -> None:
    await roundtrip(secure_kafka, mutual(secure_kafka), unique)


async def roundtrip(kafka: LocalKafka, settings: Settings, topic: str) -> None:
    records.create_topics(kafka.bootstrap, topic, partitions=1)
    async with open_admin(settings) as client:
        assert await count_brokers(client) == 1
    async with producer(settings) as sender:
        await sender.send_and_wait(topic, b"hello")
    options = connect(settings.kafka).options()
    async with AIOKafkaConsumer(**options, group_id=topic, auto_offset_reset="earliest") as reader:
        reader.assign([TopicPartition(topic, 0)])
        assert (await reader.getone()).value == b"hello"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"sasl.password": "hunter2-guess"}, "invalid credentials with SASL mechanism SCRAM-SHA-512"),
        ({"sasl.mechanism": "PLAIN", "sasl.username": "stranger"}, "Invalid username or password"),
        ({"ssl.ca.location": "stranger"}, "certificate verify failed"),
    ],
)
async def test_wrong_credentials_or_an_unknown_authority_are_told_as_the_broker_says(
    secure_kafka, wrong, reason
) -> None:
    if "ssl.ca.location" in wrong:
        wrong = {"ssl.ca.location": str(secure_kafka.security.certificates.stranger)}
    with pytest.raises(ConnectorError, match=reason):
        async with open_admin(sasl(secure_kafka, **wrong)):
            pass


async def test_without_a_client_certificate_mutual_tls_lets_nobody_in(secure_kafka) -> None:
    with pytest.raises(ConnectorError):
        async with open_admin(mutual(secure_kafka, **{"ssl.certificate.location": None, "ssl.key.location": None})):
            pass


@pytest.mark.parametrize("way", ["SASL_SSL", "SSL"])
def test_a_whole_worker_runs_over_sasl_and_over_mutual_tls(
    secure_kafka, unique, tmp_path, start_connector, way
) -> None:
    pipeline = Pipeline(tmp_path, secure_kafka.bootstrap, unique, start_connector)
    pipeline.simulate()
    pipeline.define()
    (tmp_path / "password").write_text(secure_kafka.security.password + "\n")
    made = sasl(secure_kafka) if way == "SASL_SSL" else mutual(secure_kafka)
    kafka = made.kafka.model_dump(by_alias=True, mode="json", exclude_none=True)
    if way == "SASL_SSL":
        kafka["sasl.password"] = "${file:password}"
    pipeline.configure(kafka=kafka)
    pipeline.create_topics()
    pipeline.produce(event(n) for n in range(50))
    worker = pipeline.worker()
    pipeline.wait_for_results(50)
    assert worker.stop() == 0, worker.output
    assert pipeline.audit().statuses == {"accepted": 50}
    assert pipeline.leaks() == []
