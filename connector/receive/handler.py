"""One callback: verified, read, written, and answered, in this order.

What is answered with the definition's own reply is in Kafka, acknowledged by all replicas, or was never to be kept. All
else is an answer after which the provider repeats it (503), or must not (403).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import structlog

from connector.clock import Clock
from connector.kafka.batches import RecordFields, size
from connector.receipts.callback import (
    Callback,
    CallbackAnswer,
    MessageToken,
    NeedsCertificate,
    Reading,
    ReceiptEntry,
    Refused,
    Unmatched,
    Verified,
    Why,
)
from connector.receipts.receipt_records import entry_record, inbound_record, partition, place, unmatched_record
from connector.receive.group_commit import GroupCommit, LogPlace, NotWrittenError
from connector.settings.model import Topics
from connector.settings.way_back import Receive

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 10
KEPT_PER_SECOND = 10
"""Callbacks that are not verified and kept all the same: an attacker must not fill a topic."""

PROBED = CallbackAnswer()
REFUSED = CallbackAnswer(403, b"not verified\n")
NOT_FOUND = CallbackAnswer(404, b"not found\n")
AGAIN = CallbackAnswer(503, b"try again\n", headers=(("Retry-After", str(AGAIN_SECONDS)),))

WAITS_FOR_INDEX = "it names a request, or the provider's own id: which message that is cannot be looked up yet"

Placed = tuple[LogPlace, RecordFields]
Fetch = Callable[[str], Awaitable[bytes]]
"""GET of a URL that was checked, within bounds. Raises OSError or TimeoutError."""


class CertificateStore(Protocol):
    """Certificates that signatures are checked with."""

    def add(self, url: str, pem: bytes, now: float) -> None:
        """Take one. Raises ValueError where it is none that proves anything."""


class CallbackReader(Protocol):
    """What a definition makes of callbacks. Pure."""

    @property
    def certificates(self) -> CertificateStore: ...
    def probe(self, callback: Callback) -> bool: ...
    def verify(self, callback: Callback) -> Verified | Refused | NeedsCertificate: ...
    def read(self, callback: Callback, verified: Verified) -> Reading: ...


class CallbackCounts:
    """What came, by provider.

    Attributes:
        requests: by provider and what became of them: written, probe, refused, busy, kafka.
        entries: by provider and kind: receipt, reply or what else it is, ignored.
        unmatched: by provider and reason.
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.entries: Counter[tuple[str, str]] = Counter()
        self.unmatched: Counter[tuple[str, str]] = Counter()


