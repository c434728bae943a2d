"""What is measured, section by section. `python -m bench SECTION…` runs some of them."""

from __future__ import annotations

from typing import Any

import psutil

from bench.cell import KINDS, Cell

FAST = {"messages": 400_000}
REPORT = "on_uncertain: report"

SLOTS = {"batched": 24, "same text": 24, "unbatched": 64}
MANY_SLOTS = 64
"""For 10,000 campaigns: a request for each of them at a second's latency is over within minutes."""
MOST = {"batched": 300_000, "same text": 60_000, "unbatched": 15_000}
SECONDS = 8.0
"""Of work at the provider: a cell is short, whatever its latency …"""
MESSAGES_OF_A_CAMPAIGN = 30
"""… but each campaign has as many at least, where requests take them: else requests are empty because the topic is."""

UNBATCHED: dict[str, Any] = {"kind": "unbatched", "concurrency": 64, "light": True}
MANY = {"memory": {"messages": 600_000, "bytes": "512MiB"}}
"""For 10,000 keys, as docs/scaling.md says: memory is what fills their requests."""


def _matrix_cell(kind: str, campaigns: int, latency: float) -> Cell:
    records = KINDS[kind][1]
    least = campaigns * min(records, MESSAGES_OF_A_CAMPAIGN)
    most = max(MOST[kind], least)
    fill = min(records, max(1, most // campaigns))
    slots = max(SLOTS[kind], MANY_SLOTS) if campaigns >= 10_000 else SLOTS[kind]
    messages = most if latency == 0 else min(most, max(least, int(SECONDS / latency * slots * fill)))
    name = f"{kind}, {campaigns:,} campaigns, {latency * 1000:g} ms"
    return Cell(name, messages, campaigns, latency, kind, slots)


def work_of_a_peer() -> list[Cell]:
    """What the connector and a peer do in turns, 64 posts at once."""
    batched: dict[str, Any] = {**FAST, "concurrency": 64, "light": True}
    return [
        *(Cell(f"15 keys, {ms} ms", **batched, latency=ms / 1000) for ms in (0, 50, 200)),
        *(Cell(f"300 keys, {ms} ms", **batched, latency=ms / 1000, campaigns=300) for ms in (0, 50, 200)),
        *(
            Cell(f"10,000 keys, {ms} ms", **batched, latency=ms / 1000, campaigns=10_000, settings=MANY)
            for ms in (50, 200)
        ),
        Cell("unbatched, 0 ms", 60_000, **UNBATCHED),
        Cell("unbatched, 50 ms", 20_000, **UNBATCHED, latency=0.05),
        Cell("start", 1_000, concurrency=64, light=True),
    ]


# A step at a time, each with something to compare it with in the same run.
SECTIONS: dict[str, list[Cell]] = {
    "job": [
        Cell("connector", **FAST),
        *([Cell("connector, on one core", **FAST, pinned=True)] if hasattr(psutil.Process, "cpu_affinity") else []),
        Cell("plain Faust", messages=20_000, who="plain_faust"),
        Cell("copy without HTTP", **FAST, who="ceiling"),
        Cell("300 campaigns, 200 ms", **FAST, campaigns=300, latency=0.2),
    ],
    "matrix": [
        _matrix_cell(kind, campaigns, latency)
        for kind in KINDS
        for campaigns in (1, 15, 300, 10_000)
        for latency in (0.0, 0.05, 0.2, 1.0)
    ],
    "load": [
        Cell("lone messages, 50 ms", messages=300, rate=10, latency=0.05),
        Cell("1 %, 50 ms", messages=5_000, rate=500, latency=0.05),
        Cell("10 %, 50 ms", messages=40_000, rate=5_000, latency=0.05),
        Cell("50 %, 50 ms", messages=150_000, rate=20_000, latency=0.05),
    ],
    "growth": [
        *(Cell(f"backlog of {count:,}", messages=count) for count in (20_000, 100_000, 1_000_000)),
        *(Cell(f"{count} partitions", partitions=count) for count in (1, 4, 12)),
        *(Cell(f"{count} providers", providers=count, campaigns=100, concurrency=4) for count in (1, 10, 100)),
    ],
    "workers": [
        Cell(f"{count} workers, 200 ms", **FAST, workers=count, latency=0.2, campaigns=60) for count in (1, 2, 3)
    ],
    "guarantees": [
        Cell("resend", campaigns=60, latency=0.05),
        Cell("report", campaigns=60, latency=0.05, more=REPORT),
        Cell("resend, duplicates found", campaigns=60, latency=0.05, settings={"duplicates": {"horizon": "1h"}}),
        Cell("unbatched, resend", messages=20_000, kind="unbatched", concurrency=64),
        Cell("unbatched, report", messages=10_000, kind="unbatched", concurrency=64, more=REPORT),
    ],
    "unbatched": [
        Cell("0 ms", 60_000, **UNBATCHED),
        Cell("0 ms, two workers", 60_000, **UNBATCHED, workers=2),
        Cell("0 ms, bare session.post", 60_000, **UNBATCHED, who="bare_post"),
        Cell("50 ms", 20_000, **UNBATCHED, latency=0.05),
    ],
    "keys": [
        Cell(f"10,000 keys, {ms} ms", **FAST, campaigns=10_000, latency=ms / 1000, concurrency=64, settings=MANY)
        for ms in (50, 200)
    ],
    "transactions": [
        Cell("without transactions", messages=100_000),
        Cell("transactions of 1,000", messages=100_000, transactions=1_000),
        Cell("transactions of 100", messages=100_000, transactions=100),
    ],
}
