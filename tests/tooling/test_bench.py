"""The bench's own logic: what it draws, how it judges."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cell import Figures
from bench.plot import write_plot
from bench.soak import Sample, remark, verdicts
from bench.verdict import slope

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


def sample(at: float, **changed: float) -> Sample:
    steady = {
        "rate": 1000,
        "lag": 50,
        "open": 40,
        "rss": 100.0,
        "files": 60,
        "cpu": 0.5,
        "collections": 1,
        "machine": 2.0,
    }
    return Sample(at=at, **{**steady, **changed})  # type: ignore[arg-type]


def test_a_steady_run_holds_and_its_warming_up_is_not_judged() -> None:
    warming = [sample(float(at), rss=50.0 + at / 2) for at in range(100)]
    steady = [sample(float(at)) for at in range(100, 200)]
    assert all(it.holds for it in verdicts(warming + steady, 1000))


@pytest.mark.parametrize(
    ("grown", "name"),
    [
        ({"rss": 0.06}, "resident memory, MB"),
        ({"lag": 11}, "lag, events"),
        ({"open": 11}, "open messages"),
        ({"files": 0.1}, "open files"),
    ],
)
def test_what_grows_in_the_second_half_is_named(grown: dict[str, float], name: str) -> None:
    """Per second, over a hundred seconds at 1,000 events a second: a little more than what is allowed."""
    (what, step), base = next(iter(grown.items())), sample(0.0)
    samples = [sample(float(at), **{what: getattr(base, what) + step * at}) for at in range(201)]
    assert [it.name for it in verdicts(samples, 1000) if not it.holds] == [name]
    falling = [sample(float(at), **{what: 5000 - step * at}) for at in range(201)]
    assert all(it.holds for it in verdicts(falling, 1000))


def test_a_run_too_short_to_judge_says_so() -> None:
    with pytest.raises(ValueError, match="run for longer"):
        verdicts([sample(float(at)) for at in range(10)], 1000)


def test_a_busy_machine_is_said() -> None:
    assert remark([sample(float(at)) for at in range(20)], cores=2) == ""
    assert "load 9.0 on 2 cores" in remark([sample(float(at), machine=9.0) for at in range(20)], cores=2)


@given(st.floats(-50, 50), st.floats(-1000, 1000), st.sets(st.integers(0, 39), max_size=8), st.floats(1e3, 1e6))
def test_the_slope_is_that_of_most_points_whatever_the_others_are(
    true: float, base: float, peaks: set[int], height: float
) -> None:
    """Up to a fifth of them: then most pairs are of good points, and the median is one of theirs."""
    points = [(float(at), base + true * at + (height if at in peaks else 0.0)) for at in range(40)]
    assert slope(points) == pytest.approx(true, abs=1e-6)
