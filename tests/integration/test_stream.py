"""The main job on a real Kafka: topics in, HTTP requests out, results out."""

from __future__ import annotations

from collections import defaultdict

import orjson
import pytest

from tests.integration.pipeline import Pipeline, event
from tests.kafka.records import committed, end_offsets, read_all
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka


def test_every_event_becomes_one_result(pipeline: Pipeline):
    """A thousand events, three campaigns: each is at the provider once and has one result, and all is committed."""
    pipeline.simulate()
    pipeline.define()
    pipeline.configure()
    pipeline.create_topics()
    pipeline.produce(event(n, campaign=f"c{n % 3}") for n in range(1000))
    worker = pipeline.worker()
    pipeline.wait_for_results(1000)
    assert worker.stop() == 0, worker.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert audit.statuses == {"accepted": 1000}
    done = {place: it.offset for place, it in committed(pipeline.bootstrap, pipeline.unique, pipeline.source).items()}
    assert done == end_offsets(pipeline.bootstrap, pipeline.source)


def test_a_result_says_what_became_of_its_message(pipeline: Pipeline):
    """The fields a service needs to follow a message."""
    pipeline.simulate()
    pipeline.define()
    pipeline.configure()
    pipeline.create_topics()
    pipeline.produce([event(7, campaign="diwali", body="नमस्ते")])
    worker = pipeline.worker()
    pipeline.wait_for_results(1)
    assert worker.stop() == 0
    (record,) = pipeline.read_result_records()
    result = orjson.loads(record.value)
    assert result["message_id"] == "m7"
    assert record.key == b"m7"
    assert result["status"] == "accepted"
    assert result["provider"] == "batched"
    assert result["campaign_id"] == "diwali"
    assert result["to"] == "+919800000079"
    assert result["http_status"] == 200
    assert result["attempts"] == 1
    assert result["batch_size"] == 1
    assert result["provider_message_id"]
    assert result["segments"] == 1
    assert result["source"] == {"topic": pipeline.source, "partition": 0, "offset": 0}


BAD = {
    "not JSON": b"hello",
    "no value of a field": b'{"message_id":"b1"}',
    "wrong type": b'{"message_id":"b2","to":123}',
    "no phone number": b'{"message_id":"b3","to":"someone","provider":"batched"}',
    "unknown provider": orjson.dumps(event(1, provider="nobody")),
    "missing replacement": orjson.dumps({**event(2), "custom": {"hid": "h"}}),
    "empty": b"",
    "deep": b'{"message_id":"b4","to":"+919800000000","custom":{"a":' + b"[" * 5000 + b"]" * 5000 + b"}}",
    "not UTF-8": b'{"message_id":"\xff","to":"+919800000000"}',
}


def test_bad_events_become_invalid_results_and_dead_letters(pipeline: Pipeline):
    """Each says what is wrong; its raw bytes are kept with Kafka Connect's headers; the good one beside is sent."""
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(unknown_grace="0s")
    pipeline.create_topics()
    pipeline.produce([*BAD.values(), orjson.dumps(event(3))])
    worker = pipeline.worker()
    pipeline.wait_for_results(len(BAD) + 1)
    assert worker.stop() == 0
    results = pipeline.read_results()
    invalid = [result for result in results if result["status"] == "invalid"]
    assert len(invalid) == len(BAD), results
    assert all(result["reason"] for result in invalid)
    assert [result["message_id"] for result in results if result["status"] == "accepted"] == ["m3"]
    reasons = {result.get("message_id"): result["reason"] for result in invalid}
    assert reasons["b1"] == "the event cannot be read: to: missing"
    assert "$$uid" in reasons["m2"] or "uid" in reasons["m2"]
    letters = read_all(pipeline.bootstrap, pipeline.dead_letters)
    assert sorted(letter.value or b"" for letter in letters) == sorted(BAD.values())
    for letter in letters:
        assert letter.headers["__connect.errors.topic"] == pipeline.source.encode()
        assert letter.headers["__connect.errors.exception.message"]
        assert letter.headers["settles"]


def test_stop_in_mid_flow_and_restart(pipeline: Pipeline):
    """SIGTERM with requests under way: nothing is lost and nothing is sent or reported twice."""
    pipeline.simulate("json.latency=0.3")
    pipeline.define(records=50, concurrency=4)
    pipeline.configure()
    pipeline.create_topics()
    pipeline.produce(event(n, campaign=f"c{n % 5}") for n in range(6000))
    first = pipeline.worker("w0")
    pipeline.wait_for_results(500)
    assert first.stop() == 0, first.output
    assert pipeline.count_results() < 6000, "it was to be stopped in mid-flow"
    second = pipeline.worker("w1")
    pipeline.wait_for_results(6000)
    assert second.stop() == 0, second.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)


