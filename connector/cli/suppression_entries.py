"""Who must not be texted, as the topic says it: read backwards, so that the newest record of each number comes first.

Of all that came before only the numbers are held, eight bytes each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from connector.cli.output import note
from connector.errors import Problem, TopicError
from connector.kafka.reader import ends_of, open_reader
from connector.settings import Settings
from connector.suppressions.phone_list import PhoneList
from connector.suppressions.record import (
    KeyFormatError,
    Phone,
    Suppression,
    phone_of,
    read_suppression,
    suppresses,
)

PIECE_OFFSETS: Final = 100_000
"""Read at once, and held: some 30 MB."""


async def entries(settings: Settings, wanted: int | None = None) -> AsyncIterator[tuple[Phone, Suppression]]:
    """Who is suppressed now, of all numbers or of one; whoever said it last comes first.

    Raises:
        TopicError: there is no such topic.
    """
    topic = settings.topics.suppressions
    known = PhoneList()
    known.finish(None)
    async with open_reader(settings, note) as reader:
        partitions = await reader.partitions([topic], optional=True)
        if not partitions:
            raise missing(topic)
        bounds = await reader.bounds(partitions)
        for tp, last in ends_of(bounds).items():
            end = last
            while end > bounds[tp].begin:
                start = max(bounds[tp].begin, end - PIECE_OFFSETS)
                piece: dict[Phone, bytes | None] = {}
                async for record in reader.scan({tp: start}, {tp: end}):
                    try:
                        phone = phone_of(record.key)
                    except KeyFormatError:
                        place = f"{topic}/{record.partition}/{record.offset}"
                        note(f"{place}: the key is no phone number; it suppresses nobody")
                        continue
                    if wanted is None or phone.number == wanted:
                        piece.pop(phone, None)  # to the end: what is said last counts
                        piece[phone] = record.value
                end = start
                for phone, value in reversed(piece.items()):
                    if known.has(phone):
                        continue
                    known.add(phone)
                    if suppresses(value):
                        yield phone, read_suppression(value or b"")


async def keys_of(settings: Settings, number: int) -> list[bytes]:
    """Every key, as it is in the topic, whose newest record says something of this number.

    Raises:
        TopicError: there is no such topic.
    """
    topic = settings.topics.suppressions
    found: dict[bytes, bool] = {}
    async with open_reader(settings, note) as reader:
        partitions = await reader.partitions([topic], optional=True)
        if not partitions:
            raise missing(topic)
        bounds = await reader.bounds(partitions)
        async for record in reader.scan({tp: it.begin for tp, it in bounds.items()}, ends_of(bounds)):
            try:
                phone = phone_of(record.key)
            except KeyFormatError:
                continue
            if phone.number == number and record.key is not None:
                found[record.key] = record.value is not None
    return [key for key, says in found.items() if says]


def missing(topic: str) -> TopicError:
    """It is not there."""
    remedy = (
        "set suppressions.enabled and run `sms-connector topics create`, or correct the name in `topics.suppressions`"
    )
    return TopicError([Problem("is not on the cluster, or may not be seen", remedy, path=topic)])
