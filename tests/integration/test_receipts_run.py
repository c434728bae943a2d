"""Receipts become states on a real Kafka: whatever comes, in whatever order, each state of a message once."""

from __future__ import annotations

import shutil

import orjson

from connector.receipts.callback import State
from tests.crash.states import StateAudit
from tests.integration.pipeline import Pipeline
from tests.integration.way_back import WayBack
from tests.kafka.records import alter, create_topics, delete, read_all

PENDING, SENT, DELIVERED, UNDELIVERED = State.PENDING, State.SENT, State.DELIVERED, State.UNDELIVERED


def test_each_state_is_written_once_whatever_comes_in_whatever_order(pipeline: Pipeline) -> None:
    way = WayBack(pipeline)
    way.produce(
        [
            *(way.entry(1, state) for state in (PENDING, SENT, DELIVERED)),
            *(way.entry(2, state) for state in (DELIVERED, SENT, PENDING)),  # out of order: a final, then what is late
            *(way.entry(3, state) for state in (SENT, SENT, DELIVERED, DELIVERED, DELIVERED)),
            *(way.entry(4, state) for state in (UNDELIVERED, DELIVERED, UNDELIVERED, PENDING)),  # both finals, marked
            *(way.entry(5, state) for state in (State.UNKNOWN, DELIVERED, State.UNKNOWN)),  # it gives way
            way.entry(6, "never heard of"),
            way.entry(7, DELIVERED, id="p7"),
            way.entry(7, DELIVERED, id="another of the same message"),  # two provider ids of one source
            way.entry(7, SENT, id="another of the same message"),
            way.entry(8, DELIVERED, day=3),  # days late
            way.entry(9, DELIVERED, day=9),  # too late
            way.entry(10, DELIVERED, short=True),
            way.entry(11, DELIVERED, provider="gone"),
        ]
    )
    process = way.start()
    way.wait_until_done(process)
    assert way.states(1) == ["pending", "sent", "delivered"]
    assert way.states(2) == ["delivered"]
    assert way.states(3) == ["sent", "delivered"]
    assert way.states(4) == ["undelivered", "delivered!"]
    assert way.states(5) == ["unknown", "delivered"]
    assert way.states(6) == ["unknown"]
    assert way.states(7) == ["delivered"]
    assert way.states(8) == ["delivered"]
    assert way.states(9) == []
    assert way.states(10) == ["delivered"]
    assert way.states(11) == []
    written = {it["source"]["offset"]: it for it in way.written()}
    assert written[1]["sequence"] == 3
    assert written[1]["final"] is True
    assert written[1]["message_id"] == "m1"
    assert written[1]["entry"]["topic"] == way.matched
    assert written[6]["code"] == "never heard of"
    assert "message_id" not in written[10]
    reasons = {
        (head := orjson.loads(record.headers["unmatched"]))["why"]: head["provider"]
        for record in read_all(pipeline.bootstrap, way.unmatched)
    }
    assert reasons == {"too late": "batched", "unknown": "gone"}
    assert process.stop() == 0


def test_what_is_no_entry_of_ours_is_kept_with_the_reason_and_stops_nothing(pipeline: Pipeline) -> None:
    way = WayBack(pipeline)
    good = way.entry(1, DELIVERED)
    foreign = [
        good.__class__(b"not ours", b"k", good.partition),
        good.__class__(None, None, good.partition),
        good.__class__(b"{", b"k", good.partition, {"entry": b"{"}),
        good.__class__(b"no JSON", good.key, good.partition, good.headers),
        good.__class__(b'{"id": 1}', good.key, good.partition, good.headers),
    ]
    way.produce([*foreign, good])
    process = way.start()
    way.wait_until_done(process)
    assert way.states(1) == ["delivered"]
    kept = read_all(pipeline.bootstrap, way.unmatched)
    assert [record.value or b"" for record in kept] == [event.value or b"" for event in foreign]
    assert {orjson.loads(record.headers["unmatched"])["why"] for record in kept} == {"unreadable"}
    assert process.stop() == 0


def test_states_outlive_the_process_its_disk_and_a_disk_of_yesterday(pipeline: Pipeline) -> None:
    way = WayBack(pipeline)
    folder, yesterday = pipeline.folder / "states", pipeline.folder / "yesterday"

    def run(name: str, *entries: State) -> None:
        way.produce(way.entry(offset, state) for offset in range(40) for state in entries)
        process = way.start(name)
        way.wait_until_done(process)
        assert process.stop() == 0

    run("r0", SENT)
    shutil.copytree(folder, yesterday)
    run("r1", SENT, DELIVERED)
    shutil.rmtree(folder)
    run("r2", SENT, DELIVERED, PENDING)  # made anew from the topic
    shutil.rmtree(folder)
    shutil.copytree(yesterday, folder)
    run("r3", DELIVERED, SENT)  # what another has written since is read
    assert way.audit() == StateAudit(0, 0, 0, states={"sent": 40, "delivered": 40})


def test_a_damaged_disk_or_one_of_other_partitions_is_made_anew(pipeline: Pipeline) -> None:
    way = WayBack(pipeline)
    folder = pipeline.folder / "states"

    def run(name: str) -> str:
        way.produce(way.entry(offset, DELIVERED) for offset in range(40))
        process = way.start(name)
        way.wait_until_done(process)
        assert process.stop() == 0
        return process.output

    run("r0")
    stores = sorted(folder.iterdir())
    stores[0].rename(folder / "aside")
    stores[1].rename(stores[0])
    (folder / "aside").rename(stores[1])  # two exchanged
    (stores[2] / "CURRENT").write_bytes(b"MANIFEST-none\n")
    told = run("r1")
    assert told.count("made anew from the topic") == 3
    assert way.audit() == StateAudit(0, 0, 0, states={"delivered": 40})


def test_topics_that_would_make_states_come_twice_are_refused_at_the_start(pipeline: Pipeline) -> None:
    way = WayBack(pipeline)
    alter(pipeline.bootstrap, way.receipts, {"retention.ms": "432000000"})  # receipts.keep, and not the day it ends in
    process = way.start()
    assert process.wait() == 78, process.output
    assert "a state could be forgotten, and written twice" in process.output
    alter(pipeline.bootstrap, way.receipts, {"retention.ms": "604800000"})
    delete(pipeline.bootstrap, way.unmatched)
    create_topics(pipeline.bootstrap, way.unmatched, partitions=3)
    process = way.start("r1")
    assert process.wait() == 78, process.output
    assert "has 3 partitions, but the other topics of receipts have 4" in process.output


def test_entries_whose_topic_was_made_anew_are_not_taken_for_those_before(pipeline: Pipeline) -> None:
    way = WayBack(pipeline)
    way.produce(way.entry(offset, DELIVERED) for offset in range(40))
    process = way.start()
    way.wait_until_done(process)
    assert process.stop() == 0
    delete(pipeline.bootstrap, way.matched)
    create_topics(pipeline.bootstrap, way.matched, partitions=4, settings={"retention.ms": "432000000"})
    way.produce(way.entry(offset, state) for offset in (40, 41, 0) for state in (DELIVERED, SENT))
    process = way.start("r1")
    way.wait_until_done(process)
    assert process.stop() == 0
    assert way.states(40) == way.states(41) == way.states(0) == ["delivered"]
