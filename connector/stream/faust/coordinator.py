"""aiokafka's group coordinator, changed where it keeps to itself what brokers say, or goes on where it must not.

- What is accepted for the current generation proves the membership (`lease.py`), from the moment it was sent.
- A commit that waited for its broker is repeated by aiokafka in whatever generation it then finds, or in none at all,
  which an empty group accepts. It belongs to the assignment it was made for.
- An error that aiokafka takes for a final one stops its coordination until somebody polls, which Faust does not do
  before the first assignment: a worker waited for ever. It is reported, and the group asked again.
- Kafka 4 lets members of the new group protocol (KIP-848) into a group of the classic one. It shares out the partitions
  itself then, and aiokafka takes what it is given: part of the events went to the stranger, and nobody was told. Such a
  join is refused, as one beside members with another assignor is.
- Heartbeats and commits of aiokafka 0.14 carry no instance id, so a broker cannot say that the id has a new bearer: the
  old one joined again, and both went on, each taking the partitions from the other without a rebalance. The versions
  sent here carry it, and FENCED_INSTANCE_ID is the end; an expired session is UNKNOWN_MEMBER_ID and joins again.
- The group's leader shares out what it knows of at that moment. A topic that was created a moment ago, and that the
  broker it asked has not heard of, belonged to nobody until the next look, a minute later. It is asked for again.

Runs on the consumer's thread.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalGenerationError, KafkaError
from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetCommitResponse_v3
from aiokafka.protocol.group import HeartbeatRequest, HeartbeatResponse_v1, JoinGroupRequest, SyncGroupRequest
from aiokafka.protocol.types import Array, Int32, Int64, Schema, String

from connector.kafka.patient_coordinator import PatientCoordinator
from connector.stream.membership.group_answers import Membership

NO_ERROR = 0
INCONSISTENT_GROUP_PROTOCOL = 23
REBALANCE_IN_PROGRESS = 27
"""Of a heartbeat: the generation is still the current one, and its members are waited for."""
FENCED_INSTANCE_ID = 82

ASK_AGAIN_SECONDS = 1.0
"""After an error that aiokafka takes for a final one."""

NEW_TOPIC_SECONDS, NEW_TOPIC_LOOK_SECONDS = 1.0, 0.05
"""How long brokers may take to hear of a topic that is new, and how often the leader of a group looks."""

NO_LEADER_EPOCH = -1


class FencedError(KafkaError):  # type: ignore[misc]
    """Another member bears our instance id."""


class _NamedHeartbeat(RequestStruct):  # type: ignore[misc]
    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = HeartbeatResponse_v1  # the same since version 1
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class _NamedCommit(RequestStruct):  # type: ignore[misc]
    API_KEY = 8
    API_VERSION = 7
    RESPONSE_TYPE = OffsetCommitResponse_v3  # the same since version 3
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", String("utf-8")),
                    ),
                ),
            ),
        ),
    )


class Named(Request[RequestStruct]):  # type: ignore[misc]
    """A request with the instance id, in the version that carries it: KIP-345, brokers from 2.3."""

    API_KEY = -1  # that of what it holds

    def __init__(self, struct: RequestStruct) -> None:
        self._struct = struct
        self.API_KEY, self._CLASSES = struct.API_KEY, (type(struct),)

    def build(self, _: type[RequestStruct]) -> RequestStruct:
        return self._struct


def named(request: Any, instance: str) -> Any:
    """A heartbeat or commit with the instance id; another request as it is, which needs none or has it."""
    if isinstance(request, HeartbeatRequest):
        return Named(_NamedHeartbeat(request._group, request._generation_id, request._member_id, instance))  # noqa: SLF001
    if isinstance(request, OffsetCommitRequest):
        topics = [
            (topic, [(number, offset, NO_LEADER_EPOCH, metadata) for number, offset, metadata in partitions])
            for topic, partitions in request._topics  # noqa: SLF001
        ]
        generation, member = request._consumer_group_generation_id, request._consumer_id  # noqa: SLF001
        return Named(_NamedCommit(request._consumer_group, generation, member, instance, topics))  # noqa: SLF001
    return request


class ReportingCoordinator(PatientCoordinator):
    """A coordinator that reports to `Membership`."""

    _membership: Membership
    _refused_code = NO_ERROR
    _heartbeat_task: asyncio.Task[None] | None
    _commit_refresh_task: asyncio.Task[None] | None

    async def _send_req(self, request: Any) -> Any:
        membership = self._membership
        if membership.fenced:
            raise FencedError
        sent, generation = membership.now, self.generation
        instance = self._group_instance_id
        response = await super()._send_req(request if instance is None else named(request, instance))
        if isinstance(request, JoinGroupRequest) and response.error_code == NO_ERROR and not response.leader_id:
            # A group of the classic protocol always has a leader: this one has members of the new one.
            response.error_code = INCONSISTENT_GROUP_PROTOCOL
        codes = _codes(response)
        if FENCED_INSTANCE_ID in codes:
            membership.fence()
            raise FencedError
        if isinstance(request, JoinGroupRequest):
            self._refused_code = max(codes)
            if codes == {NO_ERROR}:
                membership.taken()
        elif generation == self.generation and generation >= 0 and _accepted(request, codes):
            membership.proved(sent)
        return response

    async def _do_commit_offsets(self, assignment: Any, offsets: Any) -> None:
        if self.generation < 0 or not assignment.active:
            raise IllegalGenerationError(self.group_id)
        await super()._do_commit_offsets(assignment, offsets)

    async def _perform_assignment(self, response: Any) -> Any:
        end = self._membership.now + NEW_TOPIC_SECONDS
        while any(self._cluster.partitions_for_topic(topic) is None for topic in self._subscription.topics):
            if self._membership.now >= end:
                break  # it may be gone: preflight has seen it
            await self._client.force_metadata_update()
            await asyncio.wait([self._closing], timeout=NEW_TOPIC_LOOK_SECONDS)
        return await super()._perform_assignment(response)

    def reset_generation(self) -> None:
        self._membership.lost()
        super().reset_generation()

    async def _push_error_to_user(self, exc: BaseException) -> None:
        self._membership.refused(exc, self._refused_code)
        self._refused_code = NO_ERROR
        await asyncio.wait([self._closing], timeout=ASK_AGAIN_SECONDS)
        if self._closing.done():
            return
        # A task that has ended with the error would be reported for ever, and do nothing.
        if self._heartbeat_task is not None and self._heartbeat_task.done():
            self._heartbeat_task = None
            self._start_heartbeat_task()
        if self._commit_refresh_task is not None and self._commit_refresh_task.done():
            self._commit_refresh_task = None
            subscription = self._subscription.subscription
            if subscription is not None and subscription.assignment is not None:
                self.start_commit_offsets_refresh_task(subscription.assignment)


def attach(consumer: AIOKafkaConsumer, membership: Membership) -> None:
    """Make the coordinator of a consumer that has been started and is not subscribed yet a `ReportingCoordinator`."""
    coordinator = consumer._coordinator  # noqa: SLF001
    coordinator.__class__ = ReportingCoordinator
    coordinator._membership = membership  # noqa: SLF001

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            membership.broke(error)

    coordinator._coordination_task.add_done_callback(ended)  # noqa: SLF001


def _codes(response: Any) -> set[int]:
    """The error codes of an answer: of a commit one per partition."""
    if hasattr(response, "error_code"):
        return {response.error_code}
    return {partition[-1] for _, partitions in response.topics for partition in partitions}


def _accepted(request: Any, codes: set[int]) -> bool:
    """Whether the answer says that we are a member of the current generation."""
    if isinstance(request, HeartbeatRequest):
        return codes <= {NO_ERROR, REBALANCE_IN_PROGRESS}
    return isinstance(request, (SyncGroupRequest, OffsetCommitRequest)) and codes == {NO_ERROR}
