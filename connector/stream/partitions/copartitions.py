"""The retry topics of a source partition: those with its number, and the group their offsets are committed under."""

from __future__ import annotations

from collections.abc import Collection

from aiokafka import TopicPartition

from connector.settings.model import Topics


def retry_group(group: str) -> str:
    """The group under which the retry topics' offsets are committed; it has no members."""
    return f"{group}-retry"


def retry_partitions(topics: Topics, assigned: Collection[TopicPartition]) -> set[TopicPartition]:
    """The owner of a partition of the first source topic owns the retry topics' partitions of that number."""
    numbers = [tp.partition for tp in assigned if tp.topic == topics.source_names[0]]
    return {TopicPartition(topic, number) for number in numbers for topic in topics.retry.values()}
