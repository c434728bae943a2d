"""`bench --plot`: throughput, fill and latency, a row per cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector.cli.plot import COLOURS, panels, thousands

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bench.report import Row

WIDTH, ROW, HEAD = 10.0, 0.24, 1.1
"""Inches."""


def write_plot(file: Path, about: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Write the picture; what a cell does not have is left empty."""
    sections = list(dict.fromkeys(section for section, _, _ in rows))
    colours = [COLOURS[sections.index(section) % len(COLOURS)] for section, _, _ in rows]
    places = range(len(rows))
    size = (WIDTH, HEAD + ROW * len(rows))
    with panels(file, f"{about['cpu']}, {about['cores']} cores", columns=3, size=size) as (rates, fills, latency):
        rates.set_yticks(places, [f"{section}: {name}" for section, name, _ in rows])
        rates.set_ylim(len(rows) - 0.5, -0.5)  # the first cell on top
        _bars(rates, "Throughput: messages/s", [it.rate for _, _, it in rows], colours)
        _bars(fills, "Fill: messages per request", [it.fill for _, _, it in rows], colours)
        latency.set_title("To result: p50, p95, p99 ms")
        for place, (_, _, it), colour in zip(places, rows, colours, strict=True):
            if it.to_result is not None:
                latency.plot(it.to_result, [place] * 3, color=colour, marker="o", markersize=4)
                _say(latency, it.to_result[-1], place, " / ".join(f"{value:,.0f}" for value in it.to_result))
        latency.set_xlim(0, 1.6 * max((it.to_result[-1] for _, _, it in rows if it.to_result), default=1.0))
        latency.xaxis.set_major_formatter(thousands)
        for axes in (rates, fills, latency):
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)


def _bars(axes: Axes, title: str, values: Sequence[float | None], colours: Sequence[str]) -> None:
    axes.set_title(title)
    axes.barh(range(len(values)), [value or 0.0 for value in values], color=colours, height=0.7)
    for place, value in enumerate(values):
        if value is not None:
            _say(axes, value, place, f"{value:,.0f}")
    axes.set_xlim(0, 1.2 * max([value for value in values if value is not None], default=1.0))
    axes.xaxis.set_major_formatter(thousands)


def _say(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), (5, 0), textcoords="offset points", va="center", fontsize=8)
