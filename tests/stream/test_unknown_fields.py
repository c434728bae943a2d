"""Fields that no message has: said once, or the event is refused; never silent, and never a line per event."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from connector.clock import ManualClock
from connector.stream.intake.unknown_fields import AGAIN_SECONDS, NAMES, EventDecoder, UnknownFieldsPolicy
from connector.stream.intake.unreadable import fault

EVENT = {"message_id": "m1", "to": "+919812345678", "provider": "acme", "body": "Hello"}


def item(offset: int = 7, raw: bytes | None = None, **fields: Any) -> Any:
    value = msgspec.json.encode({**EVENT, **fields}) if raw is None else raw
    return SimpleNamespace(raw=value, offset=offset, origin=SimpleNamespace(topic="sms.messages", partition=2))


def reader(policy: UnknownFieldsPolicy = "report", clock: ManualClock | None = None) -> EventDecoder:
    return EventDecoder(policy, clock or ManualClock())


def test_each_field_is_told_once_with_the_one_that_may_have_been_meant_and_where_it_stood() -> None:
    events = reader()
    with capture_logs() as told:
        for offset in range(1000):
            assert events.read(item(offset, expire_at="x", zzz=1)).body == "Hello"
    assert [(it["field"], it["did_you_mean"]) for it in told] == [("expire_at", "expires_at"), ("zzz", None)]
    assert {(it["log_level"], it["topic"], it["partition"], it["offset"]) for it in told} == {
        ("warning", "sms.messages", 2, 0)
    }
    assert events.unknown == ["expire_at", "zzz"]


def test_the_next_new_one_is_noticed_beside_those_that_are_known() -> None:
    events = reader()
    events.read(item(trace="t"))
    assert events.read_all([item(trace="t"), item(trace="u")]) is not None, "what was told costs no second look"
    assert events.read_all([item(trace="t"), item(trace="u", prioritty="high")]) is None
    with capture_logs() as told:
        events.read(item(trace="u", prioritty="high"))
    assert [it["field"] for it in told] == ["prioritty"]


def test_all_at_once_are_what_they_are_one_by_one() -> None:
    found = reader().read_all([item(), item(body="Zoë")])
    assert found is not None
    assert [it.body for it in found] == ["Hello", "Zoë"]


@pytest.mark.parametrize(
    "fields",
    [
        {"To": "x"},
        {"custom": {"anything": 1}, "zzz": {"deep": [1]}},
        {"": 1},
        {"a b": None},
        {"é\n`x`": 1},
        {"unknown_0": 1},
    ],
    ids=lambda it: ascii(next(iter(it))),
)
def test_whatever_a_field_is_called_the_message_is_read(fields: dict[str, Any]) -> None:
    events = reader()
    with capture_logs():
        assert events.read(item(**fields)).message_id == "m1"
        assert events.read_all([item(**fields)]) is not None


def test_what_is_wrong_beside_an_unknown_field_is_still_refused() -> None:
    events = reader()
    for broken in (item(zzz=1, priority="urgent"), item(priority="urgent", zzz=2), item(zzz=1, to="x")):
        with capture_logs(), pytest.raises(msgspec.ValidationError):
            events.read(broken)
    with pytest.raises(msgspec.DecodeError):
        events.read(item(raw=b'{"zzz": 1, "message_id": "m'))


def test_ignore_says_nothing() -> None:
    events = reader("ignore")
    with capture_logs() as told:
        assert events.read_all([item(zzz=1)]) is not None
        assert events.read(item(zzz=1)).message_id == "m1"
    assert (told, events.unknown) == ([], [])


def test_invalid_refuses_and_says_what_was_meant() -> None:
    events = reader("invalid")
    assert events.read_all([item(), item(expire_at="x")]) is None
    broken = item(expire_at="x")
    with pytest.raises(msgspec.ValidationError) as caught:
        events.read(broken)
    assert fault(broken.raw, caught.value) == "`expire_at`: no field of a message; did you mean expires_at?"


def test_a_number_in_the_name_of_a_field_is_masked() -> None:
    events = reader()
    with capture_logs() as told:
        events.read(item(**{"+919812345678": "x"}))
    assert "919812345678" not in str(told)
    assert "919812345678" not in str(events.unknown)


def test_a_producer_that_writes_a_new_field_into_each_event_costs_neither_memory_nor_log() -> None:
    events = reader()
    with capture_logs() as told:
        for number in range(3 * NAMES):
            assert events.read(item(**{f"f{number}": 1})).message_id == "m1"
            assert events.read_all([item(**{f"g{number}": 1})]) is not None or number < NAMES
    assert len(told) == NAMES + 1
    assert "too many" in told[-1]["event"]
    assert len(events.unknown) <= NAMES
    with capture_logs() as told:
        events.read(item(**{"x" * 1000: 1}))
    assert told == []


def test_fields_that_a_producer_has_mended_are_forgotten_and_the_others_are_not_told_again() -> None:
    clock = ManualClock()
    events = reader(clock=clock)
    with capture_logs() as told:
        events.read(item(zzz=1, yyy=1))
        for _ in range(2):
            clock.advance(AGAIN_SECONDS + 1)
            events.read_all([item()])
            events.read(item(zzz=1))
    assert [it["field"] for it in told] == ["yyy", "zzz"]
    assert events.unknown == ["zzz"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"To": "+919812345678"}, "to: missing; `To` is there: write `to`"),
        ({"messageId": "m", "to": "+919812345678"}, "message_id: missing; `messageId` is there: write `message_id`"),
        ({"MESSAGE-ID": "m", "to": "+919812345678"}, "message_id: missing; `MESSAGE-ID` is there: write `message_id`"),
        ({"phone": "+919812345678", "message_id": "m"}, "to: missing"),
    ],
)
def test_a_field_that_is_missing_may_be_there_under_another_name(fields: dict[str, str], told: str) -> None:
    raw = msgspec.json.encode(fields if "message_id" in fields or "to" in fields else {"message_id": "m", **fields})
    events = reader()
    with capture_logs(), pytest.raises(msgspec.ValidationError) as caught:
        events.read(item(raw=raw))
    assert fault(raw, caught.value) == told
