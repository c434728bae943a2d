"""Receipts that bring no reference of ours find their message on a real Kafka, whichever comes first."""

from __future__ import annotations

import shutil

import pytest

from connector.model import Status
from connector.receipts.callback import State
from tests.crash.states import StateAudit
from tests.integration.looking_up import LookingUp
from tests.integration.pipeline import Pipeline
from tests.kafka.records import read_all
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

SENT, DELIVERED, UNDELIVERED = State.SENT, State.DELIVERED, State.UNDELIVERED
MANY = 60


def test_each_receipt_finds_its_message_before_and_after_the_result(pipeline: Pipeline) -> None:
    way = LookingUp(pipeline)
    way.send(way.result(it, partition=it % 2) for it in range(MANY // 2))
    way.report(way.asked(it, DELIVERED) for it in range(MANY))  # half of them before their results
    process = way.start()
    way.wait_for(MANY // 2)
    way.send(way.result(it, partition=it % 2) for it in range(MANY // 2, MANY))
    way.wait_for(MANY)
    way.report(way.asked(it, SENT) for it in range(MANY))  # late, and twice: nothing new
    way.report(way.asked(it, DELIVERED) for it in range(MANY))
    way.wait_until_looked_up()
    way.wait_until_done(process)
    assert way.audit() == StateAudit(0, 0, 0, states={"delivered": MANY})
    for record in way.written():
        assert record["message_id"] == f"m{record['source']['offset']}"
        assert record["provider_message_id"] == f"p{record['source']['offset']}"
    assert way.why() == []
    assert process.stop() == 0


def test_what_no_result_names_is_unmatched_once_the_index_has_passed_it_and_healed_by_a_late_one(
    pipeline: Pipeline,
) -> None:
    way = LookingUp(pipeline, wait="1s")
    way.send([way.result(1), way.result(2, Status.UNKNOWN), way.result(3, Status.REJECTED)])
    way.send([way.result(8, called="same"), way.result(9, called="same", partition=1)])
    process = way.start()
    way.report([way.asked(it, DELIVERED) for it in (1, 2, 3, 4)])
    way.wait_for(2)
    process.wait_for("receipts are looked up")
    wait_for_reasons(way, ["unknown", "unknown"])
    way.report([way.asked(8, DELIVERED, called="same")])
    wait_for_reasons(way, ["ambiguous", "unknown", "unknown"])
    assert way.states(1) == ["delivered"]
    assert way.states(2) == ["delivered"]  # a receipt resolves the doubt
    way.send([way.result(4)])
    way.wait_for(3)
    assert way.states(4) == ["delivered"]
    assert process.stop() == 0


def wait_for_reasons(way: LookingUp, reasons: list[str]) -> None:
    wait_until(lambda: len(way.why()) >= len(reasons), f"{reasons}", within=60)
    assert way.why() == reasons


def test_what_waits_outlives_the_process_its_disk_and_a_disk_of_yesterday(pipeline: Pipeline) -> None:
    way = LookingUp(pipeline)
    folder, yesterday = pipeline.folder / "states", pipeline.folder / "yesterday"

    def run(name: str) -> None:
        process = way.start(name)
        way.wait_until_looked_up()
        assert process.stop() == 0

    way.report(way.asked(it, DELIVERED) for it in range(10))
    run("r0")
    shutil.copytree(folder, yesterday)
    way.report(way.asked(it, DELIVERED) for it in range(10, 20))
    run("r1")
    shutil.rmtree(folder)
    way.report(way.asked(it, DELIVERED) for it in range(20, 30))
    run("r2")
    shutil.rmtree(folder)
    shutil.copytree(yesterday, folder)
    way.send(way.result(it, partition=it % 2) for it in range(30))
    process = way.start("r3")
    way.wait_for(30)
    way.wait_until_done(process)
    assert way.audit() == StateAudit(0, 0, 0, states={"delivered": 30})
    assert way.why() == []
    assert process.stop() == 0


def test_keys_that_are_changed_find_what_was_sent_under_the_old_ones(pipeline: Pipeline) -> None:
    way = LookingUp(pipeline, wait="1s")
    way.send(way.result(it) for it in range(5))
    way.secrets = ["n" * 32, *way.secrets]
    way.send(way.result(it) for it in range(5, 10))
    way.report(way.asked(it, DELIVERED) for it in range(10))
    process = way.start()
    way.wait_for(10)
    assert way.why() == []
    assert len(read_all(pipeline.bootstrap, way.index)) >= 15
    assert process.stop() == 0
