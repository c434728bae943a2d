"""What connector/stream/faust/coordinator.py and producer.py rely on inside aiokafka 0.14, seen at work on a real
broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError, ProducerClosed
from aiokafka.structs import OffsetAndMetadata

from connector.clock import SystemClock
from connector.errors import ConfigurationError, ConnectorError
from connector.settings.model import Settings
from connector.stream.faust.coordinator import ReportingCoordinator, attach
from connector.stream.membership import group_answers as room
from connector.stream.membership.group_answers import Membership
from connector.stream.membership.lease import Lease
from connector.stream.output.producer import Producer
from tests.kafka import records
from tests.kafka.find import Kafka
from tests.waiting import eventually, wait_until

pytestmark = pytest.mark.kafka

SESSION, HEARTBEAT = 6.0, 0.2


def settings_of(group: str) -> Settings:
    return Settings.model_validate({"group": group, "timeouts": {"session": f"{SESSION:g}s"}})


class CountedLease(Lease):
    """Counts the answers that prove the membership."""

    proofs = 0

    def prove(self, sent: float) -> None:
        self.proofs += 1
        super().prove(sent)


class Joined:
    """A consumer whose coordinator reports."""

    def __init__(self, kafka: Kafka, group: str, *, instance: str | None = None, session: float = SESSION) -> None:
        clock = SystemClock()
        self.lease = CountedLease(clock, seconds=SESSION / 2)
        self.membership = Membership(self.lease, settings_of(group), clock)
        self.topic = group
        self.consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka.bootstrap,
            group_id=group,
            group_instance_id=instance,
            enable_auto_commit=False,
            session_timeout_ms=round(session * 1000),
            heartbeat_interval_ms=round(HEARTBEAT * 1000),
            request_timeout_ms=20_000,
        )

    async def join(self) -> Joined:
        await self.consumer.start()
        attach(self.consumer, self.membership)
        self.consumer.subscribe([self.topic])
        return self

    async def commit(self) -> None:
        await self.consumer.commit({TopicPartition(self.topic, 0): OffsetAndMetadata(0, "x")})

    @property
    def member(self) -> Any:
        return self.consumer._coordinator


@asynccontextmanager
async def joined(*members: Joined) -> AsyncIterator[None]:
    try:
        for member in members:
            await member.join()
        yield
    finally:
        for member in members:
            await member.consumer.stop()


@pytest.fixture
def topic(kafka: Kafka, unique: str) -> str:
    records.create_topics(kafka.bootstrap, unique, partitions=1)
    return unique


async def test_a_join_heartbeats_and_commits_prove_the_membership(kafka: Kafka, topic: str) -> None:
    """GroupCoordinator._send_req, and the class of a coordinator that has not joined yet."""
    one = Joined(kafka, topic)
    assert not one.lease.certain
    async with joined(one):
        assert isinstance(one.member, ReportingCoordinator)
        await eventually(lambda: one.lease.certain, "the proof of the join")
        for prove in (None, one.commit):
            one.lease.lose()
            if prove is not None:
                one.member._heartbeat_task.cancel()
                await prove()
                assert one.lease.certain
            else:
                await eventually(lambda: one.lease.certain, "the proof of a heartbeat")


async def test_a_member_the_group_has_removed_knows_it_by_the_next_answer(kafka: Kafka, topic: str) -> None:
    one = Joined(kafka, topic)
    async with joined(one):
        await eventually(lambda: one.lease.certain, "the join")
        one.member.member_id = "somebody-else"
        with pytest.raises(CommitFailedError):
            await one.commit()
        assert not one.lease.certain or one.member.generation > 1  # it has joined again meanwhile
        assert not one.membership.fenced


async def test_a_commit_of_an_earlier_assignment_is_not_sent_in_the_next_one(kafka: Kafka, topic: str) -> None:
    """aiokafka repeats a commit for as long as it takes, with whatever generation it has by then: none is accepted by
    an empty group.
    """
    one = Joined(kafka, topic)
    async with joined(one):
        await eventually(lambda: one.lease.certain, "the join")
        before = one.consumer._subscription.subscription.assignment
        offsets = {TopicPartition(topic, 0): OffsetAndMetadata(7, "late")}
        one.member.generation = -1
        with pytest.raises(CommitFailedError):
            await one.member.commit_offsets(before, offsets)
        one.member.request_rejoin()
        await eventually(lambda: not before.active, "the next assignment")
        with pytest.raises(CommitFailedError):
            await one.member.commit_offsets(before, offsets)
        assert await one.consumer.committed(TopicPartition(topic, 0)) is None


async def test_the_older_of_two_bearers_of_an_instance_id_is_fenced_and_does_not_join_again(
    kafka: Kafka, topic: str
) -> None:
    """JoinGroup 5, Heartbeat 3 and OffsetCommit 7 carry the id; the new one takes over without a rebalance."""
    old, new = Joined(kafka, topic, instance="pod-0"), Joined(kafka, topic, instance="pod-0")
    async with joined(old):
        await eventually(lambda: old.lease.certain, "the join")
        await old.commit()
        generation = old.member.generation
        async with joined(new):
            await eventually(lambda: new.lease.certain, "the take-over")
            assert new.member.generation == generation
            await eventually(lambda: old.membership.fenced, "the older one to hear of it")
            assert not old.lease.certain
            verdict = old.membership.verdict()
            assert isinstance(verdict, ConfigurationError)
            assert "static_membership" in str(verdict)
            heard = new.lease.proofs
            await eventually(lambda: new.lease.proofs >= heard + 5, "five more heartbeats of the new one")
            await new.commit()
            assert new.lease.certain
            assert not new.membership.fenced


@pytest.mark.parametrize("by", ["heartbeat", "commit", "join"])
async def test_a_bearer_of_an_id_that_has_a_new_one_hears_it_by_whatever_it_asks(
    kafka: Kafka, topic: str, by: str
) -> None:
    old, new = Joined(kafka, topic, instance="pod-0"), Joined(kafka, topic, instance="pod-0")
    async with joined(old):
        await eventually(lambda: old.lease.certain, "the join")
        old.member._heartbeat_interval_ms = 60_000
        await old.member._stop_heartbeat_task()
        async with joined(new):
            await eventually(lambda: new.lease.certain, "the take-over")
            if by == "heartbeat":
                old.member._heartbeat_interval_ms = 1
                old.member._start_heartbeat_task()
            elif by == "commit":
                with pytest.raises(Exception, match="FencedError"):
                    await old.commit()
            else:
                old.member.request_rejoin()
            await eventually(lambda: old.membership.fenced, "being fenced")


async def test_a_static_member_whose_session_has_run_out_joins_again(kafka: Kafka, topic: str) -> None:
    """A pod that only slept is not stopped: nobody has its id."""
    one = Joined(kafka, topic, instance="pod-0", session=1.5)
    async with joined(one):
        await eventually(lambda: one.lease.certain, "the join")
        generation = one.member.generation
        await one.member._stop_heartbeat_task()
        await asyncio.to_thread(
            wait_until, lambda: not records.members(kafka.bootstrap, topic), "its session to run out", every=0.2
        )
        one.member._start_heartbeat_task()
        await eventually(lambda: one.member.generation > generation, "the next generation")
        assert not one.membership.fenced


async def test_a_session_the_brokers_refuse_is_told_and_does_not_wait_for_ever(kafka: Kafka, topic: str) -> None:
    """GroupCoordinator._push_error_to_user: nobody polls before the first assignment."""
    one = Joined(kafka, topic, session=0.2)
    async with joined(one):
        await eventually(one.membership.verdict, "the refusal")
        verdict = one.membership.verdict()
        assert isinstance(verdict, ConfigurationError)
        assert "timeouts.session" in str(verdict)
        assert "group.min.session.timeout.ms" in str(verdict)


async def test_members_that_share_out_in_another_way_are_waited_for_and_then_named(
    kafka: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """InconsistentGroupProtocol: the join is tried again, so that it goes on when the other one has left."""
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor

    foreign = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka.bootstrap,
        group_id=topic,
        partition_assignment_strategy=[RangePartitionAssignor],
    )
    await foreign.start()
    one = Joined(kafka, topic)
    async with joined(one):
        await eventually(lambda: one.membership._refusal, "the refusal")
        assert one.membership.verdict() is None
        monkeypatch.setattr(room, "FOREIGN_SECONDS", 0.0)
        verdict = one.membership.verdict()
        assert isinstance(verdict, ConnectorError)
        assert verdict.exit_code == 1
        assert "another application" in str(verdict)
        await foreign.stop()
        await eventually(lambda: one.lease.certain, "the join after it has left")
        assert one.membership.verdict() is None


# ---- the producer ---------------------------------------------------------------------------------------------------


class Made:
    """Producers of one lease, and what they were asked to write."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.kafka, self.topic = kafka, topic
        self.lease = Lease(SystemClock(), seconds=3600.0)
        self.producer = Producer(self._make, self.lease)

    def _make(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap, enable_idempotence=True, acks="all")

    async def write(self, *values: bytes) -> list[asyncio.Future[Any]]:
        futures = []
        for value in values:
            batch = self.producer.create_batch()
            batch.append(key=None, value=value, timestamp=None, headers=[])
            futures.append(await self.producer.send_batch(batch, self.topic, partition=0))
        return futures

    async def found(self) -> list[bytes | None]:
        return [it.value for it in await asyncio.to_thread(records.read_all, self.kafka.bootstrap, self.topic)]


