"""The control table: what records mean, what campaigns supply, and what happens where one cannot be read."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import msgspec
import pytest
import structlog

from connector.clock import ManualClock
from connector.delivery.queue.item import Item
from connector.errors import ConfigurationError
from connector.kafka.skipped import Reason, Skipped
from connector.model import Campaign, CampaignState, Message, Priority, ProviderState
from connector.stream.control.table import Change, ControlTable, campaign_record, decode_messages, provider_record

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC).timestamp()


def table(clock: ManualClock | None = None, most: int = 1 << 20, skipped: Skipped | None = None) -> ControlTable:
    return ControlTable(clock or ManualClock(wall=NOON), most=most, topic="sms.control", skipped=skipped)


def read(control: ControlTable, **fields) -> Message:
    event = {"message_id": "m", "to": "+919812345678", **fields}
    return control.message_of(Item(msgspec.json.encode(event), None, 0, None, datetime.now(UTC)))


def test_a_campaign_supplies_what_the_event_leaves_out():
    """Every field on its own; of custom values the event's own go first."""
    control = table()
    expires_at = datetime(2026, 4, 1, tzinfo=UTC)
    campaign = Campaign(
        provider="p",
        template_id="t",
        body="b",
        custom={"hid": "1", "uid": "2"},
        expires_at=expires_at,
        priority=Priority.HIGH,
    )
    assert control.apply(*campaign_record("c", campaign)) == Change(campaign="c")
    bare = read(control, campaign_id="c")
    assert (bare.provider, bare.template_id, bare.body, bare.expires_at) == ("p", "t", "b", expires_at)
    assert bare.custom == {"hid": "1", "uid": "2"}
    assert bare.priority is Priority.HIGH
    own = read(control, campaign_id="c", provider="q", body="x", custom={"uid": "3"}, expires_at="2026-03-03T00:00:00Z")
    assert (own.provider, own.template_id, own.body, own.custom) == ("q", "t", "x", {"hid": "1", "uid": "3"})
    assert own.expires_at == datetime(2026, 3, 3, tzinfo=UTC)
    assert read(control, campaign_id="other").provider is None
    assert read(control).custom is None
    assert campaign.custom == {"hid": "1", "uid": "2"}  # what an event brings does not get into the campaign


def test_the_newest_record_counts_and_one_without_a_value_forgets():
    """As the compacted topic has it; a record that changes nothing is no change."""
    control = table()
    running = campaign_record("c", Campaign(provider="p"))
    assert control.apply(*running) == Change(campaign="c")
    assert control.apply(*running) is None
    assert control.apply(*campaign_record("c", Campaign(state=CampaignState.CANCELLED))) == Change(campaign="c")
    assert control.state("c") is CampaignState.CANCELLED
    assert control.apply(*campaign_record("c", None)) == Change(campaign="c")
    assert control.apply(*campaign_record("c", None)) is None
    assert control.state("c") is CampaignState.RUNNING
    assert control.apply(*provider_record("p", ProviderState(paused=True))) == Change(provider="p")
    assert control.apply(*provider_record("p", ProviderState(paused=True))) is None
    assert control.paused == {"p"}
    assert control.apply(b"provider:p", None) == Change(provider="p")
    assert control.paused == set()


@pytest.mark.parametrize("value", [b"", b"no JSON", b'{"state":"stopped"}', b"\xff", b'{"hours":"9 to 5"}', b"[]"])
def test_a_campaign_record_that_cannot_be_read_sends_nothing(value):
    """It might have said stop; the next readable record mends it."""
    control = table()
    control.apply(*campaign_record("c", Campaign(provider="p")))
    assert control.apply(b"campaign:c", value) == Change(campaign="c")
    assert control.opens_at("c") == math.inf
    control.apply(*campaign_record("c", Campaign()))
    assert control.opens_at("c") == 0.0


def test_a_provider_record_that_cannot_be_read_pauses_it():
    """For the same reason."""
    control = table()
    assert control.apply(b"provider:p", b'{"paused":"perhaps"}') == Change(provider="p")
    assert control.paused == {"p"}


@pytest.mark.parametrize("key", [None, b"", b"hello", b"\xff"])
def test_records_of_others_are_passed_over(key):
    """Another key is no campaign."""
    assert table().apply(key, b"{}") is None


def test_hours_say_when_a_campaign_may_be_sent():
    """In its own time zone; a campaign without hours, and an unknown one, may be sent now."""
    clock = ManualClock(wall=NOON)
    control = table(clock)
    control.apply(*campaign_record("c", Campaign(hours="18:00-21:00 Asia/Kolkata")))  # 12:30 to 15:30 UTC
    assert control.opens_at("c") == NOON + 1800
    clock.advance(1800)
    assert control.opens_at("c") == 0.0
    assert list(control.timed()) == ["c"]
    control.apply(*campaign_record("c", Campaign()))
    assert list(control.timed()) == []
    assert control.opens_at("c") == control.opens_at("other") == control.opens_at(None) == 0.0


def test_what_is_replaced_or_deleted_makes_room():
    control = table(most=600)
    for number in range(50):
        control.apply(*campaign_record("c", Campaign(body=f"{number}" * 10)))
    control.apply(*campaign_record("c", None))
    assert control.bytes == 0


