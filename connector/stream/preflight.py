"""Before a worker starts: do the topics fit, is nothing left in retry topics that nobody reads, is the span enough?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from connector.clock import SystemClock
from connector.definition.tree import Definition
from connector.errors import Problem, TopicError
from connector.kafka import clients
from connector.kafka.admin import describe_topics, open_admin
from connector.kafka.committed import committed_offsets
from connector.kafka.outage import Outlast
from connector.kafka.topic_plan import TopicPlan, check, check_access, plan, untold
from connector.model import Campaign, CampaignState
from connector.settings.model import Settings
from connector.stream.control.table import ControlTable
from connector.stream.lanes import reports
from connector.stream.partitions.copartitions import retry_group

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 30.0
"""How long brokers that let us in may answer nothing: one of them may be starting."""


async def preflight(settings: Settings, definitions: Mapping[str, Definition]) -> TopicPlan:
    """Refuse to start on topics that do not fit. Returns what they are.

    Raises:
        TopicError: with every problem.
        ConnectorError: no broker answers.
    """
    outlast = Outlast(SystemClock(), patience=PATIENCE_SECONDS, limit=PATIENCE_SECONDS)
    async with open_admin(settings) as admin:
        wanted = await outlast(lambda: _look(settings, definitions, admin), doing="looking at the topics")
    assert wanted is not None
    tell_span(settings, definitions)
    return wanted


async def _look(settings: Settings, definitions: Mapping[str, Definition], admin: AIOKafkaAdminClient) -> TopicPlan:
    topics = settings.topics
    names = {
        *topics.source_names,
        topics.results,
        topics.dead_letters,
        topics.journal,
        topics.control,
        topics.suppressions,
        *topics.retry.values(),
    }
    actual = await describe_topics(admin, names)
    wanted = plan(
        topics,
        actual,
        journal=any(map(reports, definitions.values())),
        suppressions=settings.suppressions.enabled,
    )
    problems = check(wanted, actual) + check_access(wanted, actual)
    if not problems:
        problems = await _left_behind(settings, admin)
    if problems:
        raise TopicError(problems)
    if unknown := untold(wanted, actual):
        log.warning("not known before the first result: whether these topics can be written to", topics=unknown)
    return wanted


def tell_span(settings: Settings, definitions: Mapping[str, Definition]) -> None:
    """The one thing that can stop other providers' messages, as a figure."""
    longest = max((it.http.total or settings.timeouts.http_total for it in definitions.values()), default=0.0)
    if longest > 0:
        log.info(
            "up to this rate no slow request holds up others of its partition",
            events_per_second_and_partition=int(settings.span / longest),
            slowest_request_seconds=longest,
        )


def warn_of_narrow_span(
    settings: Settings, definitions: Mapping[str, Definition], control: ControlTable, partitions: int
) -> None:
    """Say so where the campaigns of the control table need a longer span for full batches."""
    wanted = span_for(definitions, control.campaigns.values(), partitions)
    if wanted > settings.span:
        log.warning("span is too small for full batches of all campaigns", span=settings.span, wanted=wanted)


def span_for(definitions: Mapping[str, Definition], campaigns: Iterable[Campaign], partitions: int) -> int:
    """The span that full batches of these campaigns need.

    A batch key fills to F records while K keys are interleaved only when about K × F offsets are open; twice that is
    wanted, so that full ones can be under way. Keys are counted as running campaigns; events may bring more.
    """
    needed = 0
    for campaign in campaigns:
        definition = definitions.get(campaign.provider or "")
        if definition is not None and campaign.state is CampaignState.RUNNING:
            needed += max(1 if it.batching is None else it.batching.max_records for it in definition.operations)
    return -(-2 * needed // max(1, partitions))


async def _left_behind(settings: Settings, admin: AIOKafkaAdminClient) -> list[Problem]:
    """Retry topics of an earlier configuration that hold messages nobody would read again."""
    topics = settings.topics
    unread = [
        topic["topic"]
        for topic in await admin.describe_topics()
        if topic["topic"].startswith(f"{topics.retry_prefix}.") and topic["topic"] not in topics.retry.values()
    ]
    if not unread:
        return []
    numbers = await admin.describe_topics(unread)
    partitions = [TopicPartition(it["topic"], each["partition"]) for it in numbers for each in it["partitions"]]
    offsets = await committed_offsets(admin, retry_group(settings.group), partitions)
    consumer = AIOKafkaConsumer(**clients.connect(settings.kafka).options(), group_id=None, enable_auto_commit=False)
    await clients.started(consumer)
    try:
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    waiting: dict[str, int] = dict.fromkeys(unread, 0)
    for tp in partitions:
        committed = offsets[tp].offset if tp in offsets else -1
        waiting[tp.topic] += max(0, ends[tp] - max(begins[tp], committed))
    return [
        Problem(
            f"holds {count} records, but topics.retry_tiers does not have its delay: nobody would read them",
            f"add {topic.removeprefix(f'{topics.retry_prefix}.')} to topics.retry_tiers until it is empty",
            path=topic,
        )
        for topic, count in waiting.items()
        if count
    ]
