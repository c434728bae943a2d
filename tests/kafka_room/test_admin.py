"""The embedded broker knows neither configurations nor topic creation: what it cannot do is said, the rest works."""

import pytest

from connector.errors import ConnectorError, TopicError
from connector.kafka.admin import count_brokers, create_topics, describe_topics, open_admin
from connector.kafka.topic_plan import Topic
from connector.settings.model import Settings
from connector.tools.simulator.broker import Broker


@pytest.fixture
def settings():
    broker = Broker()
    yield at(broker.start())
    broker.stop()


def at(bootstrap: str) -> Settings:
    return Settings.model_validate({"kafka": {"bootstrap.servers": bootstrap}})


async def test_a_broker_that_cannot_create_topics_is_told_in_words(settings) -> None:
    async with open_admin(settings) as client:
        assert await count_brokers(client) == 1
        with pytest.raises(TopicError, match="this broker cannot create topics on request"):
            await create_topics(client, [Topic("t", "source", 1)], replication=1)


async def test_looking_for_a_topic_does_not_create_it(settings) -> None:
    async with open_admin(settings) as client:
        assert await describe_topics(client, ["t"]) == {}
        assert await describe_topics(client, ["t"]) == {}
        assert "t" not in await client.list_topics()


async def test_nothing_to_create_asks_nothing(settings) -> None:
    async with open_admin(settings) as client:
        assert await create_topics(client, [], replication=1) == []


async def test_where_no_broker_answers_the_setting_is_named() -> None:
    with pytest.raises(
        ConnectorError, match=r"none of 127\.0\.0\.1:1 can be used .*127\.0\.0\.1:1: connection refused"
    ):
        async with open_admin(at("127.0.0.1:1")):
            pass
