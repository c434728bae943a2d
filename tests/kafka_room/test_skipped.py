"""Records that are passed over: counted each, told once, never shown."""

from __future__ import annotations

import structlog

from connector.kafka.skipped import Reason, Skipped


def test_each_topic_and_reason_is_there_from_the_start_so_that_the_first_record_is_an_increase() -> None:
    counts = Skipped(["sms.control", "sms.results"]).counts
    assert set(counts) == {(topic, reason) for topic in ("sms.control", "sms.results") for reason in Reason}
    assert not any(counts.values())


def test_a_kind_is_told_once_with_its_place_and_counted_every_time() -> None:
    skipped = Skipped(["sms.control"])
    with structlog.testing.capture_logs() as lines:
        skipped.note("sms.control", 0, 7, Reason.MALFORMED, what="nested too deep")
        skipped.note("sms.control", 0, 8, Reason.MALFORMED, records=2)
        skipped.note("sms.control", 0, 9, Reason.VERSION)
    assert skipped.counts["sms.control", Reason.MALFORMED] == 3
    assert skipped.counts["sms.control", Reason.VERSION] == 1
    assert [(it["offset"], it["reason"], it["what"]) for it in lines] == [
        (7, "malformed", "nested too deep"),
        (9, "version", ""),
    ]


def test_a_topic_that_nobody_named_is_counted_all_the_same() -> None:
    skipped = Skipped()
    skipped.note("another", 0, 0, Reason.UNDECODABLE)
    assert skipped.counts == {("another", Reason.UNDECODABLE): 1}
