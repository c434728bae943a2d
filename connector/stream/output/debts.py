"""Results that are owed: their messages were sent, and it is not known that the results topic took what became of them.

A debt is written down where it can be: in the journal, with the result; else, as an offset, in the metadata of the
commit. Whoever opens the partition next pays it before anything leaves: that write proves that results can be written
again. So no message is sent a second time because its result could not be written.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec
import structlog
from aiokafka.errors import KafkaError

from connector.errors import RefusedError
from connector.kafka.batches import RecordFields
from connector.model import Result, Status
from connector.stream.output.debt_sink import DebtSink
from connector.stream.output.journal_topic import JournalTopic
from connector.stream.partitions.committer import metadata_of
from connector.stream.partitions.formats import METADATA_BYTES, settled_place
from connector.stream.partitions.partition import Partition

log = structlog.get_logger(__name__)

VERSION = 1
# How long the journal is waited for. Where it does not answer either, the offset in the commit is as good.
JOURNAL_SECONDS = 5.0
# Statuses of messages that a provider may have, whatever their count of attempts says.
SENT = frozenset({Status.ACCEPTED, Status.UNKNOWN})


class Positions(Protocol):
    """Commits the positions of partitions.

    Implemented by `Housekeeping` (connector/stream/epoch/housekeeping.py), put in place in
    `connector/stream/wiring/parts.py`.
    """

    async def commit_again(self, partition: Partition) -> bool:
        """Commit a partition's position with the metadata of now, whether it has moved or not; True when it is."""
        ...


class _Entry(msgspec.Struct, omit_defaults=True):
    """The journal's record of a debt. `topic` and `owed` stay what they are in every version."""

    topic: str
    owed: int
    v: int = VERSION
    result: msgspec.Raw = msgspec.Raw()


class Debt(NamedTuple):
    """An event of `topic` whose result is owed; None where only that is known."""

    topic: str
    offset: int
    result: Result | None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Entry).decode
_decode_result = msgspec.json.Decoder(Result).decode
# A result of ours has kilobytes; of a larger one only is known that it is owed.
RESULT_BYTES = 64 * 1024
_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def encode(topic: str, offset: int, result: Result | None) -> bytes:
    """The journal's record. Numbers stand in the event, and nowhere in the journal."""
    if result is None:
        return _encode(_Entry(topic, offset))
    return _encode(_Entry(topic, offset, result=msgspec.Raw(_encode(msgspec.structs.replace(result, to=None)))))


def decode(value: bytes | None) -> Debt | None:
    """Read a record of the journal; None where it is no debt. Of a newer version only the event is understood."""
    try:
        entry = _decode(value or b"")
    except _FAULTS:
        return None
    if not 0 <= entry.owed < 2**63:
        return None
    if len(value or b"") > RESULT_BYTES or entry.v != VERSION:
        return Debt(entry.topic, entry.owed, None)
    try:
        return Debt(entry.topic, entry.owed, _decode_result(entry.result))
    except _FAULTS:
        return Debt(entry.topic, entry.owed, None)


