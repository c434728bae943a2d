"""The phone of an event, whatever its source's format; a schema registry that is away is waited for."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import TopicAuthorizationFailedError

from connector.clock import ManualClock
from connector.formats import schemas
from connector.formats.source_format import SourceFormats
from connector.formats.wire import frame
from connector.kafka.outage import Outlast
from connector.receipts.receipt_records import ReceiptPlace
from connector.settings.model import Settings
from connector.stream.partitions.cluster import Cluster
from connector.stream.receipts import event_phones
from connector.stream.receipts.event_phones import REFUSED_SECONDS, REGISTRY_SECONDS, EventPhones
from tests.formats.registry import FakeRegistry
from tests.formats.test_avro import written

PHONE = "+919812345678"
PLACE = ReceiptPlace("sms", 0, 0)
SCHEMA = {"type": "record", "name": "E", "fields": [{"name": "phone", "type": "string"}]}


class Log:
    """A cluster with one event."""

    def __init__(self, value: bytes) -> None:
        self.value = value

    async def bounds(self, partitions: Any) -> Any:
        return {tp: SimpleNamespace(begin=0, end=1) for tp in partitions}

    async def read_between(self, *_: Any, **__: Any) -> list[Any]:
        return [SimpleNamespace(value=self.value, headers=())]


def reading(cluster: Any, clock: ManualClock, registry: str = "http://127.0.0.1:1", **source: Any) -> EventPhones:
    settings = Settings.model_validate(
        {"topics": {"sources": [{"topic": "sms", **source}]}, "registry": {"url": registry}}
    )
    return EventPhones(
        cast(Cluster, cluster),
        Outlast(clock, patience=0),
        formats=SourceFormats(settings, clock),
        sources=frozenset(["sms"]),
        most=1000,
        clock=clock,
    )


async def phone(value: bytes, registry: str = "http://127.0.0.1:1", **source: Any) -> str | None:
    phones = reading(Log(value), ManualClock(), registry, **source)
    return (await phones.of(PLACE, wanted=lambda: True)).phone


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


class Forbidden(Log):
    """Events may not be read, until somebody allows it."""

    def __init__(self, value: bytes) -> None:
        super().__init__(value)
        self.asked, self.allowed = 0, False

    async def bounds(self, partitions: Any) -> Any:
        self.asked += 1
        if not self.allowed:
            raise TopicAuthorizationFailedError
        return await super().bounds(partitions)


async def test_where_events_may_not_be_read_replies_of_others_wait_for_it_once_and_not_each_time() -> None:
    clock = ManualClock()
    cluster = Forbidden(json.dumps({"to": PHONE}).encode())
    phones = reading(cluster, clock)
    said = [await phones.of(PLACE, wanted=lambda: True) for _ in range(3)]
    assert {(it.phone, it.why) for it in said} == {(None, "events of its topic may not be read")}
    assert cluster.asked == 1
    cluster.allowed = True
    clock.advance(REFUSED_SECONDS + 1)
    assert (await phones.of(PLACE, wanted=lambda: True)).phone == PHONE


async def test_a_registry_that_stays_away_holds_up_replies_of_others_for_a_minute_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schemas, "PROPAGATION_SECONDS", 0.0)
    monkeypatch.setattr(event_phones, "AGAIN_SECONDS", 0.001)

    class Passing(ManualClock):
        def monotonic(self) -> float:
            self.advance(5)
            return super().monotonic()

    async with FakeRegistry().running() as registry:
        registry.failing = 1000
        value = frame(7, written(SCHEMA, {"phone": PHONE}))
        phones = reading(Log(value), Passing(), registry.url, format="avro", message={"to": "phone"})
        asked = []
        for _ in range(3):
            found = await phones.of(PLACE, wanted=lambda: True)
            assert (found.phone, found.why[-15:]) == (None, "does not answer")
            asked.append(len(registry.asked))
        assert 0 < asked[0] <= REGISTRY_SECONDS / 5
        assert asked == [asked[0]] * 3
