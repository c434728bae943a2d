"""Lanes on a real Kafka: fast where a provider is healthy, gentle where it is not, and none disturbs another.

Counts are asserted, never times. Scaled down so that each runs in well under a minute on two cores: backlog, memory and
span shrink together. `LANES_SCALE=25` (`make crash`) runs those with a backlog at full size: 300,000 messages for a
provider that is down, 50,000 for a limited one, 100,000 and more for priority and pause.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.pipeline import Pipeline, event
from tests.integration.test_commands import console_of, get, value
from tests.processes import ConnectorProcess
from tests.waiting import wait_until

SCALE = int(os.environ.get("LANES_SCALE", "1"))
SECONDS = 60.0 + 30 * SCALE
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(100 + 30 * SCALE)]

# A worker that holds little, so that a small backlog is a large one: 1,000 messages are half of its memory.
SMALL: dict[str, Any] = {
    "memory": {"messages": 2000 * SCALE},
    "span": 1000 * SCALE,
    "park_max": "2s",
    "unknown_grace": "10s",
}

# A slice of records is let in at once.
MOST = SMALL["memory"]["messages"] + 250


def configure(pipeline: Pipeline, **settings: Any) -> None:
    """Small, with quick retry tiers and a console."""
    pipeline.configure(**{**SMALL, "console": {"port": 0}, **settings})
    document = pipeline.config.read_text().replace('"retry_prefix"', '"retry_tiers":["1s","2s"],"retry_prefix"')
    pipeline.config.write_text(document)
    pipeline.create_topics()


def two_providers(pipeline: Pipeline, *, more: str = "") -> tuple[Path, str]:
    """`healthy` at the first simulator, `sick` at another one; that one's log and address."""
    pipeline.simulate()
    log = pipeline.folder / "sick.jsonl"
    address = pipeline.another_simulator(log)
    pipeline.define("healthy")
    pipeline.define("sick", at=address, more=more)
    return log, address


def statuses(pipeline: Pipeline) -> Counter[tuple[str, str]]:
    """Results by provider and status."""
    return Counter((result.get("provider", ""), result["status"]) for result in pipeline.read_results())


def taken(requests: Iterable[dict[str, Any]]) -> list[str]:
    """References of the messages a provider took, in the order of the requests."""
    return [record["ref"] for request in requests for record in request["taken"]]


def open_messages(worker: ConnectorProcess) -> float:
    """What the worker holds."""
    return value(get(f"{console_of(worker)}/metrics")[1], "sms_connector_open_messages")


def mixed(count: int, healthy: int) -> list[dict[str, Any]]:
    """`count` events, of which every so many is for `healthy` and the others for `sick`."""
    step = count // healthy
    names = ["sick"] * (step - 1) + ["healthy"]
    return [event(n, provider=names[n % step], campaign=f"c{n % 3}") for n in range(count)]


def test_a_provider_that_is_down_does_not_delay_another_one(pipeline: Pipeline):
    """(1) All of B's results come while A is away, though A's backlog is six times the memory; then A's, one each."""
    log, address = two_providers(pipeline)
    pipeline.turn(at=address, down=True)
    configure(pipeline)
    pipeline.produce(mixed(12_600 * SCALE, 600 * SCALE))
    worker = pipeline.worker()
    pipeline.wait_for_results(600 * SCALE, within=SECONDS)
    assert statuses(pipeline) == {("healthy", "accepted"): 600 * SCALE}
    assert open_messages(worker) <= MOST
    pipeline.turn(at=address)
    pipeline.wait_for_results(12_600 * SCALE, within=SECONDS)
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
    if workers == 1:  # of requests that were under way together each may be refused; after the last one it waits
        after = [it for it in requests if it["time"] > refused[-1]["time"]]
        assert all(it["time"] >= refused[-1]["time"] + 1.9 for it in after)
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
    """(4) The token endpoint is away: nothing is lost, the lane waits. A token revoked in mid-run is replaced."""
    pipeline.simulate("single.down=true")
    (pipeline.folder / "definitions" / "single.yaml").write_text(SINGLE.format(simulator=pipeline.address))
    configure(pipeline)
    pipeline.produce(event(n, provider="single", body="hello") for n in range(400))
    worker = pipeline.worker()
    worker.wait_for("provider paused")
    assert pipeline.count_results() == 0
    pipeline.turn("single", latency=0.02)
    pipeline.wait_for_results(50)
    pipeline.act("single", "revoke")
    pipeline.wait_for_results(400)
    assert worker.stop() == 0, worker.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert audit.statuses == {"accepted": 400}


