"""Opt-outs on a real Kafka: what people say becomes the list of who must not be texted, whatever comes twice."""

from __future__ import annotations

import time

import orjson

from connector.receipts.callback import Kind
from tests.integration.pipeline import Pipeline, event
from tests.integration.way_back import WayBack
from tests.kafka.records import read_all

STOP, START, BLOCKED = Kind.OPT_OUT, Kind.OPT_IN, Kind.BLOCKED


def test_the_list_says_what_each_person_said_last(pipeline: Pipeline) -> None:
    way = WayBack(pipeline)
    now = time.time()
    again = way.said(STOP, "+919800000003", id="once", at=now)
    way.tell(
        way.said(STOP, "+919800000001"),
        way.said(STOP, "+91 98000 00002"),
        way.said(START, "919800000002", at=now),
        again,
        way.said(START, "+919800000003", at=now + 60),
        again,  # the provider did not hear our answer
        way.said(BLOCKED, "+919800000004"),
        way.said(STOP, "+919800000005", by="none"),
        way.said(Kind.REPLY, "+919800000006", text="please stop"),
        way.said(STOP, "ACME"),
        way.said(START, "+919800000007"),
    )
    process = way.start()
    way.wait_until_done(process)
    assert way.listed() == {
        "919800000001": "suppressed",
        "919800000002": "lifted",
        "919800000003": "lifted",
        "919800000004": "suppressed",
        "919800000007": "lifted",
    }
    first = orjson.loads(read_all(pipeline.bootstrap, way.suppressions)[0].value or b"")
    assert {"since", "by", "provider"} <= first.keys()
    assert process.stop() == 0
    # Another process knows what was said before.
    way.tell(again, way.said(STOP, "+919800000002", at=now - 60), way.said(STOP, "+919800000007"))
    process = way.start("r1")
    way.wait_until_done(process)
    assert way.listed() == {
        "919800000001": "suppressed",
        "919800000002": "lifted",
        "919800000003": "lifted",
        "919800000004": "suppressed",
        "919800000007": "suppressed",
    }
    assert process.stop() == 0


def test_an_opt_out_that_names_its_message_alone_is_of_the_phone_that_the_event_names(pipeline: Pipeline) -> None:
    way = WayBack(pipeline)
    pipeline.produce([event(0, to="+919811111111")])
    way.tell(
        way.said(STOP, None, offset=0),
        way.said(STOP, None, offset=1),  # no such event
        way.said(START, None, offset=0),  # it may be an old one
    )
    process = way.start()
    way.wait_until_done(process)
    assert way.listed() == {"919811111111": "suppressed"}
    assert "somebody opted out, and nothing says who" in process.output
    assert process.stop() == 0


def test_what_others_write_there_stops_nothing(pipeline: Pipeline) -> None:
    way = WayBack(pipeline)
    good = way.said(STOP, "+919800000001")
    way.tell(
        good.__class__(b"not ours", good.key, good.partition),
        good.__class__(None, good.key, good.partition),
        good.__class__(b'{"kind":"opt-out"}', good.key, good.partition),
        good.__class__(b"[" * 5_000, good.key, good.partition),
        good,
    )
    process = way.start()
    way.wait_until_done(process)
    assert way.listed() == {"919800000001": "suppressed"}
    assert process.output.count("poison record skipped") == 1
    assert process.stop() == 0


def test_a_process_that_is_killed_leaves_no_opt_out_behind(pipeline: Pipeline) -> None:
    way = WayBack(pipeline)
    phones = [f"+9198{number:08d}" for number in range(3_000)]
    way.tell(*(way.said(STOP, phone) for phone in phones))
    for turn in range(2):
        process = way.start(f"r{turn}")
        process.wait_for("partitions opened", within=90)  # those of one that was killed are free after its session
        process.kill()
    process = way.start("last")
    way.wait_until_done(process)
    assert way.listed() == {phone[1:]: "suppressed" for phone in phones}
    assert process.stop() == 0
