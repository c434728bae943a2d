"""Lanes on a real Kafka: fast where a provider is healthy, gentle where it is not, and none disturbs another.

Counts are asserted, never times.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.integration.pipeline import Pipeline, event
from tests.integration.small import (
    BESIDE_MEMORY_BYTES,
    LIMIT_SECONDS,
    MEMORY_BYTES,
    MOST,
    SCALE,
    SECONDS,
    configure,
    mixed,
    open_messages,
    resident_bytes,
    statuses,
    taken,
    two_providers,
)
from tests.integration.test_commands import get, pages_of, value
from tests.marked import TEXT
from tests.processes import ConnectorProcess
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(LIMIT_SECONDS)]


def test_a_provider_that_is_down_does_not_delay_another_one(pipeline: Pipeline):
    """(1) All of B's results come while A is away, though A's backlog is six times the memory; then A's, one each.

    A is two providers: each of them holding half of the memory would leave none.
    """
    log, address = two_providers(pipeline)
    pipeline.define("sicker", at=address)
    pipeline.turn(at=address, down=True)
    configure(pipeline)
    worker = pipeline.worker()
    worker.wait_for("partitions opened")
    idle = resident_bytes(worker)
    pipeline.produce(mixed(12_600 * SCALE, 600 * SCALE, sick=("sick", "sicker")))
    pipeline.wait_for_results(600 * SCALE, within=SECONDS)
    assert statuses(pipeline) == {("healthy", "accepted"): 600 * SCALE}
    assert open_messages(worker) <= MOST
    assert resident_bytes(worker) <= idle + MEMORY_BYTES + BESIDE_MEMORY_BYTES
    pipeline.turn(at=address)
    pipeline.wait_for_results(12_600 * SCALE, within=SECONDS)
    assert resident_bytes(worker) <= idle + MEMORY_BYTES + BESIDE_MEMORY_BYTES
    assert worker.stop() == 0, worker.output
    audit = pipeline.audit(log)
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert audit.statuses == {"accepted": 12_600 * SCALE}


def test_a_provider_with_a_low_limit_does_not_delay_another_one(pipeline: Pipeline):
    """(2) A takes ten a second and has thousands waiting: all of B's results come, and A's limit holds."""
    log, _ = two_providers(pipeline, more="account: slow")
    file = pipeline.folder / "definitions" / "sick.yaml"
    file.write_text(file.read_text().replace("limits: {concurrency: 8}", "limits: {concurrency: 8, records: 10/s}"))
    configure(pipeline)
    pipeline.produce(mixed(8_400 * SCALE, 400 * SCALE))
    worker = pipeline.worker()
    wait_until(lambda: pipeline.count_results() >= 400 * SCALE, "as many results", within=SECONDS)
    wait_until(lambda: statuses(pipeline)["healthy", "accepted"] == 400 * SCALE, "all of B", within=SECONDS)
    assert open_messages(worker) <= MOST
    assert worker.stop() == 0, worker.output
    requests = pipeline.requests(log)
    assert 0 < len(taken(requests)) < 8_000 * SCALE
    assert_limit(requests, records=10)
    audit = pipeline.audit(log)
    assert (audit.duplicated, audit.sent_again) == (0, 0)


def assert_limit(requests: list[dict[str, Any]], *, records: float) -> None:
    """From each request on: no more than the limit lets through since, and one second's worth at once."""
    for first in range(len(requests)):
        count = 0
        for request in requests[first:]:
            count += request["count"]
            elapsed = request["time"] - requests[first]["time"]
            assert count <= records * elapsed + 2 * records, (first, count, elapsed)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_limit_is_the_groups_and_retry_after_is_obeyed(pipeline: Pipeline, workers: int):
    """(3) 429 with Retry-After, then a limit of twenty records a second: with one worker and with three."""
    pipeline.simulate()
    pipeline.turn(throttle=True, retry_after=2, times=2)
    pipeline.define(records=10, more="")
    file = pipeline.folder / "definitions" / "batched.yaml"
    file.write_text(file.read_text().replace("limits: {concurrency: 8}", "limits: {concurrency: 8, records: 20/s}"))
    configure(pipeline)
    started = [pipeline.worker(f"w{number}") for number in range(workers)]
    for worker in started:
        worker.wait_for("partitions opened")
    pipeline.produce(event(n) for n in range(160))
    pipeline.wait_for_results(160)
    requests = pipeline.requests()
    assert_limit([request for request in requests if request["fault"] is None], records=20)
    refused = [request for request in requests if request["fault"] == "throttle"]
    assert len(refused) == 2
    if workers == 1:  # the limit lets two go at once: one may be under way when the other is refused; then it waits
        soon = [it for it in requests if refused[-1]["time"] < it["time"] < refused[-1]["time"] + 1.9]
        assert len(soon) <= 1
        assert all(it["time"] < refused[-1]["time"] + 0.5 for it in soon)
    for worker in started:
        assert worker.stop() == 0, worker.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)


