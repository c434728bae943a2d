"""What the console knows of a group's members, by names of aiokafka that are not public."""

from __future__ import annotations

import inspect

from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from connector.kafka.reader import _member


def test_a_coordinator_says_what_the_group_calls_its_member() -> None:
    """`Group.member_id` reads it; it is empty before the first join."""
    assert "self.member_id = JoinGroupRequest.UNKNOWN_MEMBER_ID" in inspect.getsource(GroupCoordinator.__init__)
    assert "self.member_id = " in inspect.getsource(GroupCoordinator)


def test_what_a_member_was_given_is_read_from_the_groups_description() -> None:
    given = ConsumerProtocolMemberAssignment(0, [("sms.messages", [0, 3])], b"").encode()
    found = _member(("faust-1", "sms-connector", "/10.0.0.7", b"", given))
    assert (found.id, found.host) == ("faust-1", "10.0.0.7")
    assert found.partitions == {TopicPartition("sms.messages", 0), TopicPartition("sms.messages", 3)}


def test_a_member_with_a_protocol_of_its_own_has_no_partitions_that_we_know() -> None:
    for given in (b"", b"x", b"\0\0\0\1\0\0", bytes(range(60))):
        assert _member(("other", "c", "host/10.0.0.8", b"", given)).partitions == frozenset()
