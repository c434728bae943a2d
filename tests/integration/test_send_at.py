"""`send_at`, `cap` and routes on a real Kafka, with workers that come, go and are killed."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.pipeline import Pipeline, event
from tests.integration.small import LIMIT_SECONDS, SECONDS
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(LIMIT_SECONDS)]

SHORTEST_SECONDS = 1.0
LATE_SECONDS = SHORTEST_SECONDS + 4.0
"""What a busy machine adds to reading and sending."""


def at(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat()


def arrivals(pipeline: Pipeline) -> dict[str, float]:
    """Message id → when the provider got it."""
    return {record["ref"]: request["time"] for request in pipeline.requests() for record in request["taken"]}


def configure(pipeline: Pipeline, *tiers: str, **settings: Any) -> None:
    """With these retry tiers."""
    pipeline.configure(**settings)
    document = pipeline.config.read_text()
    pipeline.config.write_text(document.replace('"retry_prefix"', f'"retry_tiers":{json.dumps(tiers)},"retry_prefix"'))
    pipeline.create_topics()


def put(pipeline: Pipeline, campaign: str, **values: Any) -> None:
    file = pipeline.folder / f"{campaign}.json"
    file.write_text(json.dumps(values))
    pipeline.command("campaign", "put", campaign, str(file))


def test_nobody_waits_behind_those_who_wait_for_days(pipeline: Pipeline):
    """Thousands are due in three days, in front of some that are due in seconds, in one partition; a worker is killed
    meanwhile.
    """
    pipeline.simulate()
    pipeline.define(records=50)
    configure(pipeline, "1s", "5s", "30s")
    far = at(3 * 86_400)
    pipeline.produce(event(n, send_at=far) for n in range(5_000))
    times = {f"m{5_000 + n}": time.time() + 12 + n / 5 for n in range(100)}
    pipeline.produce(
        event(int(name[1:]), send_at=datetime.fromtimestamp(due, UTC).isoformat()) for name, due in times.items()
    )
    pipeline.produce([event(9_999)])
    worker = pipeline.worker()
    pipeline.wait_for_results(20, within=SECONDS)
    worker.send(signal.SIGKILL)
    again = pipeline.worker("w1")
    pipeline.wait_for_results(101, within=SECONDS)
    assert again.stop() == 0, again.output
    found = arrivals(pipeline)
    assert found.keys() == {*times, "m9999"}
    assert all(found[name] >= due for name, due in times.items()), "never before its time"
    audit = pipeline.audit()
    assert (audit.duplicated, audit.lost) == (0, 5_000)
    pipeline.command("campaign", "cancel", "c0")
    last = pipeline.worker("w2")
    pipeline.wait_for_results(5_101, within=SECONDS)
    assert last.stop() == 0, last.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated) == (0, 0)
    assert audit.statuses == {"accepted": 101, "cancelled": 5_000}


def test_they_are_sent_in_time(pipeline: Pipeline):
    """By a worker that nothing happens to."""
    pipeline.simulate()
    pipeline.define(records=50)
    configure(pipeline, "1s", "5s", "30s")
    worker = pipeline.worker()
    worker.wait_for("partitions opened")
    pipeline.produce(event(n, send_at=at(3_600)) for n in range(5_000))
    times = {f"m{10_000 + n}": time.time() + 3 + n / 5 for n in range(100)}
    pipeline.produce(
        event(int(name[1:]), send_at=datetime.fromtimestamp(due, UTC).isoformat()) for name, due in times.items()
    )
    pipeline.wait_for_results(100, within=SECONDS)
    assert worker.stop() == 0, worker.output
    found = arrivals(pipeline)
    late = [found[name] - due for name, due in times.items()]
    assert min(late) >= 0
    assert sorted(late)[len(late) // 2] <= LATE_SECONDS


def test_what_is_too_far_ahead_is_told_at_once(pipeline: Pipeline):
    """Sources made by `topics create` keep events for a week."""
    pipeline.simulate()
    pipeline.define()
    pipeline.configure()
    pipeline.create_topics()
    pipeline.produce([event(1, send_at=at(8 * 86_400)), event(2, send_at=at(60), expires_at=at(30)), event(3)])
    worker = pipeline.worker()
    pipeline.wait_for_results(3)
    assert worker.stop() == 0
    reasons = {it["message_id"]: it.get("reason") for it in pipeline.read_results()}
    assert reasons["m1"].startswith("send_at: more than 168h ahead")
    assert reasons["m2"].startswith("send_at: not before expires_at")
    assert pipeline.audit().statuses == {"invalid": 2, "accepted": 1}


def test_a_campaign_sends_what_its_cap_allows_and_no_more(pipeline: Pipeline):
    """Over partitions and workers, one of which is killed; then the cap is raised, then taken away."""
    pipeline.simulate()
    pipeline.define(records=20, concurrency=2)
    configure(pipeline, "1s", "2s", park_max="2s")
    put(pipeline, "c0", cap=400)
    pipeline.produce(event(n, campaign="c0") for n in range(2_000))
    first, second = pipeline.worker("w0"), pipeline.worker("w1")
    pipeline.wait_for_results(100)
    first.send(signal.SIGKILL)
    pipeline.wait_for_results(400, within=SECONDS)
    second.wait_for("a campaign has had as many messages as its cap allows")
    assert len(arrivals(pipeline)) == 400
    put(pipeline, "c0", cap=1_000)
    pipeline.wait_for_results(1_000, within=SECONDS)
    wait_until(lambda: waiting_again(pipeline), "the others to be looked at again")
    assert len(arrivals(pipeline)) == 1_000
    put(pipeline, "c0")
    pipeline.wait_for_results(2_000, within=SECONDS)
    assert second.stop() == 0, second.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.statuses) == (0, 0, {"accepted": 2_000})


def waiting_again(pipeline: Pipeline) -> bool:
    return pipeline.count(f"{pipeline.unique}.retry.2s") >= 3_000


def test_messages_are_routed_by_prefix_and_weight_and_results_say_who(pipeline: Pipeline):
    pipeline.simulate()
    for name in ("msg", "one", "two"):
        pipeline.define(name)
    pipeline.configure(
        routes=[{"prefix": "+91", "use": "msg"}, {"weight": 70, "use": "one"}, {"weight": 30, "use": "two"}]
    )
    pipeline.create_topics()
    indian = [event(n, provider=None, campaign=None) for n in range(50)]
    others = [event(n, provider=None, campaign=None, to=f"+4915{n:09d}") for n in range(50, 550)]
    pipeline.produce([*indian, *others])
    worker = pipeline.worker()
    pipeline.wait_for_results(550)
    assert worker.stop() == 0, worker.output
    counts = Counter(it["provider"] for it in pipeline.read_results())
    assert counts["msg"] == 50
    assert 300 < counts["one"] < 400
    assert counts["one"] + counts["two"] == 500


def test_a_route_to_nobody_stops_the_start(pipeline: Pipeline):
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(routes=[{"use": "bacthed"}])
    pipeline.create_topics()
    worker = pipeline.worker()
    assert worker.wait() == 78, worker.output
    assert "routes.0.use" in worker.output
    assert "did you mean batched?" in worker.output


def test_numbers_are_read_and_refused_by_country(pipeline: Pipeline):
    good = ("accepted", "+919812345679")
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(recipients={"country": "IN", "countries": ["IN"]})
    pipeline.create_topics()
    written = {
        "m1": "098123 45679",
        "m2": "+91 98123-45679",
        "m3": "+18765550109",
        "m4": "98123",
        "m5": "+919812345679",
    }
    pipeline.produce(event(int(name[1:]), to=to) for name, to in written.items())
    worker = pipeline.worker()
    pipeline.wait_for_results(5)
    assert worker.stop() == 0, worker.output
    found = {it["message_id"]: (it["status"], it["to"]) for it in pipeline.read_results()}
    assert {name: found[name] for name in ("m1", "m2", "m5")} == dict.fromkeys(("m1", "m2", "m5"), good)
    assert found["m3"][0] == found["m4"][0] == "invalid"
    wait_until(lambda: pipeline.count(pipeline.dead_letters) == 2, "the two that were refused")