class Debts(DebtSink):
    """What this worker owes.

    Args:
        journal: takes them at once or not at all; None where there is none.
        positions: take what the journal does not.
    """

    def __init__(self, *, journal: JournalTopic | None, positions: Positions) -> None:
        self._journal_topic = journal
        self._positions = positions
        self._owed: defaultdict[Partition, dict[int, Result]] = defaultdict(dict)
        self._written: defaultdict[Partition, set[int]] = defaultdict(set)
        self._appending: dict[Partition, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()
        self._told = False
        self.released = asyncio.Event()

    @property
    def count(self) -> int:
        """Results that are owed."""
        return sum(map(len, self._owed.values()))

    @property
    def unwritten(self) -> int:
        """Those that stand nowhere but in this process."""
        return self.count - sum(map(len, self._written.values()))

    async def owe(self, origin: Partition, records: Iterable[RecordFields]) -> None:
        for record in records:
            place = settled_place(record[2])
            result = _result(record[1])
            if place is not None and result is not None:
                self._owed[origin].setdefault(place[1], result)
        await self.write()

    async def write(self) -> bool:
        """Write down what is not yet. True when nothing is left."""
        async with self._turn:
            await asyncio.gather(*[self._write(origin) for origin in self._owed])
        unwritten = self.unwritten
        if unwritten and not self._told:
            log.critical(
                "results are owed and can be written nowhere: this process keeps them. If it is killed their messages "
                "are sent again. Mend the brokers, or the access to the results topic or the journal",
                results=unwritten,
            )
        self._told = unwritten > 0
        return not unwritten

    async def lost(self, origin: Partition) -> bool:
        """The results topic is gone, and with it those of events that no commit has passed: whether they were sent is
        known to nobody but this process. True when that is written down.
        """
        offsets = origin.ledger.settled_ahead
        if not offsets:
            return True
        async with self._turn:
            if await self._metadata(origin, offsets):
                return True
            return await self._append_to_journal(origin, [encode(origin.topic, it, None) for it in offsets])

    def settled(self, origin: Partition, offsets: Iterable[int]) -> None:
        """Their results are acknowledged after all."""
        owed, written = self._owed.get(origin), self._written.get(origin)
        if not owed:
            return
        for offset in offsets:
            owed.pop(offset, None)
            origin.owed.discard(offset)
            if written is not None:
                written.discard(offset)

    def forget(self) -> None:
        """The epoch has closed: what is written down is the next owner's."""
        for origin in [origin for origin in self._owed if not origin.live]:
            del self._owed[origin]
            self._written.pop(origin, None)

    def _left(self, origin: Partition) -> dict[int, Result]:
        """What stands nowhere else."""
        written = self._written[origin]
        return {offset: result for offset, result in self._owed.get(origin, {}).items() if offset not in written}

    async def _write(self, origin: Partition) -> None:
        while left := self._left(origin):
            before = self._appending.get(origin)
            if before is None:
                self._appending[origin] = asyncio.create_task(self._journal(origin, left))
            await asyncio.wait({self._appending[origin]}, timeout=JOURNAL_SECONDS)
            if before is None or not before.done():
                break
        if (left := self._left(origin)) and await self._metadata(origin, left):
            self._note(origin, left)

    async def _journal(self, origin: Partition, owed: Mapping[int, Result]) -> None:
        """One at a time is on its way per partition: where the journal does not answer, more would only fill memory."""
        try:
            if await self._append_to_journal(origin, [encode(origin.topic, *it) for it in owed.items()]):
                self._note(origin, owed)
        finally:
            del self._appending[origin]

    async def _append_to_journal(self, origin: Partition, values: Sequence[bytes]) -> bool:
        if self._journal_topic is None:
            return False
        try:
            return await self._journal_topic.append(origin, values, optional=True)
        except (RefusedError, KafkaError):
            return False

    def _note(self, origin: Partition, owed: Iterable[int]) -> None:
        """They stand somewhere else now, but for those that are settled meanwhile."""
        noted = [offset for offset in owed if offset in self._owed.get(origin, ())]
        if noted:
            self._written[origin].update(noted)
            log.warning(
                "results are owed and written down: the next start pays them before anything is sent",
                topic=origin.topic,
                partition=origin.partition,
                results=len(noted),
            )

    async def _metadata(self, origin: Partition, owed: Iterable[int]) -> bool:
        """Only that they are owed: their results will be `unknown`."""
        wanted = origin.owed | set(owed)
        position = origin.ledger.position
        if len(metadata_of(origin, position, wanted, closed=True)) > METADATA_BYTES:
            return False
        origin.owed = wanted
        return await self._positions.commit_again(origin)


def _result(value: bytes | None) -> Result | None:
    """The result of a message that was sent; None for others, which the next owner finds out again."""
    try:
        result = _decode_result(value or b"")
    except _FAULTS:
        return None
    sent = (result.attempts > 0 or result.status in SENT) and not result.dry_run
    return result if sent else None
