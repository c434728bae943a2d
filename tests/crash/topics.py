"""The topics and offsets of a scenario, from outside: made, spoilt, and read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import orjson
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from connector.cli.demo.audit import Event
from connector.model import Source
from tests.crash import poison
from tests.crash.audit import Recorded, decode_result, read_event
from tests.crash.deeds import DeedAudit, compare_deeds
from tests.crash.lookups import LookupAudit, compare_lookups
from tests.crash.registry import as_json
from tests.crash.states import ListAudit, StateAudit, compare_list, compare_states
from tests.kafka import records
from tests.waiting import wait_until

MARK = poison.MARK[0]
BROKERS_TIME = ("message.timestamp.type", "LogAppendTime")
"""On the results topic: records tell when they were durable, not when they were made."""


RECEIPT_TOPICS = (
    *("receipts", "receipts-matched", "receipts-unmatched", "inbound", "receipts-in", "receipts-index"),
    "suppressions",
)


class Topics:
    """Names, and what is done to what they name.

    Args:
        bootstrap: of the brokers.
        prefix: of every name.
    """

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self.source = f"{prefix}.messages"
        self.results = f"{prefix}.results"
        self.journal = f"{prefix}.journal"
        self.control = f"{prefix}.control"
        self.audit = f"{prefix}.audit"
        self.retry = [f"{prefix}.retry.{tier}" for tier in ("1s", "5s")]
        self.poisoned: Mapping[str, bool] = {}  # what others wrote: place → whether it has to end with a result
        self.receives = False  # its topics of receipts are made
        self.looks_up = False  # and receipts have to be looked up
        self.receipts, self.matched, self.unmatched, self.inbound, self.entries, self.index, self.suppressions = (
            f"{prefix}.{topic}" for topic in RECEIPT_TOPICS
        )
        self.numbered = [self.results, self.journal, *self.retry]

    def settings(self) -> dict[str, Any]:
        """As connector.yaml has them."""
        fixed = ("results", "dead-letters", "journal", "control", "audit", *RECEIPT_TOPICS)
        names = {topic.replace("-", "_"): f"{self._prefix}.{topic}" for topic in fixed}
        return {"sources": [self.source], **names, "retry_prefix": f"{self._prefix}.retry", "retry_tiers": ["1s", "5s"]}

    @cached_property
    def _admin(self) -> AdminClient:
        """One for the scenario: its answers do not come any more once it is gone."""
        return AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0})

    # ---- done to them -----------------------------------------------------------------------------------------------

    def use_brokers_time(self) -> None:
        entry = ConfigEntry(*BROKERS_TIME, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.results, incremental_configs=[entry])
        _done(self._admin.incremental_alter_configs([resource]))

    def compress(self, codecs: Mapping[str, str]) -> None:
        """Let the brokers compress what is written to these topics."""
        resources = [
            ConfigResource(
                ResourceType.TOPIC,
                topic,
                incremental_configs=[
                    ConfigEntry("compression.type", codec, incremental_operation=AlterConfigOpType.SET)
                ],
            )
            for topic, codec in codecs.items()
        ]
        _done(self._admin.incremental_alter_configs(resources))

    def create_results(self, partitions: int) -> None:
        """The results topic again, after it was deleted."""
        settings = dict([BROKERS_TIME])
        records.create_topics(self._bootstrap, self.results, partitions=partitions, settings=settings)

    def delete(self, *names: str) -> None:
        """Returns when the cluster no longer lists them."""
        _done(self._admin.delete_topics(list(names), operation_timeout=30))
        wait_until(lambda: not set(names) & set(self._admin.list_topics(timeout=10).topics), f"{names} to be gone")

    def add_partitions(self, topic: str, total: int) -> None:
        _done(self._admin.create_partitions([NewPartitions(topic, total)], operation_timeout=30))

    def delete_group(self, group: str) -> None:
        """Delete a group with its offsets, once it has no members (a killed one leaves when its session ends)."""

        def deleted() -> bool:
            try:
                _done(self._admin.delete_consumer_groups([group], request_timeout=10))
            except KafkaException as error:
                if error.args[0].code() != KafkaError.NON_EMPTY_GROUP:
                    raise
                return False
            return True

        wait_until(deleted, f"group {group} to be deleted", within=60)

    # ---- read back --------------------------------------------------------------------------------------------------

    def uncommitted(self, group: str) -> int:
        """Events, and retry records, behind which no offset is committed.

        Offsets before ends: a record that is committed because it moved on stands at an end that is read later.
        """
        groups = {self.source: group, **dict.fromkeys(self.retry, f"{group}-retry")}
        if self.receives:
            groups |= dict.fromkeys((self.matched, self.inbound), f"{group}-receipts")
        if self.looks_up:
            groups |= {self.entries: f"{group}-receipts-index", self.results: f"{group}-receipts-indexer"}
        return self._behind(groups)

    def unindexed(self, group: str) -> int:
        """Results that are not committed by who indexes them."""
        return self._behind({self.results: f"{group}-receipts-indexer"})

    def _behind(self, groups: Mapping[str, str]) -> int:
        """Records of these topics behind which their groups have committed no offset."""
        committed = {topic: records.committed(self._bootstrap, name, topic) for topic, name in groups.items()}
        return sum(
            end - (committed[topic][number].offset if number in committed[topic] else 0)
            for topic in groups
            for number, end in records.end_offsets(self._bootstrap, topic).items()
        )

    def events(self) -> list[Event]:
        """The source topic."""
        return [
            read_event(Source(record.topic, record.partition, record.offset), as_json(record.value or b""))
            for record in records.read_all(self._bootstrap, self.source)
            if MARK not in record.headers
        ]

    def send_times(self) -> dict[str, float]:
        """Message id → its `send_at`, wall seconds, of the events that have one."""
        values = [orjson.loads(it.value or b"{}") for it in records.read_all(self._bootstrap, self.source)]
        return {it["message_id"]: datetime.fromisoformat(it["send_at"]).timestamp() for it in values if "send_at" in it}

    def written(self) -> list[records.Record]:
        """What the connector has written, but for retry records, which are events."""
        return [it for it in records.read_all(self._bootstrap, self.results, self.journal) if MARK not in it.headers]

    def recorded(self) -> Iterator[Recorded]:
        """The results topic, but for what others wrote there, and results of what they wrote elsewhere."""
        for record in records.read_all(self._bootstrap, self.results):
            if MARK in record.headers or record.headers.get("settles", b"").decode() in self.poisoned:
                continue
            header = record.headers.get("settles", b"").decode()
            yield Recorded(decode_result(record.value or b""), header, record.timestamp / 1000, record.partition)

    def poison_ended(self) -> dict[str, str]:
        """Place of a record that others wrote → status of its result."""
        return {
            place: str(decode_result(record.value or b"").status)
            for record in records.read_all(self._bootstrap, self.results)
            if MARK not in record.headers and (place := record.headers.get("settles", b"").decode()) in self.poisoned
        }

    def wait_empty(self, group: str) -> None:
        """Wait until a group has no members: only then may others commit for it."""

        def empty() -> bool:
            found = self._admin.describe_consumer_groups([group], request_timeout=10)[group].result(30)
            return not found.members

        wait_until(empty, f"group {group} to be empty", within=60)

    def inherited(self) -> dict[str, str]:
        """What each retry record settles."""
        return {
            f"{topic}/{record.partition}/{record.offset}": record.headers.get("settles", b"").decode()
            for topic in self.retry
            for record in records.read_all(self._bootstrap, topic)
            if MARK not in record.headers
        }

    def states(self) -> StateAudit:
        """What became of receipts."""
        return compare_states(*(records.read_all(self._bootstrap, it) for it in self.way_back))

    def lookups(self) -> LookupAudit:
        """What became of receipts that have to be looked up."""
        read = partial(records.read_all, self._bootstrap)
        settles = f"{self.entries}/".encode()
        unmatched = [it for it in read(self.unmatched) if it.headers.get("settles", b"").startswith(settles)]
        return compare_lookups(read(self.entries), read(self.results), read(self.matched), unmatched)

    def opt_outs(self) -> ListAudit:
        """What became of what people said."""
        return compare_list(*(records.read_all(self._bootstrap, it) for it in (self.inbound, self.suppressions)))

    def deeds(self) -> DeedAudit:
        """What people did through the console, and what is written about it."""
        return compare_deeds(*(records.read_all(self._bootstrap, it) for it in (self.control, self.source, self.audit)))

    def count_control(self) -> int:
        """Records that steer."""
        return sum(records.end_offsets(self._bootstrap, self.control).values())

    def count_listed(self) -> int:
        """Records of the list, lifted ones too."""
        return sum(records.end_offsets(self._bootstrap, self.suppressions).values())

    def count_states(self) -> int:
        """Records of states."""
        return sum(records.end_offsets(self._bootstrap, self.receipts).values())

    @property
    def way_back(self) -> tuple[str, str, str]:
        return self.matched, self.receipts, self.unmatched

    def moved(self) -> int:
        """How often an event was put into a retry topic."""
        return sum(sum(records.end_offsets(self._bootstrap, topic).values()) for topic in self.retry)

    def purged(self) -> int:
        """Retry records that were deleted because nobody needs them any more."""
        return sum(sum(records.start_offsets(self._bootstrap, topic).values()) for topic in self.retry)


def _done(futures: Mapping[Any, Any]) -> None:
    for future in futures.values():
        future.result(30)
