"""Deeds of the console that touch no control record, written to the audit topic: before them, or they are not done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import structlog

from connector.clock import Clock
from connector.errors import ConnectorError
from connector.operating.audit_trail import AuditRecord, DeedState, encode_audit
from connector.operating.kafka_writer import KafkaWriter
from connector.operating.steering import WRITE_SECONDS
from connector.web.deeds import Deed, DeedLog

log = structlog.get_logger(__name__)


class AuditedDeeds(DeedLog):
    """Writes to the audit topic.

    Args:
        open_writer: connects to Kafka for one record.
        topic: the audit topic.
    """

    def __init__(
        self, open_writer: Callable[[], AbstractAsyncContextManager[KafkaWriter]], topic: str, clock: Clock
    ) -> None:
        self._open_writer = open_writer
        self._topic = topic
        self._clock = clock

    async def asked(self, deed: Deed) -> None:
        try:
            await self._write(deed, DeedState.ASKED)
        except (ConnectorError, TimeoutError) as error:
            why = str(error) or "Kafka does not answer"
            raise ConnectorError(f"not done, because nobody could look up who did it: {why}") from error

    async def ended(self, deed: Deed, *, done: bool) -> None:
        try:
            await self._write(deed, DeedState.DONE if done else DeedState.FAILED)
        except (ConnectorError, TimeoutError) as error:
            log.warning("audit record not written", what=deed.what, request=deed.request, why=type(error).__name__)

    async def _write(self, deed: Deed, state: DeedState) -> None:
        record = AuditRecord(
            at=datetime.fromtimestamp(self._clock.wall(), UTC),
            who=deed.caller.name,
            via=deed.caller.via,
            what=deed.what,
            target=deed.target,
            state=state,
            request=deed.request,
            role=deed.caller.role.label,
            reason=deed.reason,
            before=deed.before,
            after=deed.after,
        )
        async with asyncio.timeout(WRITE_SECONDS), self._open_writer() as writer:
            await writer.write(self._topic, record.target.encode(), encode_audit(record))
