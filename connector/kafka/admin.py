"""Asking the cluster about topics, and creating them: thin shells around the admin client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnsupportedVersionError,
    for_code,
)

from connector.errors import ConnectorError, Problem, TopicError
from connector.kafka.access import allowed
from connector.kafka.clients import admin
from connector.kafka.topic_lookup import look_up
from connector.kafka.topic_plan import ActualTopic, Topic
from connector.library_logs import plain_reason
from connector.settings.model import Settings

UNSUPPORTED = (IncompatibleBrokerVersion, UnsupportedVersionError, NotImplementedError)
"""How aiokafka says that a broker does not know a request (librdkafka's mock cluster knows few)."""

NOT_ALLOWED = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)

CREATED_SECONDS = 15.0
"""How long a broker may take to hear of a topic from its controller; a second is much."""


@asynccontextmanager
async def open_admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client. Raises ConnectorError, with what each broker answered, when none lets us in."""
    client = admin(settings)
    try:
        with _listening() as heard:
            try:
                await client.start()
            except KafkaError as error:
                raise ConnectorError(_unreachable(settings, heard)) from error
        yield client
    except KafkaError as error:
        raise ConnectorError(f"Kafka refused: {error.__class__.__name__}: {error}") from error
    finally:
        await client.close()


async def describe_topics(client: AIOKafkaAdminClient, wanted: Iterable[str]) -> dict[str, ActualTopic]:
    """The topics of these names that are there."""
    listed = await look_up(client, wanted)
    names = [topic["topic"] for topic in listed]
    configs, operations = await _configs(client, names), await allowed(client, names)
    return {
        topic["topic"]: ActualTopic(
            name=topic["topic"],
            partitions=len(topic["partitions"]),
            replication=min((len(partition["replicas"]) for partition in topic["partitions"]), default=0),
            configs=configs.get(topic["topic"]),
            operations=operations.get(topic["topic"]),
        )
        for topic in listed
    }


async def count_brokers(client: AIOKafkaAdminClient) -> int:
    """Brokers of the cluster."""
    return len((await client.describe_cluster())["brokers"])


async def create_topics(client: AIOKafkaAdminClient, topics: Iterable[Topic], *, replication: int) -> list[str]:
    """Create topics; those that are there already are left as they are. Returns the names created.

    Raises:
        TopicError: the broker refused, with one problem per topic.
    """
    wanted = [NewTopic(t.name, t.partitions, replication, topic_configs=dict(t.configs)) for t in topics]
    if not wanted:
        return []
    no_such_request = Problem(
        "this broker cannot create topics on request", "an embedded mock broker makes them when they are first used"
    )
    cluster = await client.describe_cluster()
    if cluster["controller_id"] not in {broker["node_id"] for broker in cluster["brokers"]}:
        raise TopicError([no_such_request])  # librdkafka's mock cluster: no controller, and aiokafka would trip over it
    try:
        response = await client.create_topics(wanted)
    except UNSUPPORTED as error:
        raise TopicError([no_such_request]) from error
    created, problems = [], []
    for name, code, *text in response.topic_errors:
        if code == 0:
            created.append(name)
        elif for_code(code) is not TopicAlreadyExistsError:
            reason = next((part for part in text if part), for_code(code).__name__)
            problems.append(
                Problem(
                    f"cannot be created: {reason}",
                    "choose --partitions and --replication that this cluster takes",
                    path=name,
                )
            )
    if problems:
        raise TopicError(problems)
    await _known(client, created)
    return created


async def expand_topic(client: AIOKafkaAdminClient, topic: str, partitions: int) -> None:
    """Give a topic more partitions; returns when the brokers know. Raises what aiokafka raises."""
    await client.create_partitions({topic: NewPartitions(partitions)})
    with suppress(TimeoutError):
        async with asyncio.timeout(CREATED_SECONDS):
            while (await describe_topics(client, [topic]))[topic].partitions < partitions:  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def _known(client: AIOKafkaAdminClient, names: Iterable[str]) -> None:
    """Wait until the brokers know these topics: the controller does first, and whoever asks at once would miss them."""
    unknown = set(names)
    with suppress(TimeoutError):
        async with asyncio.timeout(CREATED_SECONDS):
            while unknown := unknown - set(await client.list_topics()):  # noqa: ASYNC110  a broker gives no event
                await asyncio.sleep(0.1)


def _unreachable(settings: Settings, heard: list[str]) -> str:
    reasons = "; ".join(dict.fromkeys(map(plain_reason, heard))) or "nothing answered"
    return (
        f"kafka.bootstrap.servers: none of {', '.join(settings.kafka.servers)} can be used ({reasons}); "
        f"check the addresses, that security.protocol {settings.kafka.security_protocol} is what they speak, "
        "and the credentials"
    )


@contextmanager
def _listening() -> Iterator[list[str]]:
    """What aiokafka logs meanwhile: why a connection failed stands in its log only, not in the error it raises."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    ear = Ear(logging.WARNING)
    logger = logging.getLogger("aiokafka")
    logger.addHandler(ear)
    try:
        yield heard
    finally:
        logger.removeHandler(ear)


async def _configs(client: AIOKafkaAdminClient, names: list[str]) -> Mapping[str, Mapping[str, str]]:
    """Configuration by topic, without topics whose configuration we may not read."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    try:
        responses = await client.describe_configs(resources)
    except (*UNSUPPORTED, *NOT_ALLOWED):
        return {}
    found: dict[str, Mapping[str, str]] = {}
    for response in responses:
        for code, _message, _type, name, entries in response.resources:
            if code == 0:
                found[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    return found