class Handler:
    """Answers callbacks.

    Args:
        readers: by name of the definition.
        group: writes.
        partitions: of each topic.
        limits: the largest record of each topic.
        fetch: gets certificates, and follows handshakes.

    Attributes:
        waiting: callbacks under way.
    """

    def __init__(
        self,
        readers: Mapping[str, CallbackReader],
        *,
        group: GroupCommit,
        topics: Topics,
        partitions: Mapping[str, int],
        limits: Mapping[str, int],
        receive: Receive,
        fetch: Fetch,
        clock: Clock,
    ) -> None:
        self.counts = CallbackCounts()
        self.readers = readers
        self._group = group
        self._topics = topics
        self._partitions = partitions
        self._limits = limits
        self._receive = receive
        self._fetch = fetch
        self._clock = clock
        self._kept: tuple[int, int] = (0, 0)
        self._fetching: dict[str, asyncio.Task[bytes]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self.waiting = 0

    async def answer(self, name: str, callback: Callback) -> CallbackAnswer:
        """What a callback for this definition is answered. Never raises, but for a cancellation."""
        reader = self.readers.get(name)
        if reader is None:  # not counted by its name, which anybody may make up
            self.counts.requests["", "unknown"] += 1
            return NOT_FOUND
        if reader.probe(callback):
            self.counts.requests[name, "probe"] += 1
            return PROBED
        if self.waiting >= self._receive.waiting:
            self.counts.requests[name, "busy"] += 1
            return AGAIN
        self.waiting += 1
        self._idle.clear()
        try:
            async with asyncio.timeout(self._receive.timeout):
                outcome, answer = await self._handled(name, reader, callback)
        except (NotWrittenError, TimeoutError, OSError):
            outcome, answer = "kafka", AGAIN
        except Exception:  # a fault of ours is no reason for a provider to forget it
            log.exception("a callback cannot be handled", provider=name)
            outcome, answer = "error", AGAIN
        finally:
            self.waiting -= 1
            if not self.waiting:
                self._idle.set()
        self.counts.requests[name, outcome] += 1
        return answer

    async def idle(self) -> None:
        """Return when nothing is under way."""
        await self._idle.wait()

    async def _handled(self, name: str, reader: CallbackReader, callback: Callback) -> tuple[str, CallbackAnswer]:
        verified = await self._verified(reader, callback)
        if not isinstance(verified, Verified):
            log.warning("callback refused", provider=name, why=verified.reason)
            if self._receive.unverified == "keep" and self._may_keep(callback.now):
                kept = Unmatched(name, callback.now, Why.UNVERIFIED, verified.reason, callback.body, whole=True)
                await self._group.add([self._unmatched(kept)])
            return "refused", REFUSED
        reading = reader.read(callback, verified)
        if reading.handshake is not None:
            await self._fetched(reading.handshake)
            log.info("handshake of a provider followed", provider=name)
        await self._group.add(self._records(name, callback, reading))
        return "written", reading.answer

    async def _verified(self, reader: CallbackReader, callback: Callback) -> Verified | Refused:
        found = reader.verify(callback)
        if isinstance(found, NeedsCertificate):
            pem = await self._fetched(found.url)
            try:
                reader.certificates.add(found.url, pem, callback.now)
            except ValueError as error:
                return Refused(str(error))
            found = reader.verify(callback)
        return Refused("its certificate is not the one it names") if isinstance(found, NeedsCertificate) else found

    async def _fetched(self, url: str) -> bytes:
        """GET, once for all who ask at the same time. Who asks may give up, which does not end it for the others."""
        task = self._fetching.get(url)
        if task is None:
            task = self._fetching[url] = asyncio.ensure_future(self._fetch(url))
            task.add_done_callback(lambda _: self._fetching.pop(url, None))
        return await asyncio.shield(task)

    def _may_keep(self, now: float) -> bool:
        second, number = self._kept
        if int(now) != second:
            second, number = int(now), 0
        self._kept = (second, number + 1)
        return number < KEPT_PER_SECOND

    def _records(self, name: str, callback: Callback, reading: Reading) -> Sequence[Placed]:
        """Everything in a callback as records; whole, where a part of it is too large for its topic."""
        counts = self.counts
        unmatched = list(reading.unmatched)
        placed: list[Placed] = []
        for entry in reading.entries:
            counts.entries[name, "receipt"] += 1
            if isinstance(entry.token, MessageToken):
                placed.append(self._placed(self._topics.receipts_matched, place(entry.token.source), entry))
            else:
                unmatched.append(_waits(entry))
        for inbound in reading.inbound:
            counts.entries[name, inbound.kind.value] += 1
            record = inbound_record(inbound)
            placed.append(self._at(self._topics.inbound, record[0] or record[1] or b"", record))
        counts.entries[name, "ignored"] += reading.ignored
        if any(size(record) > self._limits[where.topic] for where, record in placed):
            reason = "a part of it is larger than its topic takes"
            placed, unmatched = [], [Unmatched(name, callback.now, Why.UNREADABLE, reason, callback.body, whole=True)]
        for it in unmatched:
            counts.unmatched[name, it.why.value] += 1
        return placed + [self._unmatched(it) for it in unmatched]

    def _placed(self, topic: str, key: bytes, entry: ReceiptEntry) -> Placed:
        assert isinstance(entry.token, MessageToken)
        return self._at(topic, key, entry_record(entry, entry.token))

    def _unmatched(self, unmatched: Unmatched) -> Placed:
        return self._at(self._topics.receipts_unmatched, unmatched.document, unmatched_record(unmatched))

    def _at(self, topic: str, key: bytes, record: RecordFields) -> Placed:
        return LogPlace(topic, partition(key, self._partitions[topic])), record


def _waits(entry: ReceiptEntry) -> Unmatched:
    return Unmatched(
        entry.provider, entry.arrived, Why.UNKNOWN, WAITS_FOR_INDEX, entry.document, entry.index, entry.count
    )
