"""The phone of an event, whatever its source's format; a schema registry that is away is waited for."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connector.clock import ManualClock
from connector.formats import schemas
from connector.formats.source_format import SourceFormats
from connector.formats.wire import frame
from connector.kafka.outage import Outlast
from connector.receipts.receipt_records import ReceiptPlace
from connector.settings.model import Settings
from connector.stream.partitions.cluster import Cluster
from connector.stream.receipts import event_phones
from connector.stream.receipts.event_phones import EventPhones
from tests.formats.registry import FakeRegistry
from tests.formats.test_avro import written

PHONE = "+919812345678"
SCHEMA = {"type": "record", "name": "E", "fields": [{"name": "phone", "type": "string"}]}


class Log:
    """A cluster with one event."""

    def __init__(self, value: bytes) -> None:
        self.value = value

    async def bounds(self, partitions: Any) -> Any:
        return {tp: SimpleNamespace(begin=0, end=1) for tp in partitions}

    async def read_between(self, *_: Any, **__: Any) -> list[Any]:
        return [SimpleNamespace(value=self.value, headers=())]


async def phone(value: bytes, registry: str = "http://127.0.0.1:1", **source: Any) -> str | None:
    settings = Settings.model_validate(
        {"topics": {"sources": [{"topic": "sms", **source}]}, "registry": {"url": registry}}
    )
    clock = ManualClock()
    phones = EventPhones(
        cast(Cluster, Log(value)),
        Outlast(clock, patience=0),
        formats=SourceFormats(settings, clock),
        sources=frozenset(["sms"]),
        most=1000,
    )
    return await phones.of(ReceiptPlace("sms", 0, 0), wanted=lambda: True)


@pytest.mark.parametrize(
    ("event", "source", "expected"),
    [
        ({"to": PHONE}, {}, PHONE),
        ({"customer": {"phone": PHONE}}, {"message": {"to": "customer.phone"}}, PHONE),
        ({"customer": 7}, {"message": {"to": "customer.phone"}}, None),
        ({"to": PHONE}, {"format": "avro"}, None),
    ],
)
async def test_an_event_is_read_as_its_source_says(event: Any, source: Any, expected: str | None) -> None:
    assert await phone(json.dumps(event).encode(), **source) == expected


async def test_a_registry_that_is_away_loses_no_opt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "PROPAGATION_SECONDS", 0.0)
    monkeypatch.setattr(event_phones, "AGAIN_SECONDS", 0.01)
    async with FakeRegistry().running() as registry:
        registry.schemas[7] = {"schema": json.dumps(SCHEMA)}
        registry.failing = 3
        value = frame(7, written(SCHEMA, {"phone": PHONE}))
        assert await phone(value, registry.url, format="avro", message={"to": "phone"}) == PHONE
    assert len(registry.asked) == 4
