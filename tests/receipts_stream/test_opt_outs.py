"""From replies to the list: what is committed is written, in order; where partitions are opened all is known again."""

from __future__ import annotations

import asyncio
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from aiokafka import TopicPartition

from connector.clock import ManualClock
from connector.kafka.reader import Bounds
from connector.kafka.skipped import Reason, Skipped
from connector.model import Source
from connector.receipts.callback import Inbound, Kind, MessageToken, Unmatched, Why
from connector.receipts.opt_outs import KEPT_SECONDS, Sayings
from connector.receipts.receipt_records import inbound_again, inbound_record, read_unmatched
from connector.settings.model import Settings
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.cluster import Cluster, Committed
from connector.stream.partitions.partition import Partition
from connector.stream.receipts.event_phones import EventPhone, EventPhones
from connector.stream.receipts.join_status import JoinCounts
from connector.stream.receipts.opt_out_opening import OptOutOpening
from connector.stream.receipts.opt_out_stage import OptOutStage
from connector.suppressions.record import key_of

NOW = 1_795_770_000.0
INBOUND = TopicPartition("sms.inbound", 0)
STOP, START = Kind.OPT_OUT, Kind.OPT_IN


def reply(kind: Kind, phone: str | None, identity: str, *, at: float = NOW, offset: int = 0, **more: Any) -> Any:
    token = MessageToken(Source("sms.messages", 1, 7), 1, "m7", "c") if phone is None else None
    said = Inbound(kind, "acme", at, more.pop("by", "hmac"), phone, id=identity, at=at, token=token)
    _, value, headers = inbound_record(said)
    return SimpleNamespace(offset=offset, value=value, headers=headers, timestamp=int(at * 1000))


class Kafka:
    """One partition of replies."""

    def __init__(self, records: list[Any], *, begin: int = 0, committed: int | None = None) -> None:
        self.records = records
        self.begin = begin
        self._committed = committed
        self.read_from: dict[TopicPartition, int] = {}

    async def committed(self, _group: str, _topics: Any) -> dict[TopicPartition, Committed]:
        return {} if self._committed is None else {INBOUND: Committed(self._committed, "")}

    async def bounds(self, partitions: Any) -> dict[TopicPartition, Bounds]:
        return {tp: Bounds(self.begin, len(self.records)) for tp in partitions}

    async def offsets_at(self, partitions: Any, instant: datetime) -> dict[TopicPartition, int]:
        since = instant.timestamp() * 1000
        found = [it.offset for it in self.records if it.timestamp >= since]
        return dict.fromkeys(partitions, min(found, default=len(self.records)))

    async def read_tail(self, starts: Any, ends: Any, seen: Any, *, wanted: Any) -> int:
        assert wanted()
        self.read_from = dict(starts)
        for record in self.records[starts[INBOUND] : ends[INBOUND]]:
            seen(INBOUND, record)
        return 0


async def opened(kafka: Kafka) -> tuple[Partition, Sayings]:
    opening = OptOutOpening(cast(Cluster, kafka), Settings(), clock=ManualClock(wall=NOW))
    ((partition, sayings),) = (await opening.open([INBOUND], wanted=lambda: True)).items()
    return partition, sayings


@pytest.mark.parametrize(
    ("committed", "begin", "start"),
    [
        (None, 0, 0),  # the very first time: whoever has opted out before
        (2, 0, 2),
        (3, 0, 3),
        (2, 3, 3),  # deleted before it was read
        (9, 0, 0),  # created anew
    ],
)
async def test_it_goes_on_where_it_was_and_else_begins_with_the_log(
    committed: int | None, begin: int, start: int
) -> None:
    records = [reply(STOP, f"+1555010{number}", str(number), offset=number) for number in range(4)]
    partition, _ = await opened(Kafka(records, begin=begin, committed=committed))
    assert partition.ledger.position == start


async def test_what_was_said_before_is_known_as_far_as_anybody_repeats() -> None:
    old = reply(STOP, "+15550100", "old", at=NOW - KEPT_SECONDS - 60, offset=0)
    new = reply(STOP, "+15550101", "new", at=NOW - 60, offset=1)
    garbage = SimpleNamespace(offset=2, value=b"{", headers=[], timestamp=int(NOW * 1000))
    kafka = Kafka([old, new, garbage, new], committed=3)
    _, sayings = await opened(kafka)
    assert kafka.read_from == {INBOUND: 1}
    assert len(sayings) == 1


class Writes:
    """A dispatch that writes when it is let."""

    def __init__(self) -> None:
        self.allowed = asyncio.Event()
        self.written: list[tuple[str, int, bytes, str]] = []
        self.kept: list[Unmatched] = []

    def pack(self, records: Any) -> list[Any]:
        return [list(records)]

    async def send(self, place: Any, batches: Any) -> list[Any]:
        await self.allowed.wait()
        for key, value, headers in batches[0]:
            if place.topic == "sms.receipts.unmatched":
                self.kept.append(read_unmatched(value, headers))
                continue
            self.written.append(
                (place.topic, place.partition, key, msgspec.json.decode(value).get("state", "suppressed"))
            )
        return []


