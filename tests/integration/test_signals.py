"""Signals while messages flow: SIGHUP as often as somebody likes, and SIGTERM at any moment."""

from __future__ import annotations

import signal

import pytest

from tests.integration.pipeline import Pipeline, event
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

EVENTS = 4_000


@pytest.mark.timeout(180)
@pytest.mark.parametrize("records", [1, 50])
def test_signals_during_load_lose_nothing_and_send_nothing_twice(pipeline: Pipeline, records: int) -> None:
    """Definitions change between SIGHUPs; SIGTERM comes right behind one, with requests under way."""
    pipeline.simulate("json.latency=0.05")
    pipeline.define(records=records, concurrency=16)
    pipeline.configure()
    pipeline.create_topics()
    events = EVENTS // 2 if records == 1 else EVENTS * 4
    pipeline.produce(event(n, campaign=f"c{n % 5}") for n in range(events))
    file = pipeline.folder / "definitions" / "batched.yaml"
    text = file.read_text()
    worker = pipeline.worker("w0")
    for turn in range(1, 7):
        pipeline.wait_for_results(events // 20 * turn)
        file.write_text(text.replace("concurrency: 16", f"concurrency: {16 - turn % 2}"))
        for _ in range(3):
            worker.send(signal.SIGHUP)
        reloads = turn
        wait_until(
            lambda reloads=reloads: worker.output.count("definitions reloaded") >= reloads,  # type: ignore[misc]
            "what SIGHUP asks for",
        )
    worker.send(signal.SIGHUP)
    assert worker.stop() == 0, worker.output
    assert pipeline.count_results() < events, "it was to be stopped in mid-flow"
    audit = pipeline.audit()
    assert (audit.duplicated, audit.sent_again) == (0, 0)
    sent = {ref for request in pipeline.requests() for ref in (it["ref"] for it in request["taken"])}
    assert len(sent) == pipeline.count_results(), "what was at the provider is settled"
    second = pipeline.worker("w1")
    pipeline.wait_for_results(events)
    second.send(signal.SIGHUP)
    assert second.stop() == 0, second.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert audit.statuses == {"accepted": events}
    assert "Traceback" not in worker.output + second.output
