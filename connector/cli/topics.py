"""`sms-connector topics`: create the topics, or compare them with what the connector needs."""

from __future__ import annotations

import asyncio

import click

from connector.cli.options import settings_options
from connector.errors import TopicError
from connector.kafka.admin import count_brokers, create_topics, describe_topics, open_admin
from connector.kafka.topics import DURABLE_REPLICATION, TopicPlan, missing, plan
from connector.kafka.topics import check as check_plan
from connector.settings import Loaded, Settings


@click.group()
def topics() -> None:
    """Create or check the topics on the cluster."""


@topics.command()
@click.option("--partitions", type=click.IntRange(1), help="Of new source topics; default: as the others, else 12.")
@click.option(
    "--replication", type=click.IntRange(1), help="Replicas; default: 3, or one per broker where there are fewer."
)
@settings_options
def create(loaded: Loaded, partitions: int | None, replication: int | None) -> None:
    """Create the topics that are missing; existing ones are left as they are, and checked."""
    asyncio.run(_create(loaded.settings, partitions, replication))


@topics.command()
@settings_options
def check(loaded: Loaded) -> None:
    """Compare the topics on the cluster with what the connector needs. Exit code 78 when something must be mended."""
    asyncio.run(_check(loaded.settings))


async def _create(settings: Settings, partitions: int | None, replication: int | None) -> None:
    async with open_admin(settings) as client:
        actual = await describe_topics(client, _names(settings))
        replicas = replication or min(DURABLE_REPLICATION, await count_brokers(client))
        wanted = plan(settings.topics, actual, partitions=partitions, replication=replicas)
        created = set(await create_topics(client, missing(wanted, actual), replication=replicas))
        for topic in wanted.topics:
            if topic.name in created:
                click.echo(f"created  {topic.name}  ({topic.partitions} partitions, {replicas} replicas)")
            else:
                click.echo(f"exists   {topic.name}")
        # What was just created is as planned; what was there before may not be.
        if problems := [problem for problem in check_plan(wanted, actual) if problem.path not in created]:
            raise TopicError(problems)


async def _check(settings: Settings) -> None:
    async with open_admin(settings) as client:
        actual = await describe_topics(client, _names(settings))
    wanted = plan(settings.topics, actual)
    if problems := check_plan(wanted, actual):
        raise TopicError(problems)
    click.echo(f"{len(actual)} topics fit")
    unread = [name for name, topic in actual.items() if topic.configs is None]
    if unread:
        click.echo(f"not compared, because their configuration may not be read: {', '.join(unread)}", err=True)


def _names(settings: Settings) -> list[str]:
    everything: TopicPlan = plan(settings.topics, {})
    return [topic.name for topic in everything.topics]