SINGLE = """\
name: single
method: POST
url: {simulator}/single/send
auth: {{oauth2: {{url: "{simulator}/single/token", client_id: demo-client, secret: demo-secret}}}}
parameters: {{json: {{to: $$To, text: $$Body, uid: "$${{message_id()}}"}}}}
response: {{rules: [{{status: 2xx, then: accept, id: id}}]}}
limits: {{concurrency: 4}}
http: {{private_hosts: true}}
"""


def test_tokens_that_cannot_be_got_and_tokens_that_are_revoked(pipeline: Pipeline):
    """(4) The token endpoint alone is away: nothing is sent or lost, the lane waits. A token revoked in mid-run is
    replaced; where that fails as well, what was refused waits too, and counts no attempt."""
    pipeline.simulate("single.token_error=503")
    (pipeline.folder / "definitions" / "single.yaml").write_text(SINGLE.format(simulator=pipeline.address))
    configure(pipeline)
    pipeline.produce(event(n, provider="single", body=f"hello {TEXT}") for n in range(400))
    worker = pipeline.worker()
    worker.wait_for("token endpoint answered 503")
    assert pipeline.count_results() == 0
    assert {request["path"] for request in pipeline.requests()} == {"/single/token"}
    pipeline.turn("single", latency=0.02)
    pipeline.wait_for_results(50)
    pipeline.act("single", "revoke")
    pipeline.wait_for_results(100)
    pipeline.turn("single", latency=0.02, token_error=503)
    pipeline.act("single", "revoke")
    wait_until(lambda: worker.output.count('"provider paused"') == 2, "a second pause")
    pipeline.turn("single", latency=0.02)
    pipeline.wait_for_results(400)
    assert worker.stop() == 0, worker.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert audit.statuses == {"accepted": 400}
    assert {result["attempts"] for result in pipeline.read_results()} == {1}


def test_wrong_credentials_pause_the_provider_until_they_are_mended(pipeline: Pipeline):
    """(5) No message is rejected, one line says so, and the right secret in its file is enough: no restart."""
    pipeline.simulate()
    pipeline.turn(credentials="demo:hunter2-right")
    secret = pipeline.folder / "secret"
    secret.write_text("hunter2-wrong")
    pipeline.define(records=10, more=f"auth: {{basic: {{username: demo, password: '${{file:{secret}}}'}}}}")
    configure(pipeline)
    pipeline.produce(event(n) for n in range(500))
    worker = pipeline.worker()
    worker.wait_for("provider paused")
    refused = len(pipeline.requests())
    wait_until(lambda: len(pipeline.requests()) > refused, "a probe")
    assert pipeline.requests()[-1]["count"] <= 1
    assert pipeline.count_results() == 0
    assert worker.output.count("provider paused") == 1
    secret.write_text("hunter2-right")
    pipeline.wait_for_results(500)
    assert worker.stop() == 0, worker.output
    assert worker.output.count("definitions reloaded") == 1
    audit = pipeline.audit()
    assert audit.statuses == {"accepted": 500}
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)


