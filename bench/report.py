"""Figures as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
from rich.table import Table

from bench.cell import Figures

Row = tuple[str, str, Figures]
"""Section, cell, what was seen."""


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


def add_to_json(file: Path, section: str, about: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Put one section into the file, with the machine as it was; others stay as they are."""
    document = orjson.loads(file.read_bytes()) if file.exists() else {}
    document[section] = {"machine": dict(about), **found}
    file.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def cells(rows: Iterable[tuple[str, Figures]]) -> dict[str, Any]:
    """What `add_to_json` takes of measured cells."""
    return {"cells": [{"cell": name, **figures.as_dict()} for name, figures in rows]}
