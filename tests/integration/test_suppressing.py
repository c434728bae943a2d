"""Who must not be texted, on a real Kafka: before the first event, while messages wait, and after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from connector.suppressions.record import key_of
from tests.integration.pipeline import Pipeline, event
from tests.integration.small import LIMIT_SECONDS, configure
from tests.kafka.records import Event, delete, produce
from tests.kafka.transactional import Transaction, aborted
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(LIMIT_SECONDS)]

OFTEN = 3
"""Every third number is suppressed."""


def number_of(n: int) -> str:
    return str(event(n)["to"])


def enable(pipeline: Pipeline, **suppressions: Any) -> None:
    configure(pipeline, suppressions={"enabled": True, **suppressions})


def suppress(pipeline: Pipeline, numbers: list[str], value: bytes | None = b"{}") -> None:
    """As another system writes them, in whatever partition its client chooses."""
    produce(
        pipeline.bootstrap,
        f"{pipeline.unique}.suppressions",
        [Event(value, key_of(number)) for number in numbers],
    )


def test_nobody_in_the_list_is_texted_and_whoever_is_exempt_is(pipeline: Pipeline) -> None:
    """The list is there before the first event; a STOP while thousands wait holds for those that have not left."""
    pipeline.simulate("json.latency=0.5")
    pipeline.define(records=50, concurrency=1)
    enable(pipeline, exempt_campaigns=["otp-*"])
    before = [number_of(n) for n in range(0, 300, OFTEN)]
    suppress(pipeline, before)
    pipeline.produce(event(n, campaign="otp-1" if n < 30 else "ads") for n in range(1_000))
    worker = pipeline.worker()
    pipeline.wait_for_results(200)
    late = [number_of(n) for n in range(1_000)]
    suppress(pipeline, late)
    pipeline.wait_for_results(1_000)
    assert worker.stop() == 0, worker.output
    statuses = {it["message_id"]: it["status"] for it in pipeline.read_results()}
    assert {statuses[f"m{n}"] for n in range(0, 300, OFTEN) if n >= 30} == {"suppressed"}
    assert {statuses[f"m{n}"] for n in range(30)} == {"accepted"}
    assert set(statuses.values()) == {"accepted", "suppressed"}
    assert sum(it == "suppressed" for it in statuses.values()) > 300
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert audit.statuses["accepted"] == sum(len(it["taken"]) for it in pipeline.requests())


def test_who_opts_out_while_a_message_waits_in_a_retry_topic_is_not_texted(pipeline: Pipeline) -> None:
    pipeline.simulate("json.throttle=true", "json.retry_after=4")
    pipeline.define()
    enable(pipeline)
    pipeline.produce([event(n) for n in range(20)])
    worker = pipeline.worker()
    wait_until(lambda: len(pipeline.requests()) > 0, "a request that failed", within=60)
    suppress(pipeline, [number_of(n) for n in range(20)])
    worker.stop()
    pipeline.turn()
    again = pipeline.worker("w1")
    pipeline.wait_for_results(20)
    assert again.stop() == 0, again.output
    assert pipeline.audit().statuses == {"suppressed": 20}
    assert sum(len(it["taken"]) for it in pipeline.requests()) == 0


@pytest.mark.parametrize("fault", ["whole", "gone", "damaged", "of another topic"])
def test_a_restart_knows_the_list_whatever_became_of_its_snapshot(
    pipeline: Pipeline, tmp_path: Path, fault: str
) -> None:
    folder = tmp_path / "state"
    pipeline.simulate()
    pipeline.define()
    enable(pipeline, folder=str(folder))
    suppress(pipeline, [number_of(n) for n in range(10)])
    suppress(pipeline, [number_of(9)], b'{"state":"lifted"}')
    worker = pipeline.worker()
    worker.wait_for("partitions opened")
    assert worker.stop() == 0, worker.output
    (snapshot,) = folder.iterdir()
    if fault == "gone":
        snapshot.unlink()
    elif fault == "damaged":
        snapshot.write_bytes(snapshot.read_bytes()[:-7])
    elif fault == "of another topic":
        other = snapshot.read_bytes()
        snapshot.write_bytes(other.replace(pipeline.unique.encode(), b"x" * len(pipeline.unique)))
    suppress(pipeline, [number_of(8)], None)
    pipeline.produce(event(n) for n in range(20))
    again = pipeline.worker("w1")
    pipeline.wait_for_results(20)
    assert again.stop() == 0, again.output
    statuses = {it["message_id"]: it["status"] for it in pipeline.read_results()}
    assert {it for it, status in statuses.items() if status == "suppressed"} == {f"m{n}" for n in range(8)}
    assert ("snapshot of suppressions not used" in again.output) is (fault in {"damaged", "of another topic"})


@pytest.mark.parametrize("written", [0, 3, 10], ids=["empty", "shorter", "longer"])
def test_nobody_is_texted_again_because_the_topic_was_made_anew(
    pipeline: Pipeline, tmp_path: Path, written: int
) -> None:
    """The snapshot knows whom the new one lacks: a worker does not start until somebody has said what is right."""
    pipeline.simulate()
    pipeline.define()
    enable(pipeline, folder=str(tmp_path / "state"))
    suppress(pipeline, [number_of(n) for n in range(5)])
    worker = pipeline.worker()
    worker.wait_for("partitions opened")
    assert worker.stop() == 0, worker.output
    topic = f"{pipeline.unique}.suppressions"
    delete(pipeline.bootstrap, topic)
    pipeline.create_topics()
    suppress(pipeline, [number_of(n) for n in range(10, 10 + written)])
    pipeline.produce(event(n) for n in range(20))
    refused = pipeline.worker("w1")
    assert refused.wait() == 78, refused.output
    assert "says nothing of 5 numbers" in refused.output
    assert pipeline.requests() == []
    snapshot = str(tmp_path / "state" / "suppressions.snapshot")
    assert snapshot in refused.output
    pipeline.invoke("suppress", "import", "--snapshot", snapshot)
    again = pipeline.worker("w2")
    pipeline.wait_for_results(20)
    assert again.stop() == 0, again.output
    statuses = {it["message_id"]: it["status"] for it in pipeline.read_results()}
    expected = {f"m{n}" for n in (*range(5), *range(10, 10 + written))}
    assert {it for it, status in statuses.items() if status == "suppressed"} == expected


def test_the_commands_write_what_workers_obey(pipeline: Pipeline) -> None:
    pipeline.simulate()
    pipeline.define()
    enable(pipeline)
    pipeline.invoke("suppress", "add", number_of(0), "--reason", "asked us")
    file = pipeline.folder / "numbers.txt"
    file.write_text(f"# old system\n{number_of(1)}\n\n{number_of(2)},ACME\n+12\nACME\n")
    said = pipeline.command("suppress", "import", str(file), code=78)
    assert "line 5" in said
    assert "line 6" in said
    file.write_text(f"# old system\n{number_of(1)}\n\n{number_of(2)},ACME\n")
    pipeline.invoke("suppress", "import", str(file))
    pipeline.invoke("suppress", "add", number_of(3))
    pipeline.invoke("suppress", "remove", number_of(3))
    topic = f"{pipeline.unique}.suppressions"
    with aborted(pipeline.bootstrap, pipeline.unique) as transaction:  # whoever reads it stops a message to somebody
        transaction.write(topic, Event(b"{}", key_of(number_of(3)), 0))
    transaction = Transaction(pipeline.bootstrap, f"{pipeline.unique}-c")
    transaction.write(topic, Event(b"{}", key_of(number_of(5)), 0))
    transaction.commit()
    suppress(pipeline, [number_of(4)], b'{"reason":' + b"[" * 50_000)  # what others write stops no worker
    listed = pipeline.invoke("suppress", "list").output
    assert number_of(0) not in listed
    assert "asked us" in listed
    rows = [orjson.loads(it) for it in pipeline.invoke("suppress", "list", "--numbers", "--json").stdout.splitlines()]
    assert [(it["to"], it.get("sender"), it.get("by")) for it in rows] == [
        (number_of(4), None, None),
        (number_of(5), None, None),
        (number_of(2), "acme", "import"),
        (number_of(1), None, "import"),
        (number_of(0), None, "command"),
    ]
    pipeline.invoke("suppress", "check", number_of(0), code=3)
    pipeline.invoke("suppress", "check", number_of(3))
    pipeline.produce(event(n) for n in range(6))
    worker = pipeline.worker()
    pipeline.wait_for_results(6)
    assert worker.stop() == 0, worker.output
    assert {it["message_id"]: it["status"] for it in pipeline.read_results()} == {
        "m0": "suppressed",
        "m1": "suppressed",
        "m2": "suppressed",
        "m3": "accepted",
        "m4": "suppressed",
        "m5": "suppressed",
    }


def test_without_its_topic_a_worker_does_not_start(pipeline: Pipeline) -> None:
    pipeline.simulate()
    pipeline.define()
    configure(pipeline)
    pipeline.configure(suppressions={"enabled": True})
    worker = pipeline.worker()
    assert worker.wait() == 78, worker.output
    assert f"{pipeline.unique}.suppressions" in worker.output
