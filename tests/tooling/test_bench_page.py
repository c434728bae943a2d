"""docs/performance.md: its tables are made from the figures beside it."""

from __future__ import annotations

from pathlib import Path

import orjson

from bench.page import rendered
from bench.report import add_to_json

ROOT = Path(__file__).parents[2]
ABOUT = {"cpu": "A machine", "cores": 2}


def section(*cells: dict[str, object]) -> dict[str, object]:
    about = {
        "cpu": "A CPU",
        "cores": 2,
        "load": 0.1,
        "python": "3.11",
        "packages": {"a": "1"},
        "commit": "c0",
        "at": "T",
    }
    nothing = {"rate": 1000.0, "cpu": 12.0, "calibration": 1.2, "rss": 99.0, "fill": None, "to_send": None}
    return {"machine": about, "cells": [nothing | {"to_result": None} | cell for cell in cells]}


def test_the_tables_of_the_page_are_those_of_the_figures_beside_it() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    figures = orjson.loads((ROOT / "docs" / "performance.json").read_bytes())
    assert rendered(page, figures) == page, "python -m bench.page"


def test_a_table_has_the_columns_that_say_something_and_the_goals_of_the_job() -> None:
    job = section(
        {"cell": "connector", "rate": 80_000.0, "fill": 1000.0},
        {"cell": "plain Faust", "rate": 3_200.0},
        {"cell": "copy without HTTP", "rate": 160_000.0},
    )
    text = rendered("<!-- bench: job -->\nold\n<!-- end -->\n<!-- bench: load -->\n<!-- end -->", {"job": job})
    assert "| connector | 80,000 | 12.0 | 10.0 | 99 | 1,000 |" in text
    assert "to send" not in text
    assert "25.0 times plain Faust (goal: 25) and 0.50 of the copy (goal: 0.4)" in text
    assert "commit `c0`; 2 cores of A CPU at load 0.1; Python 3.11, a 1." in text
    assert "old" not in text
    assert "Not measured yet." in text


def test_the_matrix_has_a_row_per_kind_and_campaigns_and_a_column_per_latency() -> None:
    matrix = section(
        {"cell": "batched, 10,000 campaigns, 0 ms", "fill": 30.0}, {"cell": "batched, 10,000 campaigns, 50 ms"}
    )
    text = rendered("<!-- bench: matrix -->\n<!-- end -->", {"matrix": matrix})
    assert "|  | 0 ms | 50 ms |" in text
    assert "| batched, 10,000 campaigns | 1,000 · 30 · 99 MB | 1,000 · 99 MB |" in text


def test_a_peer_stands_beside_with_what_it_left_out_and_how_the_others_stand_to_it() -> None:
    nothing = {"start": None, "whole": None, "whole_cpu": None, "missing": None}
    both = {"cell": "300 keys, 0 ms", "fill": 1000.0}
    cells = section(
        nothing | both | {"system": "connector", "rate": 90_000.0, "whole_cpu": 15.0, "start": 1.234, "missing": 0},
        nothing | both | {"system": "peer", "rate": 60_000.0, "whole_cpu": 30.0, "start": 0.5, "missing": 1_892},
        nothing | {"cell": "start", "system": "connector", "start": 1.1, "missing": 0},
    )
    text = rendered("<!-- bench: peer -->\n<!-- end -->", {"peer": {**cells, "peer": "bento v1.20.0"}})
    assert "The peer is bento v1.20.0." in text
    assert "| 300 keys, 0 ms | connector | 90,000 | 1.50 |  | 15.0 | 0.50 | 99 | 1,000 | 1.23 | 0 |" in text
    assert "| 300 keys, 0 ms | peer | 60,000 |  |  | 30.0 |  | 99 | 1,000 | 0.50 | 1,892 |" in text
    assert "| start | connector |  |  |  |  |  | 99 |  | 1.10 | 0 |" in text


def test_the_soak_says_what_it_was_given_and_what_stayed_flat() -> None:
    given = {"seconds": 1795, "capacity": 40_000.0, "rate": 28_000.0, "events": 50_400_000, "holds": True}
    verdict = {"name": "lag, events", "middle": 9_000.4, "growth": -12.0, "allowed": 28_000.0}
    soak = {"machine": section()["machine"], **given, "verdicts": [verdict]}
    text = rendered("<!-- bench: soak -->\n<!-- end -->", {"soak": soak})
    assert "50,400,000 events in 30 minutes, 28,000 a second: 70% of the 40,000" in text
    assert "It holds." in text
    assert "| lag, events | 9,000 | -12 | 28,000 |" in text


def test_measuring_one_section_anew_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    add_to_json(file, "job", ABOUT, {"cells": [1]})
    add_to_json(file, "load", ABOUT, {"cells": [2]})
    add_to_json(file, "job", ABOUT, {"cells": [3]})
    found = orjson.loads(file.read_bytes())
    assert {name: it["cells"] for name, it in found.items()} == {"job": [3], "load": [2]}


def test_a_group_of_many_workers_has_a_row_for_each_change() -> None:
    change = {
        "name": "one is killed",
        "workers": 50,
        "seconds": 15.31,
        "standstill": 4.1,
        "rebalances": 1,
        "requests": {"JoinGroup": 900, "Heartbeat": 200, "Fetch": 1000},
        "cpu": 12.0,
        "megabytes": 64.2,
    }
    group = {"machine": section()["machine"], "changes": [change]}
    text = rendered("<!-- bench: many -->\n<!-- end -->", {"many": group})
    assert "| one is killed | 50 | 15.3 | 4.1 | 1 | 1,100 | 2,100 | 12.0 | 64 |" in text
