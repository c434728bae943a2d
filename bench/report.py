"""Figures as a table, as JSON and as a picture."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
from rich.table import Table

from bench.cell import Figures

Row = tuple[str, str, Figures]
"""Section, cell, what was seen."""

BAR, LINE, LEFT = 420, 22, 330


def table(section: str, rows: Iterable[tuple[str, Figures]]) -> Table:
    """One section. `cpu / unit` is CPU per message divided by what decoding one event took meanwhile."""
    made = Table(
        "cell", "messages/s", "CPU µs", "unit µs", "cpu / unit", "RSS MB", "fill", "to send ms", "to result ms"
    )
    made.title, made.title_justify = section, "left"
    for name, it in rows:
        made.add_row(
            name,
            f"{it.rate:,.0f}",
            f"{it.cpu:.1f}",
            f"{it.calibration:.2f}",
            f"{it.cpu / it.calibration:.1f}",
            f"{it.rss:.0f}",
            "" if it.fill is None else f"{it.fill:.0f}",
            _three(it.to_send),
            _three(it.to_result),
        )
    return made


def _three(values: tuple[float, float, float] | None) -> str:
    return "" if values is None else " / ".join(f"{value:.0f}" for value in values)


def write_json(file: Path, about: Mapping[str, Any], parts: Mapping[str, float], rows: Iterable[Row]) -> None:
    cells = [{"section": section, "cell": name, **figures.as_dict()} for section, name, figures in rows]
    document = {"machine": dict(about), "parts": dict(parts), "cells": cells}
    file.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def write_plot(file: Path, about: Mapping[str, Any], rows: Iterable[Row]) -> None:
    """Messages per second as bars, an SVG."""
    shown = [(f"{section}: {name}", figures.rate) for section, name, figures in rows]
    most = max((rate for _, rate in shown), default=1.0)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + BAR + 90}" height="{LINE * (len(shown) + 2)}">',
        "<style>text { font: 12px sans-serif }</style>",
        f'<text x="8" y="16">messages per second; {html.escape(str(about["cpu"]))}, {about["cores"]} cores</text>',
    ]
    for number, (name, rate) in enumerate(shown, 1):
        y = LINE * number + 8
        lines += [
            f'<text x="8" y="{y + 14}">{html.escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y + 3}" width="{rate / most * BAR:.0f}" height="14" fill="#4a7fb5"/>',
            f'<text x="{LEFT + rate / most * BAR + 6:.0f}" y="{y + 14}">{rate:,.0f}</text>',
        ]
    file.write_text("\n".join([*lines, "</svg>", ""]))
