"""What becomes of a message behind the provider: by the last six digits of its number, else it is delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from connector.tools.simulator.texts import digits


class NetworkState(StrEnum):
    """What a network says of a message. The last four end it."""

    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    BLOCKED = "blocked"


FINAL: Final = frozenset({NetworkState.DELIVERED, NetworkState.UNDELIVERED, NetworkState.EXPIRED, NetworkState.BLOCKED})


class NewsKind(StrEnum):
    """What a callback is about."""

    RECEIPT = "receipt"
    REPLY = "reply"
    CLICK = "click"
    PROBE = "probe"


class Fate(StrEnum):
    """The first four of the last six digits; the other two are free."""

    SENT_ONLY = "0001"
    UNDELIVERED = "0002"
    EXPIRED = "0003"
    CONTRADICTION = "0004"
    EARLY = "0005"
    NEVER = "0006"
    BLOCKED = "0007"
    STOP = "0008"
    CLICK = "0009"
    FIVE = "0010"


_FATES = {fate.value: fate for fate in Fate}


def fate(phone: object) -> Fate | None:
    """What the number asks for."""
    return _FATES.get(digits(phone)[-6:-2])


@dataclass(frozen=True, slots=True)
class CourseStep:
    """One thing that happens to a message; `state` of a receipt only."""

    kind: NewsKind
    state: NetworkState | None = None


def _receipts(*states: NetworkState) -> tuple[CourseStep, ...]:
    return tuple(CourseStep(NewsKind.RECEIPT, state) for state in states)


_ON_THE_WAY = (NetworkState.PENDING, NetworkState.SENT)
_DELIVERED = _receipts(*_ON_THE_WAY, NetworkState.DELIVERED)
_COURSES: Final[Mapping[Fate | None, tuple[CourseStep, ...]]] = {
    Fate.SENT_ONLY: _receipts(*_ON_THE_WAY),
    Fate.UNDELIVERED: _receipts(*_ON_THE_WAY, NetworkState.UNDELIVERED),
    Fate.EXPIRED: _receipts(*_ON_THE_WAY, NetworkState.EXPIRED),
    Fate.CONTRADICTION: _receipts(*_ON_THE_WAY, NetworkState.UNDELIVERED, NetworkState.DELIVERED),
    Fate.NEVER: (),
    Fate.BLOCKED: _receipts(NetworkState.BLOCKED),
    Fate.STOP: (*_DELIVERED, CourseStep(NewsKind.REPLY)),
    Fate.CLICK: (*_DELIVERED, CourseStep(NewsKind.CLICK)),
}


def course(phone: object) -> tuple[CourseStep, ...]:
    """Everything that happens to a message to this number, in order."""
    return _COURSES.get(fate(phone), _DELIVERED)


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that a fake took, as far as callbacks tell of it.

    Attributes:
        to: as the request had it.
        id: what the reply called it.
        at: when it was taken, seconds since the epoch.
        url: where the request wants its receipts; None: the registered one.
        method: how that URL is to be called; empty: as the provider does.
        ref: the caller's own value that comes back.
        sender: what it is sent from.
        text: as sent, where callbacks repeat it.
        batch: the request's id.
        parts: ids of its parts, where each has one.
        media: how the request wants its receipts written.
        wants: the states the request asks for; None: all that the provider tells.
        context: the caller's own values that come back by name.
    """

    to: str
    id: str
    at: float
    url: str | None = None
    method: str = ""
    ref: str | None = None
    sender: str = ""
    text: str = ""
    batch: str = ""
    parts: tuple[str, ...] = ()
    media: str = ""
    wants: frozenset[NetworkState] | None = None
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class News:
    """A step of one message, to be told.

    Attributes:
        at: when it happened, seconds since the epoch.
        sequence: 1, 2, … per message.
        part: which part of the message it is about, from 0.
    """

    sent: SentMessage
    kind: NewsKind
    state: NetworkState | None
    at: float
    sequence: int
    part: int = 0
