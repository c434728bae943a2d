"""`sms-connector topics`: create the topics, compare them with what the connector needs, give them more partitions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import click

from connector.cli.options import settings_options
from connector.cli.output import counted, note
from connector.errors import TopicError, UsageError
from connector.kafka.admin import count_brokers, create_topics, describe_topics, expand_topic, open_admin
from connector.kafka.receipt_topics import check_receipts, with_receipts
from connector.kafka.receipt_topics import names as receipt_names
from connector.kafka.topic_plan import DURABLE_REPLICATION, ActualTopic, check_access, expansion, missing, plan
from connector.kafka.topic_plan import check as check_plan
from connector.kafka.topic_texts import TOPIC_TEXTS, TopicText, written
from connector.settings import Loaded, Settings


@click.group()
def topics() -> None:
    """Create, check or expand the topics on the cluster."""


@topics.command()
@click.option("--partitions", type=click.IntRange(1), help="Of new source topics; default: as the others, else 12.")
@click.option(
    "--replication", type=click.IntRange(1), help="Replicas; default: 3, or one per broker where there are fewer."
)
@settings_options
def create(loaded: Loaded, partitions: int | None, replication: int | None) -> None:
    """Create the topics that are missing; existing ones are left as they are, and checked.

    Exit codes: 0 they are there, 1 Kafka cannot be used, 2 usage, 78 configuration: a topic does not fit.

    \b
    Examples:
      sms-connector topics create
      sms-connector topics create --partitions 24 --replication 3
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    asyncio.run(_create(loaded.settings, partitions, replication))


@topics.command()
@click.option(
    "--print",
    "form",
    type=click.Choice(TOPIC_TEXTS),
    help="Write all topics with their settings, for who may create them; nothing is compared.",
)
@click.option(
    "--partitions", type=click.IntRange(1), help="With --print: of all; without it the cluster is asked, else 12."
)
@click.option("--replication", type=click.IntRange(1), default=3, show_default=True, help="With --print: replicas.")
@settings_options
def check(loaded: Loaded, form: TopicText | None, partitions: int | None, replication: int) -> None:
    """Compare the topics on the cluster with what a worker needs: partitions, configuration, access of this principal.

    --print writes them as commands of Kafka's own tools, for Terraform or for Strimzi, where this principal may create
    none. With --partitions nothing is asked of the cluster.

    Exit codes: 0 they fit, 1 Kafka cannot be used, 2 usage, 78 configuration: something has to be mended.

    \b
    Examples:
      sms-connector topics check
      sms-connector topics check --print commands --partitions 24
      sms-connector topics check --print strimzi > topics.yaml
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    if form is None:
        if partitions is not None:
            raise UsageError("--partitions is for --print: the number is the cluster's")
        asyncio.run(_check(loaded.settings))
        return
    actual = asyncio.run(_actual(loaded.settings)) if partitions is None else {}
    wanted = plan(loaded.settings.topics, actual, journal=True, partitions=partitions, replication=replication)
    click.echo(written(with_receipts(wanted, loaded.settings, actual), form), nl=False)


@topics.command()
@click.argument("partitions", type=click.IntRange(1), metavar="N")
@click.option("--yes", is_flag=True, help="Do it; without it, only say what would be done.")
@settings_options
def expand(loaded: Loaded, partitions: int, *, yes: bool) -> None:
    """Give the topics N partitions: results, retry and journal first, messages last. Workers may go on running.

    Keys move: Kafka chooses a partition by the key's hash modulo their number, so new events of a recipient may stand
    in another partition than the older ones, and overtake those that still wait. Nothing is lost or sent twice.
    Partitions cannot be taken away again. Topics of receipts stay as they are: they need not have as many.

    Exit codes: 0 done, or said; 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector topics expand 24
      sms-connector topics expand 24 --yes
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    asyncio.run(_expand(loaded.settings, partitions, really=yes))


async def _expand(settings: Settings, partitions: int, *, really: bool) -> None:
    async with open_admin(settings) as client:
        actual = await describe_topics(client, _names(settings))
        for name in settings.topics.source_names:
            if name not in actual:
                raise UsageError(f"{name} is not on the cluster: `sms-connector topics create` makes it")
            if actual[name].partitions > partitions:
                raise UsageError(f"{name} has {actual[name].partitions} partitions; Kafka cannot take any away")
        for name in expansion(settings.topics, actual, partitions):
            if really:
                await expand_topic(client, name, partitions)
            click.echo(f"{'expanded' if really else 'would expand'}  {name}  {actual[name].partitions} → {partitions}")
    if not really:
        note("nothing was changed: add --yes to do it. Keys move, see --help.")


async def _create(settings: Settings, partitions: int | None, replication: int | None) -> None:
    async with open_admin(settings) as client:
        actual = await describe_topics(client, _names(settings))
        _agree(settings, actual, partitions)
        replicas = replication or min(DURABLE_REPLICATION, await count_brokers(client))
        wanted = with_receipts(
            plan(
                settings.topics,
                actual,
                suppressions=settings.suppressions.enabled,
                partitions=partitions,
                replication=replicas,
            ),
            settings,
            actual,
        )
        created = set(await create_topics(client, missing(wanted, actual), replication=replicas))
        for topic in wanted.topics:
            if topic.name in created:
                size = f"{counted(topic.partitions, 'partition')}, {counted(replicas, 'replica')}"
                click.echo(f"created  {topic.name}  ({size})")
            else:
                click.echo(f"exists   {topic.name}")
        # What was just created is as planned; what was there before may not be.
        found = check_plan(wanted, actual) + check_receipts(wanted, settings, actual)
        if problems := [problem for problem in found if problem.path not in created]:
            raise TopicError(problems)


async def _actual(settings: Settings) -> Mapping[str, ActualTopic]:
    async with open_admin(settings) as client:
        return await describe_topics(client, _names(settings))


async def _check(settings: Settings) -> None:
    async with open_admin(settings) as client:
        actual = await describe_topics(client, _names(settings))
    planned = plan(settings.topics, actual, suppressions=settings.suppressions.enabled)
    wanted = with_receipts(planned, settings, actual)
    found = check_plan(wanted, actual) + check_receipts(wanted, settings, actual)
    if problems := found + check_access(wanted, actual):
        raise TopicError(problems)
    click.echo(f"{counted(len(actual), 'topic')} fit" + ("s" if len(actual) == 1 else ""))
    unread = [name for name, topic in actual.items() if topic.configs is None]
    if unread:
        note(f"not compared, because their configuration may not be read: {', '.join(unread)}")
    unasked = [name for name, topic in actual.items() if topic.operations is None]
    if unasked:
        note(f"not known, because the brokers do not tell: access to {', '.join(unasked)}")
    if settings.topics.journal not in actual:
        note(f"{settings.topics.journal} is missing: `sms-connector topics create` makes it")


def _agree(settings: Settings, actual: Mapping[str, ActualTopic], partitions: int | None) -> None:
    for name in settings.topics.source_names:
        if partitions is not None and name in actual and actual[name].partitions != partitions:
            raise UsageError(
                f"--partitions {partitions}: {name} has {actual[name].partitions}, and results stand in the partition "
                "with their event's number; leave the option out"
            )


def _names(settings: Settings) -> list[str]:
    planned = plan(settings.topics, {}, suppressions=settings.suppressions.enabled)
    names = [topic.name for topic in planned.topics]
    return [*names, *receipt_names(settings)] if settings.receive.url is not None else names
