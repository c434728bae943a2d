"""Two commits against each other: the same cells in turns, so that both meet the same machine."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.cell import Cell, Figures
from bench.measuring import Bench
from bench.sections import SECTIONS
from tests.kafka import find

ROUNDS = 3
CELLS: Sequence[Cell] = SECTIONS["job"][:1] + SECTIONS["job"][3:] + SECTIONS["unbatched"][:1]


def compare(console: Console, kafka: find.Kafka, folder: Path, first: str, second: str) -> None:
    """Print, per cell, how the second commit stands to the first: the median of some rounds."""
    table = Table("cell", "messages/s", "CPU per message", "RSS", title=f"{second} ÷ {first}", title_justify="left")
    with ExitStack() as stack:
        benches = [
            Bench(kafka, folder / name, stack.enter_context(_checkout(commit, folder / f"checkout-{name}")))
            for name, commit in (("a", first), ("b", second))
        ]
        for cell in CELLS:
            pairs: list[tuple[Figures, Figures]] = []
            for number in range(ROUNDS):
                console.print(f"running: {cell.name}, round {number + 1} of {ROUNDS} …")
                before, after = (bench.measure(cell) for bench in benches)
                pairs.append((before, after))
            table.add_row(
                cell.name,
                _ratio([b.rate / a.rate for a, b in pairs]),
                _ratio([b.cpu / b.calibration / (a.cpu / a.calibration) for a, b in pairs]),
                _ratio([b.rss / a.rss for a, b in pairs]),
            )
    console.print(table)


def _ratio(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"


@contextmanager
def _checkout(commit: str, folder: Path) -> Iterator[Path]:
    subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(folder), commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(folder)], check=True)
