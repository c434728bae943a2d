"""Taking over an instance id: who is waited for, and for how long."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from connector.clock import ManualClock
from connector.kafka.skipped import Skipped
from connector.settings.model import Settings
from connector.stream.epoch import instance_takeover as room
from connector.stream.epoch.instance_takeover import MARGIN_SECONDS, InstanceTakeover
from connector.stream.epoch.opening import Opening
from connector.stream.partitions.cluster import Cluster, Committed
from connector.stream.partitions.formats import Metadata, encode_metadata, is_closed
from tests.stream.members import membership
from tests.stream.test_opening import Kafka

LANES: Any = SimpleNamespace(reporting=False)

SOURCES = [TopicPartition("sms.messages", number) for number in range(2)]
OPEN, CLOSED = Committed(5, encode_metadata(Metadata({}))), Committed(5, encode_metadata(Metadata({}, closed=True)))
STATIC = {"static_membership": "pod-0", "start_from": "earliest", "timeouts": {"session": "10s"}}


@pytest.mark.parametrize(
    ("settings", "committed", "since_joined", "seconds"),
    [
        (STATIC, {SOURCES[0]: CLOSED, SOURCES[1]: CLOSED}, 0, 0),  # it was stopped in order
        (STATIC, {SOURCES[0]: CLOSED, SOURCES[1]: OPEN}, 0, 5 + MARGIN_SECONDS),
        (STATIC, {SOURCES[0]: OPEN, SOURCES[1]: OPEN}, 0, 5 + MARGIN_SECONDS),
        (STATIC, {SOURCES[0]: CLOSED}, 0, 5 + MARGIN_SECONDS),  # nothing is known of the other partition
        (STATIC, {}, 0, 5 + MARGIN_SECONDS),
        (STATIC, {SOURCES[0]: OPEN}, 4, 1 + MARGIN_SECONDS),  # its lease was running while we began
        (STATIC, {SOURCES[0]: OPEN}, 60, 0),
        ({}, {}, 0, 0),  # the group itself sees to it that an id has one bearer
    ],
)
async def test_half_a_session_after_the_join_nobody_else_can_be_sending(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], committed: Any, since_joined: float, seconds: float
) -> None:
    monkeypatch.setattr(room, "TAKEOVER_LOOK_SECONDS", 0)
    clock = ManualClock()
    values = Settings.model_validate(settings)
    member = membership(values, clock)
    clock.advance(since_joined)
    began = clock.monotonic()

    def wanted() -> bool:
        clock.advance(0.25)
        return True

    instance_takeover = InstanceTakeover(cast(Cluster, Kafka(committed, {})), member, values, clock=clock)
    await instance_takeover.wait(SOURCES, wanted=wanted)
    assert clock.monotonic() - began == pytest.approx(seconds, abs=0.3)


async def test_an_epoch_that_is_over_is_not_waited_for() -> None:
    clock, values = ManualClock(), Settings.model_validate(STATIC)
    instance_takeover = InstanceTakeover(cast(Cluster, Kafka({}, {})), membership(values, clock), values, clock=clock)
    await instance_takeover.wait(SOURCES, wanted=lambda: False)


@pytest.mark.parametrize(
    ("metadata", "closed"),
    [
        (encode_metadata(Metadata({"sms.results": 1}, closed=True)), True),
        (encode_metadata(Metadata({"sms.results": 1})), False),
        ('{"v":1,"ends":{},"closed":1}', False),
        ('{"v":1,"ends":{},"closed":true,"later":[]}', True),
        ('{"v":2,"closed":true}', False),
        ("", False),
        ("[" * 4000, False),
        ("[]", False),
    ],
)
def test_only_our_own_word_says_that_an_epoch_was_closed(metadata: str, closed: bool) -> None:
    assert is_closed(metadata) is closed


@pytest.mark.parametrize(("static", "committed", "claimed"), [(True, CLOSED, -1), (True, OPEN, 5), (False, CLOSED, 5)])
async def test_who_opens_a_closed_partition_commits_that_it_is_at_work(
    static: bool, committed: Committed, claimed: int
) -> None:
    """Else the next bearer of its id would not wait for it."""
    values = Settings.model_validate(STATIC if static else {"start_from": "earliest"})
    kafka = Kafka({SOURCES[0]: committed}, {SOURCES[0]: 9})
    opened = await Opening(cast(Cluster, kafka), values, lanes=LANES, skipped=Skipped()).open({SOURCES[0]})
    assert [it.committed for it in opened] == [claimed]
