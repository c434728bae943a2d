"""The steps every message goes through, one by one and without I/O: microseconds of CPU per message."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import orjson
from aiokafka.producer.message_accumulator import BatchBuilder

from bench import reading as reading_batches
from bench.events import event
from connector.clock import ManualClock
from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.delivery.limits.backoff import Backoff
from connector.delivery.outcomes.decision import OutcomeHandler
from connector.delivery.queue.attempt import Attempt, Part
from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.delivery.route import compile_routes
from connector.kafka.batches import RecordFields, fill
from connector.model import Batch, Message, Outcome, Reply, Result
from connector.request.renderer import compile_operation
from connector.response.reply_reader import compile_response
from connector.stream.control.table import ControlTable, decode_messages
from connector.stream.output.uniform_records import records
from connector.stream.partitions.formats import SETTLES, settled_place, settles
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from tests.integration.pipeline import BATCHED

BATCH = 1000  # the seed's limit
SECONDS = 0.5  # per part


class Figure(NamedTuple):
    """What one message costs in one part, the best of several rounds."""

    part: str
    microseconds: float
    most: float | None = None  # what it may cost; None where nobody promised


def measure(folder: Path) -> Iterator[Figure]:
    """Measure each part with the seed's batched payload."""
    file = folder / "batched.yaml"
    file.write_text(
        BATCHED.format(name="batched", simulator="http://127.0.0.1:1", records=BATCH, concurrency=1, more="", auth="")
    )
    definition = load(file, environment=Environment({}))
    (operation,) = definition.operations
    renderer, reader = compile_operation(operation), compile_response(operation)
    decode, encode = msgspec.json.Decoder(Message).decode, msgspec.json.Encoder().encode
    raw = [orjson.dumps(event(number)) for number in range(BATCH)]
    messages = [decode(value) for value in raw]
    batch = Batch(id="0" * 32, now=0.0)
    entries = [{"uid": f"m{number}", "to": "x", "status": "queued", "id": f"i{number}"} for number in range(BATCH)]
    reply = Reply(status=200, headers={}, body=orjson.dumps({"batch": "b", "results": entries}))
    request = renderer.render(messages, batch).request
    assert request is not None
    assert batch.count == BATCH
    reading = reader.read(reply, messages, batch, 0.0)
    assert reading.whole is None

    origin, now = (
        Partition("sms.messages", 0, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(BATCH)),
        datetime.now(UTC),
    )
    items = [Item(value, origin, number, None, now, None) for number, value in enumerate(raw)]
    attempt = Attempt(
        Part(WindowKey(0, None, None, high=False), items),
        compile_routes(definition)[0],
        items,
        messages,
        request,
        batch,
        0.0,
    )
    outcome_handler = OutcomeHandler(
        definition, backoff=Backoff(definition.retry, lambda: 0.5), clock=ManualClock(), dry_run=False
    )
    results = outcome_handler.replied(attempt, 200, reading.outcomes, None).uniform_results
    assert results is not None
    assert len(results) == BATCH
    each, apart = list(results), list(reading.outcomes)

    control = ControlTable(ManualClock(), most=1, topic="")
    yield Figure("decode and check the event", _best(lambda: decode_messages(items)))
    yield Figure("decode it again for its request", _best(lambda: control.waiting(items)))
    yield Figure("batch key", _best(lambda: renderer.batch_keys(messages)))
    yield Figure(f"render ({BATCH:,} per request)", _best(lambda: renderer.render(messages, batch)), 2.0)
    yield Figure(f"read the reply ({BATCH:,} entries)", _best(lambda: reader.read(reply, messages, batch, 0.0)), 2.0)
    yield _one_message(folder)
    yield Figure("decide on the reply", _best(lambda: outcome_handler.replied(attempt, 200, reading.outcomes, None)))
    yield Figure(
        "encode the results, keys and headers", _best(lambda: [list(it) for _, _, it in records(results, encode) or ()])
    )
    yield Figure(
        "decide and encode one by one (where they differ)",
        _best(lambda: _apart(outcome_handler, attempt, apart, encode)),
    )
    yield from _bookkeeping([encode(result) for result in each])
    for part, work in reading_batches.measure(raw):
        yield Figure(part, _best(work))


def _one_message(folder: Path) -> Figure:
    """The reply to a request of one message: what there is where nothing can be batched."""
    file = folder / "unbatched.yaml"
    file.write_text(
        BATCHED.format(name="unbatched", simulator="http://127.0.0.1:1", records=1, concurrency=1, more="", auth="")
    )
    (operation,) = load(file, environment=Environment({})).operations
    reader, batch = compile_response(operation), Batch(id="0" * 32, now=0.0, count=1)
    message = msgspec.json.decode(orjson.dumps(event(1)), type=Message)
    entry = {"uid": "m1", "to": "x", "status": "queued", "id": "5f2b6c1e-7d7a-4c0e-9f55-0a8d0f8f6a11"}
    reply = Reply(status=200, headers={}, body=orjson.dumps({"batch": "b", "results": [entry]}))

    def work() -> None:
        for _ in range(BATCH):
            reader.read(reply, [message], batch, 0.0)

    (outcome,) = reader.read(reply, [message], batch, 0.0).outcomes
    assert outcome.then == "accept"
    return Figure("read a reply of one entry", _best(work))


def _apart(
    outcome_handler: OutcomeHandler, attempt: Attempt, outcomes: Sequence[Outcome], encode: Callable[[Result], bytes]
) -> list[bytes]:
    return [encode(result) for result in outcome_handler.replied(attempt, 200, outcomes, None).results]


def _bookkeeping(values: Sequence[bytes]) -> Iterator[Figure]:
    """What the guarantees cost: headers, ledger, reading results back."""
    ledger, offsets = Ledger(0), OffsetSet(10 * BATCH)
    headers = [[(SETTLES, settles("sms.messages", 0, number))] for number in range(BATCH)]

    def append() -> None:
        fields: list[RecordFields] = [(None, value, header) for value, header in zip(values, headers, strict=True)]
        assert fill(BatchBuilder(1 << 20, 0), fields, 0) == BATCH

    def progress() -> None:
        start = ledger.high
        assert ledger.admit_run(start, start + BATCH)
        ledger.settle(range(start, start + BATCH))
        assert ledger.position == start + BATCH

    def read_back() -> None:
        for header in headers:
            place = settled_place(header)
            assert place is not None
            offsets.add(place[1])

    yield Figure("append them to a record batch", _best(append))
    yield Figure("ledger: admit and settle", _best(progress))
    yield Figure("read it back at opening", _best(read_back))


def _best(work: Callable[[], object]) -> float:
    """Microseconds per message; the quickest round is the one the machine disturbed least."""
    best, started = float("inf"), time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return best / BATCH * 1e6
