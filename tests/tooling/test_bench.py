"""The bench's own logic: what it draws, how it judges."""

from __future__ import annotations

from pathlib import Path

from bench.cell import Figures
from bench.plot import write_plot

ABOUT = {"cpu": "A machine", "cores": 2}


def test_the_picture_has_a_row_per_cell_and_leaves_out_what_a_cell_has_not(tmp_path: Path) -> None:
    rows = [
        ("job", "connector", Figures(81_234.5, 10.0, 0.8, 200.0, fill=987.0)),
        ("job", "plain <Faust>", Figures(2_900.0, 300.0, 0.8, 100.0)),
        ("load", "1 %", Figures(500.0, 20.0, 0.8, 90.0, fill=1.0, to_result=(60.0, 65.0, 90.0))),
    ]
    write_plot(tmp_path / "bench.svg", ABOUT, rows)
    text = (tmp_path / "bench.svg").read_text()
    for words in (
        "A machine, 2 cores",
        "job: connector",
        "plain &lt;Faust&gt;",
        ">81,234<",
        ">987<",
        "p50",
        ">60 / 65 / 90<",
    ):
        assert words in text, words
