"""What somebody hostile, or a broken disk, puts into the topics a worker reads: framing, sizes, compression."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
import pytest

from tests.integration.pipeline import Pipeline, event
from tests.integration.test_commands import get, pages_of, value
from tests.kafka.batches import CODECS, Made, batch
from tests.kafka.local import LocalKafka
from tests.kafka.raw import append, change
from tests.kafka.records import committed, end_offsets, produce, read_all
from tests.processes import StartConnector
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

MIB = 1 << 20
NOW = round(time.time() * 1000)


@pytest.fixture
def own(tmp_path, own_kafka: LocalKafka, unique: str, start_connector: StartConnector) -> Pipeline:
    """A pipeline on brokers whose logs may be changed."""
    return Pipeline(tmp_path, own_kafka.bootstrap, unique, start_connector, partitions=1)


def skipped_records(page: str, topic: str, reason: str) -> float:
    return value(page, f'sms_connector_records_skipped_total{{reason="{reason}",topic="{topic}"}}')


def encoded(number: int) -> bytes:
    return orjson.dumps(event(number))


def ready(pipeline: Pipeline, **settings: object) -> None:
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(health={"port": 0}, **settings)
    pipeline.create_topics()


def until_committed(pipeline: Pipeline) -> None:
    def there() -> bool:
        done = committed(pipeline.bootstrap, pipeline.unique, pipeline.source)
        return {number: it.offset for number, it in done.items()} == end_offsets(pipeline.bootstrap, pipeline.source)

    wait_until(there, "everything to be committed", every=0.5)


def statuses(pipeline: Pipeline) -> list[str]:
    """By the events' offsets."""
    found = {result["source"]["offset"]: result["status"] for result in pipeline.read_results()}
    return [found[offset] for offset in sorted(found)]


BAD_NAME = [(b"\xff\xfe", b"x")]


def test_framing_that_no_client_sends_costs_no_other_event(own: Pipeline):
    """Headers whose names are no text; thousands of them; offsets that lie."""
    ready(own)
    append(
        own.bootstrap,
        own.source,
        0,
        batch([encoded(0), Made(encoded(1), headers=BAD_NAME), encoded(2)], now=NOW),
        batch([Made(encoded(3), headers=[(b"h", None)] * 5000), encoded(4)], now=NOW, compression="zstd"),
        batch([encoded(5), Made(encoded(6), offset=95), encoded(7)], now=NOW),
    )
    worker = own.worker()
    own.wait_for_results(8)
    until_committed(own)
    assert statuses(own) == [
        "accepted",
        "accepted",
        "accepted",
        "invalid",
        "accepted",
        "accepted",
        "invalid",
        "accepted",
    ]
    assert worker.stop() == 0, worker.output
    again = own.worker("w1")
    produce(own.bootstrap, own.source, [encoded(8)])
    own.wait_for_results(9)
    assert again.stop() == 0, again.output
    assert len(read_all(own.bootstrap, own.dead_letters)) == 2


@pytest.mark.parametrize("compression", ["gzip", "lz4", "zstd", "snappy"])
def test_small_batches_that_expand_take_neither_memory_nor_time(own: Pipeline, compression: str):
    """Each with a good event before the giant, and good ones behind the batch."""
    ready(own)
    # A snappy batch is a twentieth of what it holds: the topic allows no more.
    size = {"snappy": 15 * MIB, "lz4": 200 * MIB}.get(compression, 300 * MIB)
    giant = batch(
        [
            Made(encoded(0)),
            Made(bytes(size), key=b"giant"),
        ],
        now=NOW,
        compression=compression,
    )
    numbers = batch(
        [Made(b'{"message_id":"n","to":"+919800000019","custom":{"a":[' + b"1e300," * 6_000_000 + b"1]}}")],
        now=NOW,
        compression=compression,
    )
    worker = own.worker()
    worker.wait_for("worker started")
    metrics = f"{pages_of(worker)}/metrics"
    before = value(get(metrics)[1], "sms_connector_process_resident_memory_bytes")
    lags, most = [], 0.0
    append(own.bootstrap, own.source, 0, *([giant] * 4), *([numbers] if len(numbers) < MIB else []))
    produce(own.bootstrap, own.source, [encoded(1)])
    count = 10 if len(numbers) < MIB else 9

    def all_there() -> bool:
        nonlocal most
        page = get(metrics)[1]
        lags.append(value(page, "sms_connector_loop_lag_seconds"))
        most = max(most, value(page, "sms_connector_process_resident_memory_bytes"))
        return own.count_results() >= count

    wait_until(all_there, "every result", within=60)
    until_committed(own)
    found = own.read_results()
    large = [result for result in found if result["status"] == "invalid"]
    assert len(large) == count - 5
    assert {result["reason"].partition(" it has")[0] for result in large} == {"the event cannot be read:"}
    records = {record.offset: record for record in own.read_result_records()}
    assert sum(record.key == b"giant" for record in records.values()) == 4
    assert most - before < 150 * MIB, (before, most)
    assert worker.stop() == 0, worker.output


