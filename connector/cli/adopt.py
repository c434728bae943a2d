"""`sms-connector adopt`: a second cluster takes over, and sends nothing again that the first one's results finish."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import click
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from connector.cli.adopted import AdoptedPartition, MisplacedResultError
from connector.cli.options import settings_options
from connector.cli.output import note, print_json, print_table
from connector.errors import ConfigurationError, ConnectorError, Problem, UsageError
from connector.kafka.clients import connect
from connector.kafka.produce import Outgoing, RecordPlace, open_producer, produce
from connector.kafka.reader import TopicReader, open_reader
from connector.settings import Loaded, Settings

AT_ONCE = 10_000
"""Results that are held before they are written."""


@dataclass(slots=True)
class TakenOver:
    """What there is to take over.

    Attributes:
        events: in the sources of this cluster.
        finished: of these by results of this cluster.
        adopted: of these by results of the other one.
        elsewhere: results of the other one whose event is not here: it was not mirrored, or is gone.
        starts: per partition the first event that is left to send, or the end of its log.
    """

    events: int = 0
    finished: int = 0
    adopted: int = 0
    elsewhere: int = 0
    starts: dict[TopicPartition, int] = field(default_factory=dict)

    def add(self, other: TakenOver) -> None:
        """Another partition's."""
        self.events += other.events
        self.finished += other.finished
        self.adopted += other.adopted
        self.elsewhere += other.elsewhere
        self.starts |= other.starts

    @property
    def left(self) -> int:
        """Events that workers will send."""
        return self.events - self.finished - self.adopted


@click.command()
@click.argument("results", metavar="RESULTS")
@click.option("--yes", is_flag=True, help="Do it; without it, only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@settings_options
def adopt(loaded: Loaded, results: str, *, yes: bool, as_json: bool) -> None:
    """Take over from another cluster whose topics were mirrored to this one, where events have other offsets.

    RESULTS is the mirrored topic of results, under another name than `topics.results`. Every event of the sources
    whose `message_id` has a result there gets a copy of it in `topics.results`, and the group starts at the first event
    that is left. Run it once mirroring has stopped. It may be run again until the first worker starts here, and never
    afterwards.

    Exit codes: 0 done, or said; 1 Kafka cannot be used, 2 usage, 78 configuration: a topic or the group does not fit.

    \b
    Examples:
      sms-connector adopt primary.sms.results
      sms-connector adopt primary.sms.results --yes
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    settings = loaded.settings
    if results == settings.topics.results:
        raise UsageError(
            f"{results} is `topics.results` itself: its offsets are the other cluster's; mirror it under another name"
        )
    if shaped := [source.topic for source in settings.topics.sources if not source.plain]:
        raise UsageError(f"events of {', '.join(shaped)} are not plain messages: their ids cannot be read here")
    summary = asyncio.run(_adopt(settings, results, really=yes))
    _tell(summary, done=yes, as_json=as_json)


async def _adopt(settings: Settings, results: str, *, really: bool) -> TakenOver:
    summary = TakenOver()
    async with open_reader(settings, note) as reader:
        members = await reader.members(settings.group)
        if members.number:
            remedy = "stop all workers of the group; they read results only when they start"
            raise ConfigurationError([Problem(f"{members.number} workers are running", remedy, path=settings.group)])
        sources = await reader.partitions(settings.topics.source_names)
        theirs = await reader.partitions([results])
        lacking = {tp.partition for tp in sources} - {tp.partition for tp in theirs}
        if lacking:
            remedy = "mirror it with the number of partitions that it has in the other cluster"
            raise ConfigurationError(
                [Problem(f"has no partition {min(lacking)}, and the sources have", remedy, path=results)]
            )
        for tp in theirs:
            here = [source for source in sources if source.partition == tp.partition]
            summary.add(await _take_over(reader, settings, tp, here, really=really))
    if really:
        await _commit(settings, summary.starts)
    return summary


async def _take_over(
    reader: TopicReader,
    settings: Settings,
    theirs: TopicPartition,
    sources: Sequence[TopicPartition],
    *,
    really: bool,
) -> TakenOver:
    """The events of one number: all sources share the results' partition of this number."""
    known = AdoptedPartition(settings.topics.source_names)
    bounds = await reader.bounds(sources)
    await _each(reader, sources, known.event)
    try:
        await _each(reader, [TopicPartition(settings.topics.results, theirs.partition)], known.own_result)
    except MisplacedResultError as error:
        remedy = "it was mirrored under its own name: name another topic in `topics.results`, and create it"
        raise ConfigurationError([Problem(str(error), remedy, path=settings.topics.results)]) from error
    copies: list[Outgoing] = []
    begin, end = (await reader.bounds([theirs]))[theirs]
    async for record in reader.scan({theirs: begin}, {theirs: end}):
        copies.extend(known.copies(record, settings.topics.results))
        if len(copies) >= AT_ONCE:
            await _write(settings, copies, really=really)
    await _write(settings, copies, really=really)
    starts = {tp: known.first_left(tp.topic, it.end) for tp, it in bounds.items()}
    return TakenOver(known.events, known.finished, known.adopted, known.elsewhere, starts)


async def _each(
    reader: TopicReader, partitions: Sequence[TopicPartition], seen: Callable[[ConsumerRecord], None]
) -> None:
    bounds = await reader.bounds(partitions)
    async for record in reader.scan(
        {tp: it.begin for tp, it in bounds.items()}, {tp: it.end for tp, it in bounds.items()}
    ):
        seen(record)


async def _write(settings: Settings, copies: list[Outgoing], *, really: bool) -> None:
    """Acknowledged by all replicas, and forgotten."""
    if really and copies:

        def acknowledged(_: Sequence[RecordPlace]) -> None:
            pass

        async with open_producer(settings) as client:
            await produce(client, copies, acknowledged)
    copies.clear()


async def _commit(settings: Settings, starts: dict[TopicPartition, int]) -> None:
    """Without metadata: the first worker then reads all results back."""
    client = AIOKafkaConsumer(**connect(settings.kafka).options(), group_id=settings.group, enable_auto_commit=False)
    try:
        await client.start()
        client.assign(list(starts))
        await client.commit({tp: OffsetAndMetadata(offset, "") for tp, offset in starts.items()})
    except KafkaError as error:
        raise ConnectorError(f"Kafka refused the offsets of group {settings.group}: {type(error).__name__}") from error
    finally:
        await client.stop()


def _tell(summary: TakenOver, *, done: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "events": summary.events,
                "finished_here": summary.finished,
                "finished_there": summary.adopted,
                "left": summary.left,
                "results_without_event": summary.elsewhere,
                "done": done,
            }
        )
        return
    rows = [
        ("events here", summary.events),
        ("finished by results of this cluster", summary.finished),
        ("finished by results of the other cluster", summary.adopted),
        ("left to send", summary.left),
        ("results whose event is not here", summary.elsewhere),
    ]
    print_table(("what", "number"), rows, right=("number",))
    note("taken over: start the workers" if done else "nothing was written: add --yes to do it")
