"""What became of the messages that providers have accepted: counted, with 17 bytes for each of them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from math import ceil
from typing import Final

from connector.receipts.callback import State
from connector.receipts.receipt_records import ReceiptRecord
from connector.receipts.states import BIT, FINALS

MOST_CODES: Final = 1_000
"""Different codes that are counted apart; what comes beyond them is counted together."""
OTHER_CODES: Final = "other codes"


@dataclass(frozen=True, slots=True)
class DeliverySummary:
    """Of the messages that a provider has accepted.

    Attributes:
        accepted: how many there are.
        reported: by what is said of them: `delivered` where anything says so, else another final state, else the
            highest one. Messages of which nothing is said are `silent`.
        codes: final states other than `delivered`, by state and the provider's code: receipts, not messages, as two of
            one message may contradict each other.
        contradicted: messages with more than one final state.
        seconds: from acceptance to delivery, by the provider's clock where it says one: the median, and what 95 of 100
            stay below. None where nothing was delivered.
    """

    accepted: int
    reported: dict[str, int]
    silent: int
    codes: list[tuple[str, str, int]]
    contradicted: int
    seconds: tuple[float, float] | None


class DeliveryTally:
    """Counts. First every message is accepted, then every receipt is noted."""

    def __init__(self) -> None:
        self._keys = array("Q")
        self._accepted = array("d")
        self._seen = bytearray()
        self._sorted = False
        self._codes: Counter[tuple[str, str]] = Counter()
        self._seconds = array("f")

    def accept(self, source: bytes, at: datetime) -> None:
        """A provider has accepted the message of this `place`, at that time; one that comes again is counted once."""
        self._keys.append(_key(source))
        self._accepted.append(at.timestamp())

    def note(self, source: bytes, state: State) -> bool:
        """A receipt says `state` about a message. False where the message is none of those that were accepted, or where
        the state is known of it already.
        """
        index = self._index(source)
        if index is None or self._seen[index] & BIT[state]:
            return False
        self._seen[index] |= BIT[state]
        return True

    def detail(self, source: bytes, receipt: ReceiptRecord) -> None:
        """What a receipt says besides, where `note` was True and the state is final."""
        if receipt.status != State.DELIVERED:
            kind = receipt.status, receipt.code or "-"
            if kind not in self._codes and len(self._codes) >= MOST_CODES:
                kind = receipt.status, OTHER_CODES
            self._codes[kind] += 1
            return
        index = self._index(source)
        if index is not None:
            at = receipt.at or receipt.received_at
            self._seconds.append(max(0.0, at.timestamp() - self._accepted[index]))

    def summary(self) -> DeliverySummary:
        """What is known by now."""
        self._sort()
        masks = Counter(self._seen)
        reported: Counter[str] = Counter()
        for mask, number in masks.items():
            if mask:
                reported[_said(mask)] += number
        return DeliverySummary(
            accepted=len(self._seen),
            reported=dict(reported),
            silent=masks.get(0, 0),
            codes=[(*kind, number) for kind, number in self._codes.most_common()],
            contradicted=sum(number for mask, number in masks.items() if (mask & FINALS & ~_UNKNOWN).bit_count() > 1),
            seconds=_percentiles(self._seconds),
        )

    def _index(self, source: bytes) -> int | None:
        self._sort()
        key = _key(source)
        index = bisect_left(self._keys, key)
        return index if index < len(self._keys) and self._keys[index] == key else None

    def _sort(self) -> None:
        """Once, when the last message is accepted: a receipt then finds its own by halving."""
        if self._sorted:
            return
        self._sorted = True
        keys, accepted = self._keys, self._accepted
        order = sorted(range(len(keys)), key=keys.__getitem__)
        first = [index for at, index in enumerate(order) if not at or keys[index] != keys[order[at - 1]]]
        self._keys = array("Q", (keys[index] for index in first))
        self._accepted = array("d", (accepted[index] for index in first))
        self._seen = bytearray(len(first))


_UNKNOWN: Final = BIT[State.UNKNOWN]
_BY_WEIGHT: Final = (
    State.DELIVERED,
    State.UNDELIVERED,
    State.EXPIRED,
    State.BLOCKED,
    State.UNKNOWN,
    State.SENT,
    State.PENDING,
)


def _said(mask: int) -> str:
    return next(state.value for state in _BY_WEIGHT if mask & BIT[state])


def _key(source: bytes) -> int:
    """64 bits: of ten million messages two share theirs in one campaign of 370,000."""
    return int.from_bytes(blake2b(source, digest_size=8).digest(), "big")


def _percentiles(seconds: array[float]) -> tuple[float, float] | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    return ordered[ceil(len(ordered) * 0.5) - 1], ordered[ceil(len(ordered) * 0.95) - 1]
