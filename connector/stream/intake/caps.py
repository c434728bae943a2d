"""Campaigns with a `cap`: so many of their events are sent, and no more, whatever a producer does.

Each partition of the sources has its share of the cap, so that no worker needs to know what another one sends. Which
event of its campaign one is, is a fact of the log (`partitions/campaign_counts`): the same ones are sent however often
they are read. Those beyond the share wait in the retry topics: a person says whether more are meant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import structlog
from aiokafka import ConsumerRecord

from connector.kafka.record_batch import Unreadable
from connector.model import Source
from connector.stream.control.table import ControlTable
from connector.stream.partitions.campaign_counts import share_of
from connector.stream.partitions.partition import Partition
from connector.untrusted import READ_ERRORS, decoder, too_deep

log = structlog.get_logger(__name__)


class _OfCampaign(msgspec.Struct):
    message_id: str
    campaign_id: str | None = None


_read = decoder(_OfCampaign).decode


class Caps:
    """Says which events are beyond their campaign's cap.

    Args:
        control: the campaigns.
        index: which of all source partitions one is, and how many there are.
    """

    def __init__(self, control: ControlTable, index: Callable[[str, int], tuple[int, int]]) -> None:
        self._control = control
        self._index = index
        self._told: set[tuple[str, int]] = set()

    def count(self, partition: Partition, records: Sequence[ConsumerRecord]) -> dict[int, int]:
        """Count what was read of a source partition, also what has its result already: by offset, which event of its
        campaign each is, of campaigns that have a cap.
        """
        found: dict[int, int] = {}
        for record in records:
            if isinstance(record, Unreadable) or partition.counts.counted(record.offset):
                continue
            raw = record.value or b""
            try:
                campaign = None if too_deep(raw) else _read(raw).campaign_id
            except READ_ERRORS:
                continue  # it will be `invalid`
            if campaign in self._control.capped and campaign is not None:
                found[record.offset] = partition.counts.count(campaign, record.offset)
        return found

    def exceeded(self, campaign: str | None, event: Source, ordinal: int) -> bool:
        """Whether the event, which is this one of its campaign in its partition, has to wait."""
        cap = self._control.cap(campaign)
        if cap is None or ordinal <= share_of(cap, *self._index(event.topic, event.partition)):
            return False
        if (told := (campaign or "", cap)) not in self._told:
            self._told = {it for it in self._told if it[0] in self._control.capped} | {told}
            log.warning(
                "a campaign has had as many messages as its cap allows; raise it or cancel the campaign: others wait",
                campaign=campaign,
                cap=cap,
                topic=event.topic,
                partition=event.partition,
            )
        return True
