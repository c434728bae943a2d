"""What people of one partition said lately, and what of it changes the list of who must not be texted. Pure.

A callback may come again, hours later and after others. An old STOP that comes once more after a START must not
suppress again, and an old START must not undo a later STOP. Where it cannot be told, nobody is texted.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from itertools import islice
from typing import Final, NamedTuple

from connector.receipts.callback import Kind
from connector.receipts.phones import key_of
from connector.receipts.receipt_records import InboundRecord

KEPT_SECONDS: Final = 7 * 86_400.0
"""For so long what was said is known again. The longest that a provider is known to repeat is two days."""
MOST: Final = 100_000
"""Of one partition; 15 MB. Beyond that the oldest is forgotten early."""
REPEATS_SECONDS: Final = 2 * 86_400.0
CLOCKS_SECONDS: Final = 300.0
"""Clocks of receivers differ by less than this: what they took within it keeps the order of the topic."""

STOPS: Final = frozenset({Kind.OPT_OUT.value, Kind.BLOCKED.value})
STARTS: Final = frozenset({Kind.OPT_IN.value})
UNPROVED: Final = frozenset({"", "none"})


class Ignored(StrEnum):
    """Why an opt-out or opt-in changes nothing."""

    UNPROVED = "unproved"  # anybody may have sent it
    DUPLICATE = "duplicate"  # it came before
    OUTDATED = "outdated"  # the person said something else later
    UNSURE = "unsure"  # an opt-in that may be an old one: its provider says neither id nor time
    NO_PHONE = "no phone"  # nothing says whose it is


class Said(NamedTuple):
    """The last that somebody said. Times in seconds since the epoch."""

    stop: bool
    provider: str
    at: float | None
    received: float


class Sayings:
    """Of one partition. What is asked of it must come in the order of the topic."""

    def __init__(self) -> None:
        self._known: dict[int, float] = {}
        self._last: dict[bytes, Said] = {}

    def __len__(self) -> int:
        return len(self._known)

    def hear(self, record: InboundRecord, now: float) -> bool | Ignored | None:
        """Take one: True suppresses the phone, False lifts that, None is another kind of reply; or why nothing changes.

        Without a phone (`sender`) an opt-out still suppresses: its caller finds out whose it is, by the message.
        `now`: seconds since the epoch; what says it came later came now.
        """
        if record.kind not in STOPS | STARTS:
            return None
        stop = record.kind in STOPS
        if record.verified_by in UNPROVED:
            return Ignored.UNPROVED
        received = min(record.received_at.timestamp(), now)
        said = Said(stop, record.provider, _believed(record.at, received), received)
        identity = _identity(record)
        if identity is not None and self._seen(identity, received):
            return Ignored.DUPLICATE
        if record.sender is None:
            return True if stop and record.source is not None else Ignored.NO_PHONE
        phone = key_of(record.sender)
        last = self._last.get(phone)
        if last is not None:
            earlier = _before(said, last)
            if last.stop == stop:
                said = last if earlier else said
            elif earlier:
                return Ignored.OUTDATED
            elif not stop and identity is None and received - last.received < REPEATS_SECONDS:
                return Ignored.UNSURE
        self._last.pop(phone, None)  # to the end: the oldest is forgotten first
        self._last[phone] = said
        self._forget(received)
        return stop

    def _seen(self, identity: int, received: float) -> bool:
        if identity in self._known:
            return True
        self._known[identity] = received
        return False

    def _forget(self, now: float) -> None:
        for known in [it for it, received in islice(self._known.items(), 2) if now - received > KEPT_SECONDS]:
            del self._known[known]
        for phone in [it for it, said in islice(self._last.items(), 2) if now - said.received > KEPT_SECONDS]:
            del self._last[phone]
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        while len(self._last) > MOST:
            del self._last[next(iter(self._last))]


def _believed(at: datetime | None, received: float) -> float | None:
    """The provider's time, where it can be one: a clock that is wrong must not make a STOP an old one."""
    moment = None if at is None else at.timestamp()
    return moment if moment is not None and received - KEPT_SECONDS <= moment <= received + CLOCKS_SECONDS else None


def _before(said: Said, last: Said) -> bool:
    """Whether it was said before: by the provider's clock, where one provider tells both times; else by ours."""
    if said.provider == last.provider and said.at is not None and last.at is not None:
        return said.at < last.at
    return said.received < last.received - CLOCKS_SECONDS


def _identity(record: InboundRecord) -> int | None:
    """The same of what comes twice, another one of what is said twice; None where the provider says too little."""
    if record.id is None and record.at is None:
        return None
    phone: bytes = b"" if record.sender is None else key_of(record.sender)
    parts = (record.kind, record.provider, record.id, record.at, phone or record.source, record.again)
    return int.from_bytes(blake2b(repr(parts).encode("utf-8", "replace"), digest_size=8).digest(), "big")
