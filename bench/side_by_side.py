"""The connector and a peer, cell by cell in turns: same broker, events, provider and number of posts at once."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.cell import Cell, Figures
from bench.measuring import Bench
from bench.sections import work_of_a_peer

WARM_UP = Cell("warm-up", 200_000, concurrency=64, light=True)
"""A broker that has just started compiles its own code meanwhile; whoever is first would pay for it."""
STARTS = 3
"""Rounds of `start` for each of the others: it is over at once."""

Seen = tuple[str, str, Figures]
"""Work, system, what was seen."""


def systems(cell: Cell) -> Iterator[tuple[str, Cell]]:
    """Who does this work. What an unbatched message costs has aiohttp alone and a second worker beside it."""
    yield "connector", cell
    yield "peer", replace(cell, who="peer")
    if cell.kind == "unbatched":
        yield "two workers", replace(cell, workers=2)
        if not cell.latency:
            yield "bare session.post", replace(cell, who="bare_post")


def measure(bench: Bench, console: Console, *, rounds: int, only: str) -> list[Seen]:
    """The median of the rounds. Who goes first changes from cell to cell."""
    cells = [cell for cell in work_of_a_peer() if only in cell.name]
    seen: dict[tuple[str, str], list[Figures]] = {}
    console.print("running: peer, warm-up …")
    bench.measure(WARM_UP)
    for turn in range(rounds):
        for number, cell in enumerate(cells):
            both = list(systems(cell))
            for _ in range(STARTS if cell.name == "start" else 1):
                for name, work in both if (turn + number) % 2 == 0 else reversed(both):
                    console.print(f"running: peer, {cell.name}, {name}, round {turn + 1} of {rounds} …")
                    seen.setdefault((cell.name, name), []).append(bench.measure(work))
    order = [(cell.name, name) for cell in cells for name, _ in systems(cell)]
    return [(*key, median(seen[key])) for key in order]


def median(rounds: Sequence[Figures]) -> Figures:
    """Figure by figure; of missing results all that there were."""
    names = ("rate", "cpu", "calibration", "rss", "fill", "start", "whole", "whole_cpu")
    found = {name: [getattr(it, name) for it in rounds if getattr(it, name) is not None] for name in names}
    middle = {name: statistics.median(values) if values else None for name, values in found.items()}
    missing = [it.missing for it in rounds if it.missing is not None]
    return Figures(**middle, missing=sum(missing) if missing else None)


HEAD = (
    "work",
    "system",
    "messages/s",
    "× peer",
    "from start, messages/s",
    "CPU per message, µs",
    "× peer",
    "RSS, MB",
    "fill",
    "first result, s",
    "missing",
)


def rows(cells: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """A table's, of cells as they stand in the JSON."""
    found = list(cells)
    peers = {it["cell"]: it for it in found if it["system"] == "peer"}
    return [_row(it, peers.get(it["cell"])) for it in found]


def _row(it: Mapping[str, Any], peer: Mapping[str, Any] | None) -> list[str]:
    start = it["cell"] == "start"  # too short for a rate
    return [
        it["cell"],
        it["system"],
        "" if start else f"{it['rate']:,.0f}",
        "" if start else _ratio(it["rate"], peer and peer["rate"], it, peer),
        "" if start or it["whole"] is None else f"{it['whole']:,.0f}",
        "" if start else f"{_cpu(it):,.1f}",
        "" if start else _ratio(_cpu(it), peer and _cpu(peer), it, peer),
        f"{it['rss']:,.0f}",
        "" if start or it["fill"] is None else f"{it['fill']:,.0f}",
        "" if it["start"] is None else f"{it['start']:.2f}",
        "" if it["missing"] is None else f"{it['missing']:,}",
    ]


def _cpu(it: Mapping[str, Any]) -> float:
    whole: float | None = it["whole_cpu"]
    return float(it["cpu"]) if whole is None else whole


def _ratio(ours: float, peers: float | None, it: Mapping[str, Any], peer: Mapping[str, Any] | None) -> str:
    return f"{ours / peers:.2f}" if peers and it is not peer else ""


def table(cells: Iterable[Mapping[str, Any]]) -> Table:
    made = Table(*HEAD, title="peer", title_justify="left")
    for row in rows(cells):
        made.add_row(*row)
    return made


def as_cells(seen: Iterable[Seen]) -> list[dict[str, Any]]:
    """What stands in the JSON."""
    return [{"cell": work, "system": system, **figures.as_dict()} for work, system, figures in seen]