class Setup:
    """A stage that owns one partition."""

    def __init__(self, partition: Partition, sayings: Sayings, phone: str | None = None) -> None:
        self.writes, self.counts, self.skipped = Writes(), JoinCounts(), Skipped()
        self.partition = partition
        owned = Assignment()
        owned.own([partition], [], 1)
        owned.go_live()

        async def certain(_: Any) -> bool:
            return True

        async def of(*_: Any, **__: Any) -> EventPhone:
            return EventPhone(phone, "" if phone else "nothing says it")

        self.stage = OptOutStage(
            owned,
            passed_over=cast(Any, None),
            dispatch=cast(Any, self.writes),
            fencing=cast(Any, SimpleNamespace(await_lease_for=certain)),
            phones=cast(EventPhones, SimpleNamespace(of=of)),
            topics=Settings().topics,
            partitions=12,
            counts=self.counts,
            skipped=self.skipped,
            clock=ManualClock(),
        )
        self.stage.sayings = {partition: sayings}


def listed(phone: str, state: str) -> tuple[str, int, bytes, str]:
    return "sms.suppressions", 0, key_of(phone), state


async def test_nothing_is_committed_before_it_is_on_the_list() -> None:
    records = [
        reply(STOP, "+15550100", "1", offset=0),
        reply(START, "+15550100", "2", at=NOW + 1, offset=1),
        reply(Kind.REPLY, "+15550100", "3", offset=2),
    ]
    setup = Setup(*await opened(Kafka([])))
    running = asyncio.create_task(setup.stage._write(setup.partition, records))
    for _ in range(10):
        await asyncio.sleep(0)
    assert (setup.writes.written, setup.partition.ledger.position) == ([], 0)
    setup.writes.allowed.set()
    assert await running
    assert setup.writes.written == [listed("+15550100", "suppressed"), listed("+15550100", "lifted")]
    assert setup.partition.ledger.position == 3
    assert setup.counts.opt_outs == {("acme", "suppressed"): 1, ("acme", "lifted"): 1}
    assert setup.counts.settled == 3


async def test_partitions_that_have_gone_meanwhile_are_not_committed() -> None:
    setup = Setup(*await opened(Kafka([])))
    running = asyncio.create_task(setup.stage._write(setup.partition, [reply(STOP, "+15550100", "1")]))
    for _ in range(10):
        await asyncio.sleep(0)
    setup.partition.live = False
    setup.writes.allowed.set()
    assert not await running
    assert setup.partition.ledger.position == 0


@pytest.mark.parametrize(("phone", "outcome"), [("+15550100", "suppressed"), (None, "no phone"), ("ACME", "no phone")])
async def test_an_opt_out_without_a_phone_is_that_of_its_message(phone: str | None, outcome: str) -> None:
    setup = Setup(*await opened(Kafka([])), phone=phone)
    setup.writes.allowed.set()
    assert await setup.stage._write(setup.partition, [reply(STOP, None, "1")])
    assert setup.writes.written == ([listed("+15550100", "suppressed")] if outcome == "suppressed" else [])
    assert setup.counts.opt_outs == {("acme", outcome): 1}
    assert setup.partition.ledger.position == 1


async def test_an_opt_out_of_whom_nothing_says_is_kept_and_is_no_repetition_when_it_is_replayed() -> None:
    """The right to read events was missing for an hour, or their schema registry was away."""
    partition, sayings = await opened(Kafka([]))
    setup = Setup(partition, sayings)
    setup.writes.allowed.set()
    assert await setup.stage._write(partition, [reply(STOP, None, "1")])
    [kept] = setup.writes.kept
    assert (kept.why, kept.reason, kept.inbound, kept.provider) == (Why.NO_PHONE, "nothing says it", True, "acme")
    assert partition.ledger.position == 1
    mended = Setup(partition, sayings, phone="+15550100")
    mended.writes.allowed.set()
    _, value, _ = inbound_again(kept, "sms.receipts.unmatched/0/0")
    again = [SimpleNamespace(offset=offset, value=value, headers=[], timestamp=0) for offset in (1, 2)]
    assert await mended.stage._write(partition, again)
    assert mended.writes.written == [listed("+15550100", "suppressed")]
    assert mended.counts.opt_outs == {("acme", "suppressed"): 1, ("acme", "duplicate"): 1}


async def test_what_changes_nothing_is_counted_and_what_is_none_passed_over() -> None:
    setup = Setup(*await opened(Kafka([])))
    setup.writes.allowed.set()
    records = [
        reply(STOP, "+15550100", "1", offset=0, by="none"),
        SimpleNamespace(offset=1, value=b"not ours", headers=[], timestamp=0),
        SimpleNamespace(offset=2, value=None, headers=[], timestamp=0),
    ]
    assert await setup.stage._write(setup.partition, records)
    assert setup.counts.opt_outs == {("acme", "unproved"): 1}
    assert setup.skipped.counts["sms.inbound", Reason.MALFORMED] == 2
    assert (setup.writes.written, setup.partition.ledger.position) == ([], 3)
