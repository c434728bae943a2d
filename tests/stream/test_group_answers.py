"""What the group has said, and whether a worker goes on, waits or ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InconsistentGroupProtocolError,
    InvalidGroupIdError,
    InvalidSessionTimeoutError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from connector.clock import ManualClock
from connector.settings.model import Settings
from connector.stream.membership.group_answers import FOREIGN_SECONDS, GROUP_MAX_SIZE_REACHED, Membership
from tests.stream.members import membership

SETTINGS = Settings.model_validate({"group": "texts", "timeouts": {"session": "500ms", "heartbeat": "100ms"}})


def made() -> tuple[Membership, ManualClock]:
    clock = ManualClock()
    return membership(SETTINGS, clock), clock


@pytest.mark.parametrize(
    ("error", "code", "seconds", "exit_code", "words"),
    [
        (InvalidSessionTimeoutError(), 26, 0, 78, "timeouts.session: the brokers refuse a session of 0.5s"),
        (InvalidGroupIdError(), 24, 0, 78, "group: the brokers refuse the group's name 'texts'"),
        (GroupAuthorizationFailedError("texts"), 30, SETTINGS.timeouts.refused, 78, "allow it Read on the group"),
        (TopicAuthorizationFailedError("t"), 29, SETTINGS.timeouts.refused, 78, "allow it Read on the group"),
        (InconsistentGroupProtocolError(), 23, FOREIGN_SECONDS, 1, "another application uses the same group"),
        (KafkaError("UnknownError()"), GROUP_MAX_SIZE_REACHED, FOREIGN_SECONDS, 1, "group texts is full"),
        (KafkaError("UnknownError()"), 99, FOREIGN_SECONDS, 1, "cannot be joined for 30 s"),
    ],
)
def test_a_refusal_ends_the_worker_when_it_has_lasted_too_long_to_pass_by_itself(
    error: Exception, code: int, seconds: float, exit_code: int, words: str
) -> None:
    member, clock = made()
    member.refused(error, code)
    if seconds:
        clock.advance(seconds - 1)
        member.refused(error, code)
        assert member.verdict() is None
        clock.advance(1)
    verdict = member.verdict()
    assert verdict is not None
    assert verdict.exit_code == exit_code
    assert words in str(verdict)


def heartbeat(member: Membership) -> None:
    member.proved(member.now)


def another(member: Membership) -> None:
    member.refused(GroupAuthorizationFailedError("texts"), 30)


@pytest.mark.parametrize("between", [heartbeat, another])
def test_what_was_interrupted_begins_anew(between: Callable[[Membership], None]) -> None:
    """Somebody else's member came, left, and came again: the time of both together proves nothing."""
    member, clock = made()
    for _ in range(2):
        member.refused(InconsistentGroupProtocolError(), 23)
        clock.advance(FOREIGN_SECONDS - 1)
        assert member.verdict() is None
        between(member)
        clock.advance(2)
        assert member.verdict() is None


def test_who_is_fenced_may_do_nothing_and_ends_for_a_person_to_look() -> None:
    member, _ = made()
    heartbeat(member)
    member.fence()
    verdict = member.verdict()
    assert not member.lease.certain
    assert verdict is not None
    assert verdict.exit_code == 78
    assert "fenced" in str(verdict)


def test_a_coordination_that_has_ended_is_not_waited_for() -> None:
    member, _ = made()
    member.broke(AssertionError("invalid assignment protocol"))
    verdict = member.verdict()
    assert verdict is not None
    assert verdict.exit_code == 1


def test_a_clock_that_is_set_neither_shortens_nor_lengthens_what_is_waited_for() -> None:
    member, clock = made()
    member.refused(InconsistentGroupProtocolError(), 23)
    clock.jump(3600)
    assert member.verdict() is None
    clock.jump(-7200)
    clock.advance(FOREIGN_SECONDS)
    assert member.verdict() is not None