def test_wrong_credentials_pause_the_provider_until_they_are_mended(pipeline: Pipeline):
    """(5) No message is rejected, one line says so, and the right secret in its file is enough: no restart."""
    pipeline.simulate()
    pipeline.turn(credentials="demo:right")
    secret = pipeline.folder / "secret"
    secret.write_text("wrong")
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
    secret.write_text("right")
    pipeline.wait_for_results(500)
    assert worker.stop() == 0, worker.output
    assert worker.output.count("definitions reloaded") == 1
    assert "right" not in worker.output.replace("rights", "")
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
    assert len(pipeline.requests()) <= 41 + len([it for it in pipeline.requests() if it["count"] == 1000])


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
        lambda: value(get(f"{console_of(worker)}/metrics")[1], "sms_connector_open_messages") >= 1600 * SCALE, "bulk"
    )
    before = len(pipeline.requests())
    pipeline.produce([event(9_999_999, priority="high")], topic=urgent)
    wait_until(lambda: "m9999999" in taken(pipeline.requests()), "the urgent one")
    at = next(n for n, request in enumerate(pipeline.requests()) if "m9999999" in taken([request]))
    assert at - before <= 6, "one under way, what it took Kafka to hand it over, and its own"
    assert open_messages(worker) <= MOST
    assert worker.stop() == 0, worker.output


def test_pause_cancel_and_resume(pipeline: Pipeline):
    """(8) Thousands wait. Paused: no more leaves, nor after a restart. Cancelled: each has a result. Resumed: all."""
    pipeline.simulate("json.latency=1")
    pipeline.define(records=50, concurrency=2)
    configure(pipeline)
    pipeline.produce(event(n, campaign="abc"[n % 3]) for n in range(6_000 * SCALE))
    worker = pipeline.worker()
    pipeline.wait_for_results(200)
    pipeline.command("campaign", "pause", "a")
    pipeline.command("campaign", "cancel", "b")
    worker.wait_for('"state": "cancelled"')
    # Two requests may have been under way.
    sent = of_campaign(pipeline, "a")
    pipeline.turn()
    wait_until(
        lambda: results_of(pipeline, "b") + results_of(pipeline, "c") == 4_000 * SCALE, "b and c", within=SECONDS
    )
    assert of_campaign(pipeline, "a") - sent <= 100
    sent = of_campaign(pipeline, "a")
    assert worker.stop() == 0, worker.output
    again = pipeline.worker("w1")
    again.wait_for("partitions opened")
    pipeline.produce(event(n, campaign="c") for n in range(6_000 * SCALE, 6_200 * SCALE))
    wait_until(lambda: results_of(pipeline, "c") == 2_200 * SCALE, "those that came later", within=SECONDS)
    assert of_campaign(pipeline, "a") == sent
    pipeline.command("campaign", "resume", "a")
    pipeline.wait_for_results(6_200 * SCALE, within=SECONDS)
    assert again.stop() == 0, again.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    by_campaign = Counter((it["campaign_id"], it["status"]) for it in pipeline.read_results())
    assert by_campaign["a", "accepted"] == 2_000 * SCALE
    assert by_campaign["c", "accepted"] == 2_200 * SCALE
    assert by_campaign["b", "cancelled"] > 1_000 * SCALE
    assert by_campaign["b", "cancelled"] + by_campaign["b", "accepted"] == 2_000 * SCALE


def of_campaign(pipeline: Pipeline, campaign: str) -> int:
    """Messages of a campaign that the provider took."""
    return sum(len(it["taken"]) for it in pipeline.requests() if it["values"].get("cid") == campaign)


def results_of(pipeline: Pipeline, campaign: str) -> int:
    return sum(it["campaign_id"] == campaign for it in pipeline.read_results())