async def test_batches_wait_for_the_lease_and_leave_once_in_their_order(kafka: Kafka, topic: str) -> None:
    """AIOKafkaProducer.client, AIOKafkaClient.send: everything that is produced goes through it."""
    made = Made(kafka, topic)
    await made.producer.start()
    try:
        made.lease.prove(SystemClock.monotonic())
        await asyncio.gather(*await made.write(b"0"))
        made.lease.lose()
        futures = await made.write(b"1", b"2")  # one is on its way, one queued: a third would wait for room
        done, _ = await asyncio.wait(futures, timeout=0.5)
        assert not done
        assert await made.found() == [b"0"]
        made.producer.cut()
        made.lease.prove(SystemClock.monotonic())
        made.lease.tick()
        await asyncio.wait_for(asyncio.gather(*futures), 30)
        assert await made.found() == [b"0", b"1", b"2"]
    finally:
        await made.producer.stop()


async def test_what_was_discarded_never_leaves_and_the_next_producer_goes_on(kafka: Kafka, topic: str) -> None:
    """Sender.close, MessageAccumulator.fail_all, _batches, _pending_batches; a batch may be on its way, another queued,
    and whoever waited for the first may have been given up.
    """
    made = Made(kafka, topic)
    await made.producer.start()
    try:
        made.lease.prove(SystemClock.monotonic())
        await asyncio.gather(*await made.write(b"0"))
        made.lease.lose()
        futures = await made.write(b"1", b"2")
        waiting = asyncio.ensure_future(made.write(b"3"))  # for room
        await asyncio.wait(futures, timeout=0.2)
        futures[0].cancel()
        await made.producer.discard()
        with pytest.raises(ProducerClosed):
            await waiting
        assert all(it.cancelled() or it.exception() is not None for it in futures)
        made.lease.prove(SystemClock.monotonic())
        made.lease.tick()
        await made.producer.refresh()
        await asyncio.gather(*await made.write(b"4"))
        assert await made.found() == [b"0", b"4"]
    finally:
        await made.producer.stop()


async def test_a_producer_that_was_never_started_can_be_discarded(kafka: Kafka, topic: str) -> None:
    made = Made(kafka, topic)
    await made.producer.discard()
    await made.producer.discard()
    await made.producer.refresh()
    await made.producer.stop()
