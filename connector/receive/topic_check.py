"""Do the topics fit that callbacks are written to? Asked before the first callback is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from connector.errors import Problem, TopicError
from connector.kafka.admin import describe_topics, open_admin
from connector.kafka.receipt_topics import check_receipt_access, check_receipts, limit, names, with_receipts
from connector.kafka.topic_plan import Role, check, plan
from connector.settings.model import Settings

WRITTEN: tuple[Role, ...] = ("matched", "unmatched", "inbound", "entries")


@dataclass(frozen=True, slots=True)
class KnownTopics:
    """The topics that callbacks are written to, as they are on the cluster.

    Attributes:
        partitions: of each.
        limits: the largest record each takes.
    """

    partitions: Mapping[str, int]
    limits: Mapping[str, int]


async def known_topics(settings: Settings) -> KnownTopics:
    """Ask the cluster.

    Raises:
        TopicError: with everything that has to be mended.
        ConnectorError: no broker lets us in.
    """
    async with open_admin(settings) as admin:
        actual = await describe_topics(admin, names(settings))
    whole = with_receipts(plan(settings.topics, actual), settings, actual)
    wanted = dataclasses.replace(whole, topics=tuple(whole.of(*WRITTEN)))
    problems = check(wanted, actual) + check_receipts(whole, settings, actual)
    problems += check_receipt_access(wanted, actual, "receive")
    if problems:
        raise TopicError(_once(problems))
    written = [topic.name for topic in wanted.topics]
    return KnownTopics(
        {name: actual[name].partitions for name in written}, {name: limit(actual, name) for name in written}
    )


def _once(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))
