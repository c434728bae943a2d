"""The steps every message goes through, one by one and without I/O: microseconds of CPU per message."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import orjson

from connector.definition.environment import Environment
from connector.definition.load import load
from connector.model import Batch, Message, Reply
from connector.request.compile import compile_operation
from connector.response.compile import compile_response
from tests.integration.pipeline import BATCHED, event

BATCH = 1000  # the seed's limit
SECONDS = 0.5  # per part


class Figure(NamedTuple):
    """What one message costs in one part, the best of several rounds."""

    part: str
    microseconds: float


def measure(folder: Path) -> Iterator[Figure]:
    """Measure each part with the seed's batched payload."""
    file = folder / "batched.yaml"
    file.write_text(
        BATCHED.format(name="batched", simulator="http://127.0.0.1:1", records=BATCH, concurrency=1, more="")
    )
    (operation,) = load(file, environment=Environment({})).operations
    renderer, reader = compile_operation(operation), compile_response(operation)
    decode = msgspec.json.Decoder(Message).decode
    raw = [orjson.dumps(event(number)) for number in range(BATCH)]
    messages = [decode(value) for value in raw]
    batch = Batch(id="0" * 32, now=0.0)
    entries = [{"uid": f"m{number}", "to": "x", "status": "queued", "id": f"i{number}"} for number in range(BATCH)]
    reply = Reply(status=200, headers={}, body=orjson.dumps({"batch": "b", "results": entries}))
    assert len(renderer.render(messages, batch).sent) == BATCH
    assert reader.read(reply, messages, batch, 0.0).whole is None

    yield Figure("decode the event", _best(lambda: [decode(value) for value in raw]))
    yield Figure("batch key", _best(lambda: [renderer.batch_key(message) for message in messages]))
    yield Figure(f"render ({BATCH:,} per request)", _best(lambda: renderer.render(messages, batch)))
    yield Figure(f"read the reply ({BATCH:,} entries)", _best(lambda: reader.read(reply, messages, batch, 0.0)))


def _best(work: Callable[[], object]) -> float:
    """Microseconds per message; the quickest round is the one the machine disturbed least."""
    best, started = float("inf"), time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return best / BATCH * 1e6
