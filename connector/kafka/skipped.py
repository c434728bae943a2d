"""Records that are passed over because of what others wrote in them: counted, told once, left where they are.

Nobody may stop a worker by writing into a topic it reads. What it cannot use there is data like any other: the record
stays for a person to look at, and a counter says that it is there.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from enum import StrEnum

import structlog

log = structlog.get_logger(__name__)


class Reason(StrEnum):
    """Why a record is passed over."""

    UNDECODABLE = "undecodable"  # Kafka's own framing: compression, checksum, names of headers
    TOO_LARGE = "too_large"
    TRANSACTIONAL = "transactional"  # in a topic to which we never write transactions
    MALFORMED = "malformed"  # not what this topic holds: its JSON, its types, its headers
    FOREIGN = "foreign"  # names a place that its partition does not stand for, or an offset outside the log
    VERSION = "version"  # ours, in a format of another version
    CLOCK = "clock"  # stamped or due in a future that no clock of ours gives


class Skipped:
    """Counts them. May be told from any thread.

    Args:
        topics: those that are read: each with each reason is there from the start, at 0.
        tell: log the first of each kind; a command tells the sums instead.
    """

    def __init__(self, topics: Collection[str] = (), *, tell: bool = True) -> None:
        self._tell = tell
        self._counts = {(topic, reason): 0 for topic in topics for reason in Reason}
        self._told: set[tuple[str, Reason]] = set()
        self._lock = threading.Lock()

    @property
    def counts(self) -> Mapping[tuple[str, Reason], int]:
        """By topic and reason."""
        with self._lock:
            return dict(self._counts)

    def note(
        self, topic: str, partition: int, offset: int, reason: Reason, *, records: int = 1, what: str = ""
    ) -> None:
        """A record is passed over, or so many from `offset` on.

        The first of each topic and reason is logged with its place; `what` says what is wrong, never in words of the
        record.
        """
        kind = (topic, reason)
        with self._lock:
            self._counts[kind] = self._counts.get(kind, 0) + records
            first = kind not in self._told
            self._told.add(kind)
        if first and self._tell:
            log.warning(
                "poison record skipped; it stays in its topic, and further ones like it are only counted",
                topic=topic,
                partition=partition,
                offset=offset,
                reason=reason.value,
                what=what,
            )
