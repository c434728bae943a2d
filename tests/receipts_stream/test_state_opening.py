"""Opening partitions of `receipts run`: what is read of the topic, and which stores on disk are believed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from connector.clock import ManualClock
from connector.errors import ConfigurationError, TopicError
from connector.kafka.reader import Bounds
from connector.kafka.skipped import Reason, Skipped
from connector.settings.model import Settings
from connector.store.state_store import States, StoreMemory, Stores
from connector.stream.partitions.cluster import Cluster, Committed
from connector.stream.partitions.formats import Metadata, encode_metadata
from connector.stream.partitions.partition import Partition
from connector.stream.receipts.state_opening import StateOpening

SETTINGS = Settings()
MATCHED = TopicPartition("sms.receipts.matched", 0)
RECEIPTS = TopicPartition("sms.receipts", 0)
UNMATCHED = TopicPartition("sms.receipts.unmatched", 0)


def state(offset: int, entry: int, source: int, word: str) -> Any:
    headers = [
        ("source", f"sms.messages/0/{source}".encode()),
        ("state", word.encode()),
        ("settles", f"sms.receipts.matched/0/{entry}".encode()),
    ]
    return SimpleNamespace(offset=offset, headers=headers)


class Kafka:
    """A cluster with one partition of each topic; remembers from where the tail was read."""

    def __init__(
        self, records: list[Any], *, end: int = 100, committed: tuple[int, Mapping[str, int]] | None = None
    ) -> None:
        self.records: dict[TopicPartition, list[Any]] = {RECEIPTS: records}
        self.partition_count = 1
        self.begin = 0
        self._end = end
        self._committed = committed
        self.read_from: list[dict[TopicPartition, int]] = []

    async def name(self) -> str:
        return "cluster"

    async def partitions(self, topics: Any) -> dict[str, set[int]]:
        return {topic: set(range(self.partition_count)) for topic in topics}

    async def committed(self, _group: str, _topics: Any) -> dict[TopicPartition, Committed]:
        if self._committed is None:
            return {}
        offset, ends = self._committed
        return {MATCHED: Committed(offset, encode_metadata(Metadata(dict(ends))))}

    async def bounds(self, partitions: Any) -> dict[TopicPartition, Bounds]:
        return {
            tp: Bounds(0, self._end)
            if tp == MATCHED
            else Bounds(self.begin if tp == RECEIPTS else 0, len(self.records.get(tp, ())))
            for tp in partitions
        }

    async def read_tail(self, starts: Any, ends: Any, seen: Any, *, wanted: Any) -> int:
        assert wanted()
        self.read_from.append({tp: start for tp, start in starts.items() if start < ends[tp]})
        for tp, start in starts.items():
            for record in self.records.get(tp, [])[start : ends[tp]]:
                seen(tp, record)
        return 0


async def opened(kafka: Kafka, folder: Path, skipped: Skipped | None = None) -> tuple[Partition, States]:
    stores = Stores(folder, States, keep=1e6, memory=StoreMemory(2**20))
    opening = StateOpening(
        cast(Cluster, kafka), stores, SETTINGS, partitions=1, skipped=skipped or Skipped(), clock=ManualClock()
    )
    ((partition, states),) = (await opening.open([MATCHED], wanted=lambda: True)).items()
    return partition, states


def seen(states: States, source: int) -> int:
    found = states.get(f"sms.messages/0/{source}".encode())
    return found[0] if found else 0


LOG = [state(0, 5, 1, "sent"), state(1, 6, 2, "delivered"), state(2, 7, 1, "delivered")]


async def test_without_a_disk_every_state_is_read_and_with_one_the_last_record_alone(tmp_path: Path) -> None:
    for read_from in ({RECEIPTS: 0}, {RECEIPTS: 2}):
        kafka = Kafka(LOG)
        _, states = await opened(kafka, tmp_path)
        assert kafka.read_from == [read_from]
        assert (seen(states, 1), seen(states, 2), seen(states, 3)) == (2 | 8, 8, 0)
        states.close()


async def test_a_disk_of_before_is_brought_up_to_date(tmp_path: Path) -> None:
    _, states = await opened(Kafka(LOG[:2]), tmp_path)
    states.close()
    kafka = Kafka(LOG)
    _, states = await opened(kafka, tmp_path)
    assert kafka.read_from == [{RECEIPTS: 1}]
    assert seen(states, 1) == 2 | 8


@pytest.mark.parametrize("change", ["another record there", "shorter", "begins later"])
async def test_a_disk_that_is_no_view_of_this_topic_is_made_anew(change: str, tmp_path: Path) -> None:
    _, states = await opened(Kafka(LOG), tmp_path)
    states.close()
    fresh = [state(0, 0, 9, "sent")]
    kafka = Kafka(fresh if change == "shorter" else [*fresh, state(1, 1, 9, "expired"), state(2, 2, 9, "delivered")])
    if change == "begins later":
        kafka = Kafka([*LOG, *(state(offset, offset, 9, "sent") for offset in range(3, 9))])
        kafka.begin = 5
    _, states = await opened(kafka, tmp_path)
    assert seen(states, 2) == 0
    assert seen(states, 9) > 0


async def test_what_is_settled_is_known_from_the_commit_on_and_not_without_one(tmp_path: Path) -> None:
    log = [state(0, 5, 1, "sent"), state(1, 6, 2, "delivered")]
    partition, states = await opened(
        Kafka(log, committed=(5, {"sms.receipts": 0, "sms.receipts.unmatched": 0})), tmp_path
    )
    assert partition.ledger.position == 5
    assert [offset for offset in range(5, 9) if partition.ledger.admit(offset)] == [7, 8]
    states.close()
    partition, _ = await opened(Kafka(log), tmp_path / "other")
    assert [offset for offset in range(7) if partition.ledger.admit(offset)] == list(range(7))


async def test_what_is_unmatched_settles_its_entry_and_what_receivers_wrote_there_nothing(tmp_path: Path) -> None:
    kafka = Kafka([], committed=(0, {"sms.receipts": 0, "sms.receipts.unmatched": 0}))
    settles = [("unmatched", b"{}"), ("settles", b"sms.receipts.matched/0/1")]
    kafka.records[UNMATCHED] = [
        SimpleNamespace(offset=0, headers=settles),
        SimpleNamespace(offset=1, headers=[("unmatched", b"{}")]),
    ]
    partition, _ = await opened(kafka, tmp_path)
    assert [offset for offset in range(3) if partition.ledger.admit(offset)] == [0, 2]


async def test_what_others_write_into_the_topic_is_no_state_and_is_counted(tmp_path: Path) -> None:
    foreign = [
        SimpleNamespace(offset=0, headers=[]),
        SimpleNamespace(offset=1, headers=[*LOG[0].headers[:2], ("settles", b"sms.receipts.matched/7/1")]),
        SimpleNamespace(offset=2, headers=[*LOG[0].headers, ("settles", b"sms.receipts.matched/0/1")]),
        SimpleNamespace(offset=3, headers=[("source", b"s" * 999), *LOG[0].headers[1:]]),
        SimpleNamespace(offset=4, headers=[LOG[0].headers[0], ("state", b"arrived"), LOG[0].headers[2]]),
    ]
    skipped = Skipped(tell=False)
    _, states = await opened(Kafka([*foreign, state(5, 8, 1, "sent")]), tmp_path, skipped)
    assert seen(states, 1) == 2
    assert skipped.counts["sms.receipts", Reason.FOREIGN] == len(foreign)


async def test_what_would_write_states_twice_or_lose_entries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="created anew"):
        await opened(Kafka([], end=3, committed=(5, {})), tmp_path)
    kafka = Kafka([])
    kafka.partition_count = 2
    with pytest.raises(TopicError, match="it has 2 partitions, and had 1"):
        await opened(kafka, tmp_path)
