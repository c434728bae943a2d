"""The list of who must not be texted: whole before it is asked, followed, kept on disk, and never shorter unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from connector.clock import ManualClock
from connector.errors import TopicError
from connector.kafka.outage import Outlast
from connector.kafka.skipped import Skipped
from connector.stream.control import suppression_reader as room
from connector.stream.control.suppression_reader import (
    LOOK_SECONDS,
    SNAPSHOT_AGAIN_SECONDS,
    SNAPSHOT_AGE_SECONDS,
    SNAPSHOT_SECONDS,
    SuppressionReader,
)
from connector.suppressions import snapshot
from connector.suppressions.phone_list import PhoneList
from connector.suppressions.record import key_of
from tests.waiting import eventually

TP = TopicPartition("sms.suppressions", 0)
FIRST = 919812345000


class Topic:
    """A log of one partition, its consumer and its cluster.

    Attributes:
        records: by offset.
        stable: where the first open transaction begins; None: there is none.
        polls: of consumers, so far.
    """

    def __init__(self, *keys: str) -> None:
        self.records: list[Any] = []
        self.stable: int | None = None
        self.polls = 0
        self.before_poll: Callable[[], None] = lambda: None
        for key in keys:
            self.say(key)

    def say(self, key: str, value: bytes | None = b"{}") -> None:
        offset = self.end
        record = SimpleNamespace(key=key.encode(), value=value, partition=0, offset=offset, timestamp=1_000 + offset)
        self.records.append(record)

    @property
    def end(self) -> int:
        return self.records[-1].offset + 1 if self.records else 0

    @property
    def stable_end(self) -> int:
        return self.end if self.stable is None else self.stable

    async def name(self) -> str:
        return "cluster"

    async def stable_ends(self, _: Any) -> dict[TopicPartition, int]:
        return {TP: self.stable_end}

    async def bounds(self, _: Any) -> dict[TopicPartition, Any]:
        return {TP: SimpleNamespace(begin=0, end=self.end)}


class Consumer:
    def __init__(self, topic: Topic) -> None:
        self.topic, self.at = topic, 0

    def assign(self, _: Any) -> None: ...

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.at = offset

    async def seek_to_beginning(self, _: TopicPartition) -> None:
        self.at = 0

    async def position(self, _: TopicPartition) -> int:
        return self.at

    async def stop(self) -> None: ...

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        topic = self.topic
        topic.polls += 1
        topic.before_poll()
        await asyncio.sleep(0.001)
        found = [it for it in topic.records if self.at <= it.offset < topic.stable_end][:2]
        self.at = found[-1].offset + 1 if found else self.at
        return {TP: found} if found else {}


class Following:
    """A worker's list, from its start."""

    def __init__(self, topic: Topic, folder: Path | None, clock: ManualClock) -> None:
        self.topic, self.clock, self.phones = topic, clock, PhoneList()
        self.skipped = Skipped()
        self.reader = SuppressionReader(
            {},
            cluster=cast(Any, topic),
            topic=TP.topic,
            phones=self.phones,
            folder=None if folder is None else str(folder),
            skipped=self.skipped,
            clock=clock,
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.reader.start([0])

    async def follow(self) -> None:
        polls = self.topic.polls
        self._task = asyncio.create_task(self.reader.run(Outlast(self.clock, patience=1)))
        await eventually(lambda: self.topic.polls > polls, "the topic is followed")

    async def pass_time(self, seconds: float) -> None:
        """So much later, and the loop has looked once more."""
        self.clock.advance(seconds)
        polls = self.topic.polls
        await eventually(lambda: self.topic.polls > polls + 3, "the topic is read on")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.reader.stop()

    def holds(self, *numbers: int) -> list[bool]:
        return [self.phones.holds(number, None) for number in numbers]


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Following]:
    clock = ManualClock()

    def make(topic: Topic, folder: Path | None = None) -> Following:
        monkeypatch.setattr(room, "GuardedConsumer", lambda **_: Consumer(topic))
        monkeypatch.setattr(room, "started", _started)
        return Following(topic, folder, clock)

    return make


async def _started(client: Any) -> Any:
    return client


def numbers(count: int, first: int = FIRST) -> list[str]:
    return [str(first + n) for n in range(count)]