def test_a_second_worker_joins_in_mid_flow(pipeline: Pipeline):
    """The partitions are shared out without a message lost, sent twice or reported twice; both work."""
    pipeline.simulate("json.latency=0.3")
    pipeline.define(records=50, concurrency=4)
    pipeline.configure()
    pipeline.create_topics()
    pipeline.produce(event(n, campaign=f"c{n % 5}") for n in range(8000))
    first = pipeline.worker("w0")
    pipeline.wait_for_results(500)
    second = pipeline.worker("w1")
    wait_until(lambda: "partitions opened" in second.output, "the second worker to own partitions")
    pipeline.wait_for_results(8000)
    assert first.stop() == 0, first.output
    assert second.stop() == 0, second.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)


def test_nothing_is_sent_from_a_topic_with_history_unless_told_where_to_start(pipeline: Pipeline):
    """No committed offset, no results, no start_from: refused with exit code 78 and the setting to choose."""
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(start_from=None)
    pipeline.create_topics()
    pipeline.produce([event(1)])
    worker = pipeline.worker()
    assert worker.wait() == 78, worker.output
    assert "start_from" in worker.output
    assert pipeline.requests() == []


def test_old_and_unlisted_messages_are_not_sent(pipeline: Pipeline):
    """`expires_at`, `max_age` and `recipients.allow` end in results, never at the provider."""
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(recipients={"allow": ["+9198*"]})
    pipeline.create_topics()
    pipeline.produce(
        [
            event(1),
            event(2, expires_at="2020-01-01T00:00:00Z"),
            event(3, to="+14155550100"),
        ]
    )
    worker = pipeline.worker()
    pipeline.wait_for_results(3)
    assert worker.stop() == 0
    statuses = {result["message_id"]: result["status"] for result in pipeline.read_results()}
    assert statuses == {"m1": "accepted", "m2": "expired", "m3": "cancelled"}
    assert sum(request["count"] for request in pipeline.requests()) == 1


def test_dry_run_sends_nothing_and_says_so(pipeline: Pipeline):
    """Everything but the request: the results are marked."""
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(delivery="dry-run")
    pipeline.create_topics()
    pipeline.produce(event(n) for n in range(10))
    worker = pipeline.worker()
    pipeline.wait_for_results(10)
    assert worker.stop() == 0
    assert all(result["dry_run"] for result in pipeline.read_results())
    assert pipeline.requests() == []


def test_the_environment_of_faust_changes_nothing(pipeline: Pipeline):
    """Unprefixed variables that Faust would obey over our settings: another broker, port, reset policy."""
    pipeline.simulate()
    pipeline.define()
    pipeline.configure()
    pipeline.create_topics()
    pipeline.produce(event(n) for n in range(50))
    worker = pipeline.worker(
        BROKER_URL="kafka://127.0.0.1:1",
        WEB_PORT="6066",
        WEB_BIND="0.0.0.0",
        CONSUMER_AUTO_OFFSET_RESET="latest",
        APP_DATADIR="/nonexistent",
        BROKER_MAX_POLL_RECORDS="1",
        PROCESSING_GUARANTEE="exactly_once",
    )
    pipeline.wait_for_results(50)
    assert worker.stop() == 0, worker.output
    assert pipeline.audit().statuses == {"accepted": 50}


def test_wrong_topics_are_refused_with_the_remedy(pipeline: Pipeline):
    """Results with another number of partitions would make `already done?` unanswerable."""
    from tests.kafka.records import create_topics

    pipeline.simulate()
    pipeline.define()
    pipeline.configure()
    create_topics(pipeline.bootstrap, pipeline.results, partitions=3)
    pipeline.create_topics(code=78)  # the others are made, this one is named
    worker = pipeline.worker()
    assert worker.wait() == 78, worker.output
    assert "3 partitions" in worker.output


def test_batches_are_full_under_backlog(make_pipeline):
    """120,000 events of 3 providers x 20 campaigns, round-robin: each once, and batches full while there is a backlog.

    Left out is the last window of each key, which closes when nothing more comes.
    """
    pipeline: Pipeline = make_pipeline(partitions=12)
    pipeline.simulate("json.latency=0.05")
    for name in ("p0", "p1", "p2"):
        pipeline.define(name, records=1000)
    # A busy machine may take longer than the usual five seconds to read the 60,000 events that fill every window once.
    pipeline.configure(span=1_000_000, wait_max="60s")
    pipeline.create_topics()
    count, keys = 120_000, 60
    pipeline.produce(event(n, provider=f"p{n % 3}", campaign=f"c{n // 3 % 20}") for n in range(count))
    worker = pipeline.worker()
    pipeline.wait_for_results(count, within=110)
    assert worker.stop() == 0, worker.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    windows = defaultdict(list)
    for request in pipeline.requests():
        provider = int(request["taken"][0]["ref"][1:]) % 3
        windows[request["values"]["cid"], provider].append(request["count"])
    assert len(windows) == keys
    closed = [fill for fills in windows.values() for fill in fills[:-1]]
    assert sum(closed) / len(closed) >= 950, sorted(closed)[:50]