def log_of(kafka: LocalKafka, topic: str) -> Callable[[bytes, Callable[[bytes], bytes]], None]:
    return lambda find, put: change(kafka.log_file(topic, 0), find, put)


def unknown_codec(whole: bytes) -> bytes:
    """A codec that nobody knows, with a checksum that fits."""
    return batch([], compression=7, payload=whole[61:], last=2, count=3, base=int.from_bytes(whole[:8], "big"))


def flipped(whole: bytes) -> bytes:
    return whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:]


@pytest.mark.parametrize("damage", [unknown_codec, flipped])
def test_batches_that_a_disk_has_spoilt_are_stepped_over_in_every_topic(
    own: Pipeline, own_kafka: LocalKafka, damage: Callable[[bytes], bytes]
):
    ready(own)
    control, retry = f"{own.unique}.control", f"{own.unique}.retry.5s"
    append(own.bootstrap, own.source, 0, batch([encoded(0)], now=NOW), batch([encoded(n) for n in (1, 2, 3)], now=NOW))
    spoilt = [Made(b'{"spoilt":true}', b"campaign:spoilt", BAD_NAME)] * 3
    for topic in (control, retry, own.results, own.journal):
        append(own.bootstrap, topic, 0, batch(spoilt, now=NOW))
        log_of(own_kafka, topic)(b"spoilt", damage)
    log_of(own_kafka, own.source)(b'"m2"', damage)
    produce(own.bootstrap, own.source, [encoded(4)])
    before = own.count_results()
    worker = own.worker()
    own.wait_for_results(before + 5 + 3)  # three of the retry topic: nobody knows which events they stood for
    until_committed(own)
    page = get(f"{pages_of(worker)}/metrics")[1]
    assert skipped_records(page, control, "undecodable") == 3
    assert skipped_records(page, own.results, "undecodable") == 3
    worker.kill()
    again = own.worker("w1")
    produce(own.bootstrap, own.source, [encoded(5)])
    own.wait_for_results(before + 6 + 3)
    wait_until(lambda: own.invoke("lag", "--json").stdout == "", "all to be committed, what the first one left as well")
    assert again.stop() == 0, again.output
    assert worker.output.count("retry record cannot be read") == 3
    told = [orjson.loads(line) for line in own.invoke("results", "--json", "-n", "50").stdout.splitlines()]
    ended = sorted((it["source"]["offset"], it["status"]) for it in told if it["source"]["topic"] == own.source)
    assert ended == [(0, "accepted"), *((n, "invalid") for n in (1, 2, 3)), (4, "accepted"), (5, "accepted")]
    assert "accepted" in own.invoke("trace", "m4", "--since", "1h").stdout


def test_a_worker_may_be_told_to_stop_at_a_batch_that_cannot_be_decoded(own: Pipeline, own_kafka: LocalKafka):
    ready(own, events={"undecodable": "stop"})
    append(own.bootstrap, own.source, 0, batch([encoded(0)], now=NOW), batch([encoded(1), encoded(2)], now=NOW))
    log_of(own_kafka, own.source)(b'"m2"', unknown_codec_of_two)
    for name in ("w0", "w1"):
        worker = own.worker(name)
        assert worker.wait(60) == 78, worker.output
        assert "at offset 1" in worker.output
        assert "events.undecodable" in worker.output
    own.configure(health={"port": 0})
    worker = own.worker("w2")
    own.wait_for_results(3)
    assert worker.stop() == 0, worker.output
    assert statuses(own) == ["accepted", "invalid", "invalid"]


def unknown_codec_of_two(whole: bytes) -> bytes:
    return batch([], compression=7, payload=whole[61:], last=1, count=2, base=int.from_bytes(whole[:8], "big"))


assert CODECS
