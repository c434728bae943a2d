"""Before `receipts run` starts: do its topics fit, so that each state can be written once?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from connector.clock import SystemClock
from connector.errors import TopicError
from connector.kafka.admin import describe_topics, open_admin
from connector.kafka.outage import Outlast
from connector.kafka.receipt_topics import (
    COPARTITIONED,
    LOOKED_UP,
    check_receipt_access,
    check_receipts,
    limit,
    names,
    with_receipts,
)
from connector.kafka.topic_plan import Role, check, plan
from connector.settings.model import Settings
from connector.stream.preflight import PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class JoinTopics:
    """The topics of `receipts run` as they are on the cluster.

    Attributes:
        partitions: of each of them.
        limits: the largest record each takes.
        most: bytes of the largest record that is read.
    """

    partitions: int
    limits: Mapping[str, int]
    most: int


async def join_topics(settings: Settings) -> JoinTopics:
    """Ask the cluster.

    Raises:
        TopicError: with everything that has to be mended.
        ConnectorError: no broker answers.
    """
    outlast = Outlast(SystemClock(), patience=PATIENCE_SECONDS, limit=PATIENCE_SECONDS)
    topics, listing = settings.topics, settings.suppressions.enabled
    asked = [*names(settings), topics.suppressions]
    async with open_admin(settings) as admin:
        actual = await outlast(lambda: describe_topics(admin, asked), doing="looking at the topics")
    assert actual is not None
    whole = with_receipts(plan(topics, actual, suppressions=listing), settings, actual)
    roles: tuple[Role, ...] = ("inbound", "suppressions") if listing else ()
    wanted = dataclasses.replace(whole, topics=tuple(whole.of(*COPARTITIONED, *LOOKED_UP, *roles)))
    problems = check(wanted, actual) + check_receipts(wanted, settings, actual)
    problems += check_receipt_access(wanted, actual, "receipts")
    if problems:
        raise TopicError(dict.fromkeys(problems))
    limits = {topic.name: limit(actual, topic.name) for topic in wanted.topics}
    most = max(limits[topics.receipts_matched], limits.get(topics.inbound, 0))
    return JoinTopics(actual[topics.receipts_matched].partitions, limits, most)
