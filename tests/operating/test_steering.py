"""Deeds: written down before they are done, and how they ended; what stops is done even where nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from connector.clock import ManualClock
from connector.errors import ConnectorError
from connector.operating import steering as room
from connector.operating.audit_trail import AuditRecord, DeedState, encode_audit, read_audit
from connector.operating.steering import BY, REASON, REQUEST, ControlDeed, NotRecordedError, RecordWriter, steer

CONTROL, AUDIT = "sms.control", "sms.audit"


class Broker(RecordWriter):
    """Takes records, but for those of topics that refuse, hang or kill."""

    def __init__(self, *, refuses: Sequence[str] = (), hangs: Sequence[str] = (), dies: Sequence[str] = ()) -> None:
        self.refuses, self.hangs, self.dies = refuses, hangs, dies
        self.records: list[tuple[str, bytes, bytes | None, dict[str, bytes]]] = []

    async def write(
        self, topic: str, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> tuple[int, int]:
        if topic in self.dies:
            raise KeyboardInterrupt
        if topic in self.hangs:
            await asyncio.sleep(3600)
        if topic in self.refuses:
            raise ConnectorError("Kafka refused to take it")
        self.records.append((topic, key, value, dict(headers)))
        return 0, len(self.records)

    @property
    def topics(self) -> list[str]:
        return [topic for topic, *_ in self.records]

    @property
    def states(self) -> list[AuditRecord]:
        found = [read_audit(value) for topic, _, value, _ in self.records if topic == AUDIT]
        return [it for it in found if it is not None]


def deed(*, stops: bool = True) -> ControlDeed:
    what = "provider.pause" if stops else "provider.resume"
    value = b'{"paused": true}' if stops else b'{"paused": false}'
    return ControlDeed(
        what, "acme", b"provider:acme", value, stops, "priya", "operator", "console", "under review", "r1", "7"
    )


async def done(broker: Broker, *, stops: bool = True, audit: str | None = AUDIT) -> object:
    return await steer(deed(stops=stops), broker, control=CONTROL, audit=audit, clock=ManualClock())


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "WRITE_SECONDS", 0.05)


async def test_it_is_asked_done_and_said_to_be_done_in_this_order() -> None:
    broker = Broker()
    found = await steer(deed(), broker, control=CONTROL, audit=AUDIT, clock=ManualClock())
    assert broker.topics == [AUDIT, CONTROL, AUDIT]
    assert (found.offset, found.warnings) == (2, ())
    asked, ended = broker.states
    assert (asked.state, asked.who, asked.role, asked.reason) == (DeedState.ASKED, "priya", "operator", "under review")
    assert (ended.state, ended.before, ended.after, ended.request) == (DeedState.DONE, "7", "2", asked.request)
    assert broker.records[1][3] == {BY: b"priya", REASON: b"under review", REQUEST: b"r1"}


@pytest.mark.parametrize("fault", ["refuses", "hangs"])
async def test_what_stops_messages_is_done_without_a_record_and_says_so(fault: str) -> None:
    broker = Broker(**{fault: [AUDIT]})  # type: ignore[arg-type]
    found = await steer(deed(), broker, control=CONTROL, audit=AUDIT, clock=ManualClock())
    assert broker.topics == [CONTROL]
    assert found.warnings == ("done without a record of who did it: sms.audit does not take it",)


@pytest.mark.parametrize("fault", ["refuses", "hangs"])
async def test_what_lets_messages_go_is_not_done_without_a_record(fault: str) -> None:
    broker = Broker(**{fault: [AUDIT]})  # type: ignore[arg-type]
    with pytest.raises(NotRecordedError, match="does not take the record of who did it"):
        await done(broker, stops=False)
    assert broker.records == []


async def test_where_there_is_no_audit_topic_nothing_is_written_about_it() -> None:
    broker = Broker()
    await done(broker, stops=False, audit=None)
    assert broker.topics == [CONTROL]


async def test_a_deed_that_kafka_refuses_is_said_to_have_failed() -> None:
    broker = Broker(refuses=[CONTROL])
    with pytest.raises(ConnectorError, match="not done: Kafka refused to take it"):
        await done(broker)
    assert [it.state for it in broker.states] == [DeedState.ASKED, DeedState.FAILED]


async def test_a_deed_that_kafka_does_not_answer_may_hold_all_the_same() -> None:
    broker = Broker(hangs=[CONTROL])
    with pytest.raises(ConnectorError, match="it may hold all the same"):
        await done(broker)
    assert "may hold" in broker.states[-1].error


async def test_a_console_that_dies_between_the_record_and_the_deed_leaves_the_record_alone() -> None:
    broker = Broker(dies=[CONTROL])
    with pytest.raises(KeyboardInterrupt):
        await done(broker)
    assert broker.topics == [AUDIT]
    assert [it.state for it in broker.states] == [DeedState.ASKED]


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"at": 1}', b"[" * 1000, b'"' + b"x" * 20_000 + b'"'])
def test_what_is_no_record_of_ours_is_none(value: bytes | None) -> None:
    assert read_audit(value) is None


def test_a_record_comes_back_as_it_was() -> None:
    broker = Broker()
    asyncio.run(done(broker))
    (asked, _) = broker.states
    assert read_audit(encode_audit(asked)) == asked
