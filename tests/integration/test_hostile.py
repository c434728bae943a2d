"""One provider does everything wrong in turn; the messages of another one, on the same partitions, do not notice."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from datetime import datetime
from typing import Any

import pytest

from tests import marked
from tests.integration.hostile import DEEDS, TOKEN, Hostile
from tests.integration.pipeline import Pipeline, event
from tests.kafka.ports import free_ports

pytestmark = pytest.mark.kafka

HOSTILE = """\
name: hostile
method: POST
url: "{address}/send"
auth: {{oauth2: {{url: "{address}/token", client_id: acme, secret: "${{PROVIDER_PASSWORD}}"}}}}
parameters: {{json: {{to: "$$To", text: "$$TemplateID $$TemplateVariables", ref: "$${{message_id()}}"}}}}
response:
  decode: [json, xml]
  rules:
    - {{text: "^(a+)+$", then: reject}}
    - {{status: 400, then: reject, code: error.code, reason: error.message, id: error.message}}
    - {{when: "results[0].status == 'queued'", then: accept, id: "results[0].id"}}
    - {{when: "max(results[*].id) == '1'", then: reject}}
limits: {{concurrency: 4}}
retry: {{attempts: 2, base: 100ms, cap: 200ms}}
http: {{private_hosts: true, total: 3s}}
"""
ROUNDS, GOOD_EACH, HOSTILE_EACH = 60, 20, 3
"""Rounds of a quarter of a second: 80 good messages and 12 for the hostile provider in a second, for 15 s."""
ALONE = 20
"""Rounds without messages for the hostile provider, to compare with."""


def seconds(result: dict[str, Any]) -> float:
    received, completed = (datetime.fromisoformat(result[name]) for name in ("received_at", "completed_at"))
    return (completed - received).total_seconds()


@pytest.mark.timeout(240)
def test_a_hostile_provider_neither_delays_nor_reads_what_is_not_its_own(pipeline: Pipeline) -> None:
    pipeline.simulate()
    with Hostile() as hostile:
        pipeline.define("good", records=50)
        (pipeline.folder / "definitions" / "hostile.yaml").write_text(HOSTILE.format(address=hostile.address))
        (port,) = free_ports(1)
        pipeline.configure(health={"port": port}, wait="50ms")
        pipeline.create_topics()
        worker = pipeline.worker()
        number = good = 0
        for turn in range(ALONE + ROUNDS):
            events = []
            for _ in range(GOOD_EACH):
                events.append(event(number, provider="good", campaign="alone" if turn < ALONE else "beside"))
                number, good = number + 1, good + 1
            if turn >= ALONE:
                soon = datetime.fromtimestamp(time.time() + 30).astimezone().isoformat()
                for _ in range(HOSTILE_EACH):
                    events.append(event(number, provider="hostile", expires_at=soon))
                    number += 1
            pipeline.produce(events)
            pipeline.wait_for_results(min(good, (turn + 1) * GOOD_EACH), within=60)
        pipeline.wait_for_results(number, within=120)
        assert worker.stop() == 0, worker.output
        assert worker.output.count("Traceback") == 0, worker.output
        done = set(hostile.deeds)
    results = pipeline.read_results()
    by_provider: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        by_provider[result["provider"]].append(result)
    assert len(results) == number
    assert len({result["message_id"] for result in results}) == number
    assert {result["status"] for result in by_provider["good"]} == {"accepted"}
    assert not [it for it in by_provider["hostile"] if it["status"] == "accepted"], "nothing it answers says so"
    assert len(done) >= len(DEEDS) // 2, done
    shown = [
        it for result in results for it in (result.get("code"), result.get("reason"), result.get("provider_message_id"))
    ]
    assert not [it for it in shown if it and (TOKEN in it or marked.TEXT in it)]
    alone, beside = (
        sorted(seconds(it) for it in by_provider["good"] if it["campaign_id"] == which) for which in ("alone", "beside")
    )
    for which, waits in (("alone", alone), ("beside the hostile one", beside)):
        print(f"{which}: p50 {statistics.median(waits):.3f} s, p99 {waits[-len(waits) // 100]:.3f} s")  # noqa: T201
