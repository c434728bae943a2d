"""Each event has one request and one result: figures of a system that lost some would be none."""

from __future__ import annotations

import statistics
from array import array
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from tests.integration.pipeline import Pipeline
from tests.kafka.records import read_all, values

if TYPE_CHECKING:
    from bench.cell import Cell, Figures


def with_log(figures: Figures, pipeline: Pipeline, cell: Cell) -> Figures:
    """Audit what the provider saw, and add what only it can say."""
    sizes: defaultdict[Any, list[int]] = defaultdict(list)
    sent_at: dict[str, float] = {}
    for request in pipeline.requests():
        key = request["values"].get("cid") or str(request["taken"][0]["text"])
        sizes[key].append(request["count"])
        for record in request["taken"]:
            assert sent_at.setdefault(record["to"].lstrip("+"), request["time"]) == request["time"], "sent twice"
    assert len(sent_at) == cell.messages, f"{cell.name}: {len(sent_at)} of {cell.messages} were sent"
    full = [size for of_key in sizes.values() for size in of_key[:-1]]
    added: dict[str, Any] = {"fill": statistics.mean(full) if full and cell.kind != "unbatched" else None}
    if cell.rate is not None:
        events = {(it.partition, it.offset): it for it in read_all(pipeline.bootstrap, pipeline.source)}
        sends, results = [], []
        for record in pipeline.read_result_records():
            result = orjson.loads(record.value or b"")
            at = events[result["source"]["partition"], result["source"]["offset"]].timestamp
            sends.append(sent_at[result["to"].lstrip("+")] * 1000 - at)
            results.append(float(record.timestamp - at))
        added |= {"to_send": percentiles(sends), "to_result": percentiles(results)}
    return replace(figures, **added)


def with_results(
    figures: Figures, pipeline: Pipeline, cell: Cell, taken: Mapping[str, int], launched: float
) -> Figures:
    """Read every result: each message has one, accepted, with the id that the provider gave to that very message. A
    peer may have left some out; the others may not be wrong.

    Args:
        taken: what the provider counted.
        launched: seconds since 1970 when the processes were started.
    """
    seen, times, wrong = bytearray(cell.messages), array("q"), 0
    for value, at in values(pipeline.bootstrap, pipeline.results):
        result = orjson.loads(value)
        number = int(result["message_id"][1:])
        seen[number] += seen[number] < 2
        wrong += result["status"] != "accepted" or result["provider_message_id"] != f"im{number}"
        times.append(at)
    missing, doubled = seen.count(0), seen.count(2)
    faults = {"wrong": wrong, "doubled": doubled, "sent again": taken["again"]}
    assert not any(faults.values()), f"{cell.name}: {faults}"
    assert not missing or cell.who == "peer", f"{cell.name}: {missing} of {cell.messages} have no result"
    first, last = min(times) / 1000, max(times) / 1000
    behind = sum(1 for at in times if at / 1000 > first)
    return replace(
        figures,
        rate=behind / max(last - first, 0.001),
        fill=None if cell.kind == "unbatched" else taken["messages"] / taken["requests"],
        start=first - launched,
        whole=len(times) / (last - launched),
        missing=missing,
    )


def percentiles(values: list[float]) -> tuple[float, float, float]:
    ordered = sorted(values)
    p50, p95, p99 = (ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))] for share in (0.5, 0.95, 0.99))
    return p50, p95, p99
