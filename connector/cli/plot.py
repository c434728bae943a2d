"""Pictures for `--plot`: one look for all of them. matplotlib, of the extra `plot`, is imported when one is drawn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = (".svg", ".png", ".pdf")
COLOURS = ("#2f6db3", "#e08a1e", "#3a9a5f", "#b5473c", "#7b5ea7", "#6b7280")
"""Apart for most kinds of colour blindness; after the last one they begin again."""

LOOK: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text: smaller, and sharp in any reader's font
    "svg.hashsalt": "sms-connector",  # the same figures make the same file
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9ca3af",
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e7eb",
    "grid.linewidth": 0.8,
    "xtick.color": "#4b5563",
    "ytick.color": "#4b5563",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
}


def ready(file: Path) -> None:
    """Raise UsageError where no picture could be written later: asked before the work that is to be seen on it."""
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib; install it: pip install 'kafka-sms-connector[plot]'")
    if file.suffix.lower() not in KINDS:
        raise UsageError(f"--plot {file}: unknown kind of picture; end the name with {', '.join(KINDS)}")
    if not file.resolve().parent.is_dir():
        raise UsageError(f"--plot {file}: no folder {file.resolve().parent}; make it first")
    if not os.access(file.resolve().parent, os.W_OK):
        raise UsageError(f"--plot {file}: {file.resolve().parent} cannot be written; name another folder")


@contextmanager
def panels(
    file: Path, title: str, *, rows: int = 1, columns: int = 1, size: tuple[float, float]
) -> Iterator[list[Axes]]:
    """Empty panels, row by row, to draw on; written to the file at the end.

    Args:
        file: an SVG, PNG or PDF, by its ending.
        title: one line above all.
        rows: of panels, which share the x axis.
        columns: of panels, which share the y axis.
        size: width and height in inches.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(LOOK):
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        grid = figure.subplots(rows, columns, sharex=rows > 1, sharey=columns > 1, squeeze=False)
        yield [axes for row in grid for axes in row]
        # No date: a picture that is made again is a change only where its figures are others.
        figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix.lower() == ".svg" else None)


def thousands(value: float, place: float = 0) -> str:
    """A tick or a label: 12,000 as `12k`, 0.5 as it is."""
    del place  # which tick it is: matplotlib passes it
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:,g}"


plot_option = click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.svg",
    help="Draw throughput, fill and latency over time (needs the extra `plot`).",
)