def test_a_campaign_without_room_is_paused_and_stops_nobody_else():
    """Its record may be the one that says stop; one that is too large must not stop the worker."""
    skipped = Skipped()
    control = table(most=1000, skipped=skipped)
    control.apply(*campaign_record("small", Campaign(body="x")))
    assert control.apply(*campaign_record("large", Campaign(body="x" * 1000))) == Change(campaign="large")
    assert control.state("large") is CampaignState.PAUSED
    assert control.opens_at("large") == math.inf
    assert control.state("small") is control.state("other") is control.state(None) is CampaignState.RUNNING
    assert control.bytes <= 1000
    assert skipped.counts["sms.control", Reason.TOO_LARGE] == 1
    control.apply(*campaign_record("large", Campaign(body="y")))
    assert control.state("large") is CampaignState.RUNNING


def test_a_table_without_room_for_names_pauses_the_campaigns_it_does_not_know():
    control = table(most=1000)
    for number in range(1000):
        control.apply(*campaign_record(f"c{number}", Campaign(body="x" * 1000)))
    assert control.bytes <= 1000
    assert len(control.campaigns) < 10
    assert control.overfull
    assert control.steers("c999")
    assert control.state("c999") is CampaignState.PAUSED
    assert control.opens_at("c999") == math.inf
    assert control.state(None) is CampaignState.RUNNING, "an event without a campaign goes on"


def test_a_command_says_where_there_is_no_room():
    control = table(most=1000)
    control.check_room(*campaign_record("c", Campaign(body="x")))
    with pytest.raises(ConfigurationError, match=r"memory\.control"):
        control.check_room(*campaign_record("c", Campaign(body="x" * 1000)))


DEEP = b"[" * 50_000


@pytest.mark.parametrize(
    "value",
    [
        b'{"zz":' + DEEP + b"}",
        b'{"zz":' + DEEP + b"]" * 50_000 + b"}",
        b'{"custom":{"a":' + b"9" * 5_000 + b"}}",
        b'{"custom":{"a":1e400}}',
        b'{"custom":[1]}',
        b'{"state":{"a":1}}',
        b'{"hours":"09:00-21:00 ' + b"a" * 5_000 + b'"}',
        b'{"hours":"09:00-21:00 ../../etc/passwd"}',
        b'{"expires_at":"9999-99-99T00:00:00Z"}',
        b'{"body":"\\ud83d"}',
        b"\x00" * 1000,
    ],
)
def test_poison_pauses_its_campaign_and_is_told_without_its_content(value):
    skipped = Skipped()
    control = table(skipped=skipped)
    with structlog.testing.capture_logs() as lines:
        control.apply(b"campaign:x", value, (0, 7))
    assert control.state("x") is CampaignState.PAUSED
    assert skipped.counts["sms.control", Reason.MALFORMED] == 1
    assert [(it["topic"], it["partition"], it["offset"]) for it in lines] == [("sms.control", 0, 7)]
    assert len(str(lines)) < 500
    control.apply(*campaign_record("x", None))
    assert control.state("x") is CampaignState.RUNNING


@pytest.mark.parametrize(
    "value", [DEEP, b'{"paused":1e400}', b'{"paused":' + b"9" * 5_000 + b"}", b"[]", b"\xff\xfe", b'{"paused":null}']
)
def test_poison_pauses_its_provider(value):
    control = table()
    control.apply(b"provider:p", value)
    assert control.paused == {"p"}
    control.apply(b"provider:p", None)
    assert control.paused == set()


@pytest.mark.parametrize(
    "key", [None, b"", b"campaign", b"campaign:", b"provider:", b"campaign:" + b"x" * 257, b"\xff:a"]
)
def test_a_key_that_names_nothing_is_counted(key):
    skipped = Skipped()
    control = table(skipped=skipped)
    assert control.apply(key, b"{}") is None
    assert (control.campaigns, control.bytes) == ({}, 0)
    assert skipped.counts["sms.control", Reason.MALFORMED] == 1


@pytest.mark.parametrize("to", ["12345\n67890", "+919812345678\n", "", "x", "+0123456"])
def test_events_that_are_read_at_once_are_refused_for_one_number_that_is_none(to: str) -> None:
    def items(*numbers: str) -> list[Item]:
        events = [{"message_id": "m", "to": number} for number in numbers]
        return [Item(msgspec.json.encode(event), None, 0, None, datetime.now(UTC)) for event in events]

    assert decode_messages(items("12345", to, "+919812345678")) is None
    read = decode_messages(items("12345", "+919812345678"))
    assert read is not None
    assert [message.to for message in read] == ["12345", "+919812345678"]


def test_a_campaign_cannot_set_the_id_of_its_messages():
    """All of them would have the same: it is left out, and told."""
    control = ControlTable(ManualClock(), most=1 << 20, topic="sms.control")
    with structlog.testing.capture_logs() as told:
        control.apply(*campaign_record("c", Campaign(custom={"MessageID": "same", "hid": "h"})))
    assert control.campaigns["c"].custom == {"hid": "h"}
    assert [(entry["log_level"], entry["campaign"]) for entry in told] == [("warning", "c")]