async def test_an_opt_out_that_comes_while_the_list_is_sorted_is_kept(
    follow: Callable[..., Following], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten million are sorted for some seconds, in a thread, while the loop that follows reads on."""
    topic = Topic(*numbers(4))
    following = follow(topic)
    await following.start()
    await following.follow()
    await eventually(lambda: following.reader.seen == 4, "the topic is read")
    late, sort = str(FIRST + 99), following.phones.sort
    applied: list[bool] = []

    async def in_a_thread(work: Callable[[], Any]) -> Any:
        assert work == following.phones.prepare
        topic.say(late)
        for _ in range(50):  # turns of the loop in which it could be applied, though the sorting has seen its shard
            await asyncio.sleep(0)
        applied.append(following.reader.seen > 4)
        sort()
        return following.phones.prepare()

    monkeypatch.setattr(room.asyncio, "to_thread", in_a_thread)
    await following.reader.catch_up()
    await eventually(lambda: following.reader.seen == 5, "the late one is read")
    assert applied == [False]
    assert following.holds(FIRST, FIRST + 99, FIRST + 98) == [True, True, False]
    await following.stop()


async def test_catching_up_is_given_up_where_it_is_not_wanted_any_more_and_goes_on_later(
    follow: Callable[..., Following],
) -> None:
    """A revocation does not wait until ten million records have been read."""
    topic = Topic(*numbers(40))
    following = follow(topic)
    await following.start()
    await following.reader.catch_up(lambda: topic.polls < 3)
    assert topic.polls == 3
    assert following.phones.loading
    status = following.reader.status
    assert (status.read, status.expected, status.unconfirmed) == (6, 40, None)
    topic.say(str(FIRST + 40))
    await following.reader.catch_up()
    status = following.reader.status
    assert (status.numbers, status.read, status.expected, status.unconfirmed) == (41, 41, 41, 0.0)


async def test_the_snapshot_of_a_list_that_nobody_changes_does_not_age_out(
    follow: Callable[..., Following], tmp_path: Path
) -> None:
    topic = Topic(*numbers(6))
    following = follow(topic, tmp_path)
    await following.start()
    await following.reader.catch_up()
    await following.follow()
    await following.pass_time(LOOK_SECONDS + 1)
    kept = tmp_path / "suppressions.snapshot"
    await eventually(kept.exists, "a snapshot")
    written = [kept.stat().st_ino]
    await following.pass_time(SNAPSHOT_SECONDS + 1)
    assert kept.stat().st_ino == written[0]
    hours = 0.0
    while hours < 2 * SNAPSHOT_AGE_SECONDS:
        await following.pass_time(SNAPSHOT_AGAIN_SECONDS / 4)
        hours += SNAPSHOT_AGAIN_SECONDS / 4
    following._task.cancel()  # type: ignore[union-attr]  # as a kill does: nothing is saved at the end
    again = follow(topic, tmp_path)
    await again.start()
    await again.reader.catch_up()
    assert again.reader.seen == 1  # the last record alone was read again
    assert len(again.phones) == 6
    await again.stop()


async def test_a_key_of_any_usual_spelling_counts_and_the_newest_of_all_wins(follow: Callable[..., Following]) -> None:
    topic = Topic(f"+{FIRST}", f'"00{FIRST + 1}"', key_of(str(FIRST + 2)).decode(), "ACME")
    topic.say(str(FIRST), b'{"state":"lifted"}')
    topic.say(f"+{FIRST + 2}", None)
    topic.say(f"+{FIRST + 3}", None)
    topic.say(f'"{FIRST + 3}"')
    following = follow(topic)
    await following.start()
    await following.reader.catch_up()
    assert following.holds(*range(FIRST, FIRST + 4)) == [False, True, False, True]
    assert sum(following.skipped.counts.values()) == 1


async def saved(follow: Callable[..., Following], topic: Topic, folder: Path) -> ManualClock:
    following = follow(topic, folder)
    await following.start()
    await following.reader.catch_up()
    await following.stop()
    return following.clock


@pytest.mark.parametrize("hours", [1, 100])
@pytest.mark.parametrize("written", [0, 1, 2, 9])
async def test_a_topic_that_lost_whom_a_snapshot_holds_is_refused_until_somebody_says_what_is_right(
    follow: Callable[..., Following], tmp_path: Path, written: int, hours: float
) -> None:
    """Also where the snapshot is too old to be used: offsets say that the topic is another one."""
    clock = await saved(follow, Topic(*numbers(4)), tmp_path)
    clock.advance(hours * 3600)
    another = Topic(*numbers(written, FIRST + 1))
    for record in another.records:
        record.timestamp += 1
    following = follow(another, tmp_path)
    await following.start()
    with pytest.raises(TopicError, match="says nothing of") as refused:
        await following.reader.catch_up()
    assert "suppress import --snapshot" in str(refused.value)
    await following.stop()
    assert len(list(snapshot.entries(tmp_path / "suppressions.snapshot"))) == 4
    another.say(str(FIRST))
    for number in numbers(4):
        another.say(number, b'{"state":"lifted"}')
    accounted = follow(another, tmp_path)
    await accounted.start()
    await accounted.reader.catch_up()
    assert accounted.holds(*range(FIRST, FIRST + 4)) == [False] * 4
    await accounted.stop()


async def test_deleting_the_snapshot_accepts_a_shorter_topic(follow: Callable[..., Following], tmp_path: Path) -> None:
    await saved(follow, Topic(*numbers(4)), tmp_path)
    (tmp_path / "suppressions.snapshot").unlink()
    following = follow(Topic(), tmp_path)
    await following.start()
    await following.reader.catch_up()
    assert len(following.phones) == 0


async def test_a_topic_that_goes_on_while_its_last_known_record_was_cleaned_away_is_no_loss(
    follow: Callable[..., Following], tmp_path: Path
) -> None:
    topic = Topic(*numbers(4))
    await saved(follow, topic, tmp_path)
    topic.say(str(FIRST + 3), None)
    topic.say(str(FIRST + 4))
    del topic.records[3]  # as compaction does
    following = follow(topic, tmp_path)
    await following.start()
    await following.reader.catch_up()
    assert following.holds(*range(FIRST, FIRST + 5)) == [True, True, True, False, True]


async def test_a_transaction_that_is_left_open_is_no_end_of_the_topic(follow: Callable[..., Following]) -> None:
    """What stands behind it is not seen: the list is not known to be whole, and an alert says so."""
    topic = Topic(*numbers(4))
    following = follow(topic)
    await following.start()
    await following.reader.catch_up()
    await following.follow()
    topic.stable = 4
    topic.say(str(FIRST + 4))
    await following.pass_time(LOOK_SECONDS + 1)
    await following.pass_time(LOOK_SECONDS + 1)
    await following.pass_time(LOOK_SECONDS + 1)
    unconfirmed = following.reader.status.unconfirmed
    assert unconfirmed is not None
    assert unconfirmed >= 2 * LOOK_SECONDS
    topic.stable = None
    await following.pass_time(LOOK_SECONDS + 1)
    await eventually(lambda: (following.reader.status.unconfirmed or 0) < LOOK_SECONDS + 1, "it is whole again")
    assert following.holds(FIRST + 4) == [True]
    await following.stop()
