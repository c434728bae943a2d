"""Pausing and resuming, so that it can be looked up who did it: written to the audit topic before it is done.

A deed is a record in `topics.control` with the headers `by`, `reason` and `request`. Where the record before it cannot
be written, what stops messages is done all the same, with a warning; what lets them go is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import msgspec
import structlog

from connector.clock import Clock
from connector.errors import ConnectorError
from connector.operating.audit_trail import AuditRecord, AuditVia, DeedState, encode_audit, plain_reason

log = structlog.get_logger(__name__)

WRITE_SECONDS = 10.0
"""Beyond that nobody waits: the record may be written all the same."""

BY, REASON, REQUEST = "by", "reason", "request"
"""Headers of control records. `request` is that of the audit records of the same deed: where a process ends between two
of its steps, it says which of them were done.
"""


@dataclass(frozen=True, slots=True)
class ControlDeed:
    """What somebody wants done.

    Attributes:
        what: such as `provider.pause`.
        key, value: of the control record.
        unrecorded: it is done even where nothing can be written about it, as what stops messages is.
        before: offset of the control record that the person saw.
    """

    what: str
    target: str
    key: bytes
    value: bytes | None
    unrecorded: bool
    who: str
    role: str
    via: AuditVia
    reason: str
    request: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class DeedDone:
    """It is done.

    Attributes:
        offset: of the control record.
        warnings: what was not written about it.
    """

    partition: int
    offset: int
    warnings: tuple[str, ...] = ()


class NotRecordedError(ConnectorError):
    """It was not done, because nothing could be written about it before."""


class RecordWriter(Protocol):
    """Writes one record, acknowledged by all replicas.

    Implemented by `KafkaWriter` (connector/operating/kafka_writer.py), put in place in
    `connector/web/console_process.py`.
    """

    async def write(
        self, topic: str, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> tuple[int, int]:
        """Partition and offset. Raises ConnectorError, TimeoutError; the second may have been written."""


async def steer(deed: ControlDeed, writer: RecordWriter, *, control: str, audit: str | None, clock: Clock) -> DeedDone:
    """Do it.

    Args:
        deed: what.
        writer: of both records.
        control: topic.
        audit: topic; None: there is none, and nothing is written about it.
        clock: of the records.

    Raises:
        NotRecordedError: nothing could be written about it; nothing was done.
        ConnectorError: it was not done, or nobody knows.
    """
    warnings: list[str] = []
    asked = AuditRecord(
        at=datetime.fromtimestamp(clock.wall(), UTC),
        who=deed.who,
        via=deed.via,
        what=deed.what,
        target=deed.target,
        state=DeedState.ASKED,
        request=deed.request,
        role=deed.role,
        reason=deed.reason,
        before=deed.before,
    )
    recorded = audit is not None and await _recorded(asked, writer, audit)
    if audit is not None and not recorded:
        if not deed.unrecorded:
            raise NotRecordedError(f"not done: {audit} does not take the record of who did it")
        warnings.append(f"done without a record of who did it: {audit} does not take it")
    headers = [(BY, deed.who.encode()), (REASON, plain_reason(deed.reason).encode()), (REQUEST, deed.request.encode())]
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            partition, offset = await writer.write(control, deed.key, deed.value, headers)
    except (ConnectorError, TimeoutError) as error:
        late = isinstance(error, TimeoutError)
        why = f"{control} has not acknowledged it within {WRITE_SECONDS:g} s: it may hold all the same" if late else ""
        if recorded and audit is not None:
            await _recorded(_concluded(asked, DeedState.FAILED, clock, error=why or str(error)), writer, audit)
        raise ConnectorError(why or f"not done: {error}") from error
    if recorded and audit is not None:
        done = _concluded(asked, DeedState.DONE, clock, after=str(offset))
        if not await _recorded(done, writer, audit):
            warnings.append(f"done, but {audit} has not taken the record that says so")
    return DeedDone(partition, offset, tuple(warnings))


def _concluded(asked: AuditRecord, state: DeedState, clock: Clock, *, after: str = "", error: str = "") -> AuditRecord:
    """The second record of a deed."""
    at = datetime.fromtimestamp(clock.wall(), UTC)
    return msgspec.structs.replace(asked, at=at, state=state, after=after, error=error)


async def _recorded(record: AuditRecord, writer: RecordWriter, topic: str) -> bool:
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await writer.write(topic, record.target.encode(), encode_audit(record))
    except (ConnectorError, TimeoutError) as error:
        why = str(error) or type(error).__name__
        log.warning("audit record not written", topic=topic, what=record.what, request=record.request, why=why)
        return False
    return True
