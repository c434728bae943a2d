"""OAUTHBEARER on a real broker that verifies signed tokens, given by an endpoint of the test."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from connector.errors import ConnectorError
from connector.kafka.admin import open_admin
from connector.settings.model import Settings
from tests import marked
from tests.integration.pipeline import Pipeline, event
from tests.integration.test_security import roundtrip
from tests.kafka.local import LocalKafka
from tests.kafka.tokens import TokenEndpoint
from tests.processes import StartConnector
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

CLIENT = "sms-connector"


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """aiokafka leaves connections that were refused to the collector, which would blame a later test for them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def endpoint(secure_kafka: LocalKafka) -> Iterator[TokenEndpoint]:
    security = secure_kafka.security
    assert security is not None
    assert security.tokens is not None
    made = TokenEndpoint(security.tokens, client=CLIENT, secret=marked.PASSWORD, subject=security.user)
    with made.running() as running:
        yield running


def kafka(cluster: LocalKafka, endpoint: TokenEndpoint, **changes: str) -> dict[str, str]:
    assert cluster.security is not None
    return {
        "bootstrap.servers": cluster.sasl_bootstrap,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(cluster.security.certificates.ca),
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.token.endpoint.url": endpoint.url,
        "sasl.oauthbearer.client.id": CLIENT,
        "sasl.oauthbearer.client.secret": marked.PASSWORD,
        **changes,
    }


def settings(found: dict[str, Any]) -> Settings:
    return Settings.model_validate({"kafka": found, "timeouts": {"broker_request": "5s", "session": "5s"}})


async def test_admin_producer_and_consumer_get_in_with_one_token(
    secure_kafka: LocalKafka, endpoint: TokenEndpoint, unique: str
) -> None:
    await roundtrip(secure_kafka, settings(kafka(secure_kafka, endpoint)), unique)
    assert len(endpoint.asked) == 1


async def test_a_wrong_secret_is_told_as_the_endpoint_says(secure_kafka: LocalKafka, endpoint: TokenEndpoint) -> None:
    wrong = kafka(secure_kafka, endpoint, **{"sasl.oauthbearer.client.secret": "hunter2 of yesterday"})
    with pytest.raises(ConnectorError, match=r"invalid_client.*no token is given") as caught:
        async with open_admin(settings(wrong)):
            pass
    assert "hunter2" not in str(caught.value)


async def test_an_endpoint_that_is_away_is_told_by_its_address(
    secure_kafka: LocalKafka, endpoint: TokenEndpoint
) -> None:
    away = kafka(secure_kafka, endpoint, **{"sasl.oauthbearer.token.endpoint.url": "http://127.0.0.1:1/token"})
    with pytest.raises(ConnectorError, match=r"http://127\.0\.0\.1:1/token does not answer"):
        async with open_admin(settings(away)):
            pass


async def test_a_token_that_the_broker_does_not_take_is_told(secure_kafka: LocalKafka, endpoint: TokenEndpoint) -> None:
    endpoint.seconds = -100
    changed = kafka(secure_kafka, endpoint, **{"client.id": "expired"})
    with pytest.raises(ConnectorError, match=r"Authentication|invalid_token"):
        async with open_admin(settings(changed)):
            pass


def test_a_whole_worker_outlives_its_tokens_and_an_endpoint_that_is_away(
    secure_kafka: LocalKafka, endpoint: TokenEndpoint, unique: str, tmp_path: Any, start_connector: StartConnector
) -> None:
    """The broker ends each connection with its token, after seconds here; the next one is made with another."""
    endpoint.seconds = 8
    pipeline = Pipeline(tmp_path, secure_kafka.bootstrap, unique, start_connector)
    pipeline.simulate()
    pipeline.define()
    (tmp_path / "secret").write_text(marked.PASSWORD + "\n")
    found = kafka(secure_kafka, endpoint, **{"sasl.oauthbearer.client.secret": "${file:secret}", "client.rack": "a"})
    pipeline.configure(kafka=found)
    pipeline.create_topics()
    worker = pipeline.worker()
    for part in range(5):
        asked = len(endpoint.asked)
        pipeline.produce(event(part * 50 + n) for n in range(50))
        pipeline.wait_for_results(50 * (part + 1))
        if part == 2:
            endpoint.answer = 503, b"<html>"
        wait_asked(endpoint, asked + (3 if part == 2 else 1))
        endpoint.answer = None
    assert worker.stop() == 0, worker.output
    assert pipeline.audit().statuses == {"accepted": 250}
    assert pipeline.audit().sent_again == 0
    assert pipeline.leaks() == []


def wait_asked(endpoint: TokenEndpoint, times: int) -> None:
    wait_until(lambda: len(endpoint.asked) >= times, "the endpoint to be asked again", within=60)