def test_a_paused_provider_waits_and_goes_on(pipeline: Pipeline):
    """`provider pause` and `resume`: nothing leaves in between, the other provider's messages do."""
    log, _ = two_providers(pipeline)
    configure(pipeline)
    pipeline.command("provider", "pause", "sick")
    assert "known: healthy, sick" in pipeline.command("provider", "pause", "sikc", code=2)
    pipeline.produce(mixed(4_200, 200))
    worker = pipeline.worker()
    pipeline.wait_for_results(200)
    assert pipeline.requests(log) == []
    assert "sick  paused" in pipeline.command("provider", "list")
    pipeline.command("provider", "resume", "sick")
    pipeline.wait_for_results(4_200)
    assert worker.stop() == 0, worker.output
    audit = pipeline.audit(log)
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)


def test_a_campaign_supplies_what_events_leave_out(pipeline: Pipeline):
    """Provider, template and values; events that came before their campaign wait for it, also in another worker."""
    pipeline.simulate()
    pipeline.define()
    configure(pipeline)
    bare = {"provider": None, "template_id": None, "custom": None}
    events = [{**event(n, campaign="diwali"), **bare, "custom": {"uid": f"m{n}"}} for n in range(40)]
    pipeline.produce(events)
    worker = pipeline.worker()
    worker.wait_for("partitions opened")
    file = pipeline.folder / "diwali.json"
    file.write_text('{"provider": "batched"}')
    missing = pipeline.command("campaign", "put", "diwali", str(file), code=78)
    assert "missing: TemplateID" in missing
    assert "missing: hid" in missing
    file.write_text('{"provider": "batched", "template_id": "t9", "custom": {"hid": "77"}}')
    pipeline.command("campaign", "put", "diwali", str(file))
    pipeline.wait_for_results(40)
    assert worker.stop() == 0, worker.output
    assert pipeline.audit().statuses == {"accepted": 40}
    assert {(it["values"]["hid"], it["values"]["tid"]) for it in pipeline.requests()} == {("77", "t9")}
    assert '"template_id": "t9"' in pipeline.command("campaign", "get", "diwali")


def test_a_definition_that_changes_takes_its_waiting_messages_along(pipeline: Pipeline):
    """A wrong edit is told about and not used; a right one holds for every request from then on; none is lost."""
    pipeline.simulate("json.latency=0.3")
    pipeline.define(records=20, concurrency=1)
    configure(pipeline)
    pipeline.produce(event(n) for n in range(2_000))
    worker = pipeline.worker()
    pipeline.wait_for_results(40)
    file = pipeline.folder / "definitions" / "batched.yaml"
    text = file.read_text()
    file.write_text(text.replace("method: POST", "methud: POST"))
    worker.wait_for("definitions not reloaded")
    assert "did you mean" in worker.output
    text = text.replace('"type": "template"', '"type": "v2"').replace("records: 20", "records: 500")
    file.write_text(text)
    worker.wait_for("definitions reloaded")
    pipeline.wait_for_results(2_000)
    assert worker.stop() == 0, worker.output
    kinds = [request["values"]["type"] for request in pipeline.requests()]
    assert kinds == sorted(kinds), "first the old definition's requests, then the new one's"
    assert max(pipeline.audit().fills) > 100
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)


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
    return value(get(f"{console_of(worker)}/metrics")[1], 'sms_connector_diverted_total{provider="sick"}')


def test_a_retry_topic_that_nobody_would_read_stops_the_start(pipeline: Pipeline):
    """Taken out of the configuration while it holds messages: exit code 78, its name, its records and the remedy."""
    pipeline.simulate("json.down=true")
    pipeline.define()
    configure(pipeline)
    pipeline.command("campaign", "pause", "c0")
    pipeline.produce(event(n) for n in range(10))
    worker = pipeline.worker()
    wait_until(lambda: pipeline.count(f"{pipeline.unique}.retry.2s") >= 10, "messages in the second tier")
    worker.kill()
    text = pipeline.config.read_text()
    pipeline.config.write_text(text.replace('["1s","2s"]', '["1s"]'))
    refused = pipeline.worker("w1")
    assert refused.wait() == 78, refused.output
    assert f"{pipeline.unique}.retry.2s" in refused.output
    assert "topics.retry_tiers" in refused.output


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
