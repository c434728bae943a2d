"""A peer: another program that does the same job, run by its binary and one of the configurations of bench/peers/."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cell import Cell

# Per campaigns at least: events that the peer groups at once, and how many it may hold. Found by trying.
WINDOWS = {0: ("14000", "30000"), 100: ("120000", "60000")}
UNBATCHED = ("4000", "30000")


@dataclass(frozen=True)
class Peer:
    """What is compared with.

    Attributes:
        config: for batched requests; the one for unbatched ones stands beside it, with `-unbatched` in its name.
    """

    binary: Path
    config: Path

    def about(self) -> str:
        """What it says it is, in one line."""
        said = subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=False, timeout=30)
        first = (said.stdout or said.stderr).strip().splitlines()[:1]
        return f"{self.config.stem} {first[0].removeprefix('Version: ') if first else ''}".strip()

    def command(self, cell: Cell) -> tuple[Sequence[str], Mapping[str, str]]:
        """How it is started, and the variables that are beside those all scripts get."""
        config = self.config.with_stem(f"{self.config.stem}-unbatched") if cell.kind == "unbatched" else self.config
        window, checkpoint = _window(cell)
        cores = str(os.cpu_count() or 1)
        return [str(self.binary.resolve()), "-c", str(config.resolve())], {
            "BENCH_THREADS": cores,
            "BENCH_WINDOW": window,
            "BENCH_CHECKPOINT": checkpoint,
            "GOGC": "400",
        }


def _window(cell: Cell) -> tuple[str, str]:
    if cell.kind == "unbatched":
        return UNBATCHED
    return WINDOWS[max(campaigns for campaigns in WINDOWS if campaigns <= cell.campaigns)]
