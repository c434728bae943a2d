"""What the brokers have said of this worker as a member of its group, and what follows from it.

aiokafka keeps to itself what it hears: it joins again whatever was answered, and waits for ever after an error it takes
for a final one. `ReportingCoordinator` reports here, from the consumer's thread; the worker's loop asks.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InconsistentGroupProtocolError,
    InvalidGroupIdError,
    InvalidSessionTimeoutError,
    TopicAuthorizationFailedError,
)

from connector.clock import Clock
from connector.errors import ConfigurationError, ConnectorError, Problem
from connector.settings.model import Settings
from connector.stream.membership.lease import Lease

log = structlog.get_logger(__name__)

GROUP_MAX_SIZE_REACHED = 81
"""Kafka's error code; aiokafka has no name for it."""

FOREIGN_SECONDS = 30.0
"""How long what another member is to blame for may last: it may be about to leave."""


@dataclass(frozen=True, slots=True)
class GroupRefusal:
    """Why the group does not take us at the moment.

    Attributes:
        since: monotonic seconds of the first refusal of this kind.
        code: Kafka's error code, where there is one.
    """

    error: BaseException
    since: float
    code: int = 0


class Membership:
    """The worker's place in its group.

    Attributes:
        lease: until when it may be relied on.
        joined: when the group last took us in, monotonic seconds.
        fenced: another worker has taken our instance id; nothing is asked of the group any more.
    """

    def __init__(self, lease: Lease, settings: Settings, clock: Clock) -> None:
        self.lease = lease
        self.joined = clock.monotonic()
        self.fenced = False
        self._settings = settings
        self._clock = clock
        self._refusal: GroupRefusal | None = None
        self._broken: BaseException | None = None

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock.monotonic()

    @property
    def patience(self) -> float:
        """How long a refusal for want of rights may last: brokers take up changed rules one after the other."""
        return self._settings.timeouts.refused

    # ---- told by the consumer's thread ------------------------------------------------------------------------------

    def taken(self) -> None:
        """The group has answered a join."""
        self.joined = self._clock.monotonic()

    def proved(self, sent: float) -> None:
        """A request sent at that time was accepted as one of a current member."""
        self._refusal = None
        self.lease.prove(sent)

    def lost(self) -> None:
        """The group does not know us any more."""
        self.lease.lose()

    def fence(self) -> None:
        """The group knows another member under our instance id."""
        self.fenced = True
        self.lease.lose()

    def refused(self, error: BaseException, code: int = 0) -> None:
        """Aiokafka takes this error of the coordinator for a final one. It is asked again all the same."""
        before = self._refusal
        same = before is not None and type(before.error) is type(error) and before.code == code
        self._refusal = GroupRefusal(error, before.since if before and same else self._clock.monotonic(), code)
        if not same:  # aiokafka logs some of them, and some it does not
            group = self._settings.group
            log.warning("the group refuses this worker; asking again", group=group, error=repr(error), code=code)

    def broke(self, error: BaseException) -> None:
        """Aiokafka's coordination has ended, and nobody will ask again; or a person has to look."""
        self._broken = error

    # ---- asked by the worker's loop ---------------------------------------------------------------------------------

    def verdict(self) -> ConnectorError | None:
        """Why this worker cannot be a member and has to end; None while it can, or may yet."""
        if self.fenced:
            return _configuration(
                f"another worker has joined group {self._settings.group} under this instance id: this one is fenced",
                "give each worker an id of its own (`${HOSTNAME}` in a StatefulSet), or remove the setting",
                "static_membership",
            )
        if isinstance(self._broken, ConnectorError):
            return self._broken
        if self._broken is not None:
            return ConnectorError(f"the consumer's coordination has ended: {self._broken!r}")
        refusal = self._refusal
        return None if refusal is None else self._final(refusal, self._clock.monotonic() - refusal.since)

    def _final(self, refusal: GroupRefusal, seconds: float) -> ConnectorError | None:
        group, error = self._settings.group, refusal.error
        if isinstance(error, InvalidSessionTimeoutError):
            return _configuration(
                f"the brokers refuse a session of {self._settings.timeouts.session:g}s",
                "choose one between their group.min.session.timeout.ms and group.max.session.timeout.ms "
                "(6 s and 30 min where nothing else is configured)",
                "timeouts.session",
            )
        if isinstance(error, InvalidGroupIdError):
            return _configuration(f"the brokers refuse the group's name {group!r}", "choose another one", "group")
        if isinstance(error, (GroupAuthorizationFailedError, TopicAuthorizationFailedError)):
            if seconds < self.patience:
                return None
            return _configuration(
                f"the brokers refuse this user the group {group} for {seconds:.0f} s: {type(error).__name__}",
                "allow it Read on the group and on the source topics (docs/security.md)",
                "group",
            )
        if seconds < FOREIGN_SECONDS:
            return None
        if isinstance(error, InconsistentGroupProtocolError):
            return ConnectorError(
                f"group {group} has members that share out partitions in another way than roundrobin: another "
                "application uses the same group. Stop it, or give this connector a group of its own (`group`)"
            )
        if refusal.code == GROUP_MAX_SIZE_REACHED:
            return ConnectorError(f"group {group} is full: the brokers allow no more members (group.max.size)")
        return ConnectorError(f"group {group} cannot be joined for {seconds:.0f} s: {error!r} (code {refusal.code})")


def _configuration(message: str, remedy: str, path: str) -> ConfigurationError:
    return ConfigurationError([Problem(message, remedy, path=path)])