def test_one_bad_message_among_a_thousand(pipeline: Pipeline):
    """(6) The provider refuses whole batches: 999 are accepted, one is rejected, within 4·log2(1000) + 1 requests."""
    pipeline.simulate()
    pipeline.define(records=1000, concurrency=1)
    file = pipeline.folder / "definitions" / "batched.yaml"
    file.write_text(file.read_text().replace('"to": "$$To"', '"to": "$$number", "phone": "$$To"'))
    configure(pipeline, memory={"messages": 10_000}, span=10_000, wait="2s")
    good = {"number": "+919812345670"}
    events = [event(n, custom={"hid": "h", "uid": f"m{n}", **good}) for n in range(1000)]
    events[637]["custom"]["number"] = 7  # no text: 400 for the whole request
    pipeline.produce(events)
    worker = pipeline.worker()
    pipeline.wait_for_results(1000)
    assert worker.stop() == 0, worker.output
    assert statuses(pipeline) == {("batched", "accepted"): 999, ("batched", "rejected"): 1}
    assert [it["message_id"] for it in pipeline.read_results() if it["status"] == "rejected"] == ["m637"]
    assert len(pipeline.requests()) <= 4 * math.log2(1000) + 1


def test_a_priority_message_overtakes_a_backlog(pipeline: Pipeline):
    """(7) Bulk fills what memory it may have; a message on its own topic is in one of the next requests."""
    pipeline.simulate("json.latency=0.5")
    pipeline.define(records=50, concurrency=1)
    urgent = f"{pipeline.unique}.urgent"
    configure(pipeline)
    both = f'["{pipeline.source}",{{"topic":"{urgent}","share":0.2}}]'
    pipeline.config.write_text(pipeline.config.read_text().replace(f'["{pipeline.source}"]', both))
    pipeline.create_topics()
    pipeline.produce(event(n) for n in range(20_000 * SCALE))
    worker = pipeline.worker()
    wait_until(
        lambda: value(get(f"{pages_of(worker)}/metrics")[1], "sms_connector_open_messages") >= 1600 * SCALE, "bulk"
    )
    before = len(pipeline.requests())
    pipeline.produce([event(9_999_999, priority="high")], topic=urgent)
    wait_until(lambda: "m9999999" in taken(pipeline.requests()), "the urgent one")
    at = next(n for n, request in enumerate(pipeline.requests()) if "m9999999" in taken([request]))
    assert at - before <= 6, "one under way, what it took Kafka to hand it over, and its own"
    assert open_messages(worker) <= MOST
    assert worker.stop() == 0, worker.output


def test_killed_while_messages_move_between_tiers(pipeline: Pipeline):
    """(9) kill -9 twice while a provider's backlog climbs: one result each, and nothing sent that was not in flight."""
    log, address = two_providers(pipeline)
    pipeline.turn(at=address, down=True)
    configure(pipeline)
    pipeline.produce(mixed(6_300, 300))
    for name in ("w0", "w1"):
        worker = pipeline.worker(name)
        worker.wait_for("partitions opened")
        wait_until(lambda: moved_by(worker) > 500, "messages to move")  # noqa: B023
        worker.kill()
    pipeline.turn(at=address)
    last = pipeline.worker("w2")
    pipeline.wait_for_results(6_300)
    assert last.stop() == 0, last.output
    audit = pipeline.audit(log)
    assert (audit.lost, audit.duplicated) == (0, 0)
    assert audit.sent_again <= 2 * 8 * 100  # what could be at the healthy provider
    assert audit.statuses == {"accepted": 6_300}


def moved_by(worker: ConnectorProcess) -> float:
    return value(get(f"{pages_of(worker)}/metrics")[1], 'sms_connector_diverted_total{provider="sick"}')


def test_another_provider_takes_over(pipeline: Pipeline):
    """`failover`: while A refuses our account B delivers A's messages; results say so; a mutual one is no circle."""
    log, address = two_providers(pipeline, more="failover: healthy")
    pipeline.define("healthy", more="failover: sick")
    pipeline.turn(at=address, credentials="demo:other")
    configure(pipeline)
    pipeline.produce(event(n, provider="sick") for n in range(1_500))
    worker = pipeline.worker()
    pipeline.wait_for_results(1_500)
    assert statuses(pipeline)["healthy", "accepted"] == 1_500
    pipeline.turn(at=address)
    wait_until(lambda: "provider works again" in worker.output or not produce_one(pipeline), "a probe that succeeds")
    assert worker.stop() == 0, worker.output
    audit = pipeline.audit(log)
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert statuses(pipeline)["sick", "accepted"] > 0


def produce_one(pipeline: Pipeline) -> int:
    """One more message for `sick`: what its breaker probes with."""
    return pipeline.produce([event(pipeline.count(pipeline.source), provider="sick")])
