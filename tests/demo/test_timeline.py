"""The picture of a demo: what the results say about time, and that it is drawn."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.cli.demo.picture import draw
from connector.cli.demo.timeline import Timeline
from connector.model import Result, Source, Status

START = 1_800_000_000.0


def result(read: float, completed: float, provider: str = "a", batch: str = "b0", size: int = 1) -> Result:
    return Result(
        status=Status.ACCEPTED,
        source=Source("t", 0, 0),
        provider=provider,
        batch_id=batch,
        batch_size=size,
        received_at=datetime.fromtimestamp(START + read, UTC),
        completed_at=datetime.fromtimestamp(START + completed, UTC),
    )


def timeline(*results: Result) -> Timeline:
    made = Timeline()
    for it in results:
        made.add(it)
    return made


def test_rates_fills_and_latencies_are_those_of_the_slice_and_the_provider() -> None:
    """Four seconds make slices of a tenth: 60 of them, or as near as a round number comes."""
    first = [result(0.0, 0.04, "fast", "b1", 3) for _ in range(3)]
    second = [result(0.0, age, "slow", f"b{age}", 1) for age in (3.96, 3.98)]
    slices = timeline(*first, *second).slices()
    assert len(slices) == 40
    assert slices[0].at == pytest.approx(0.05)
    assert slices[0].rates == {"fast": pytest.approx(30)}
    assert slices[0].fills == {"fast": 3}
    assert slices[0].latencies["fast"] == pytest.approx((0.04, 0.04))
    assert slices[-1].rates == {"slow": pytest.approx(20)}
    assert slices[-1].latencies["slow"] == pytest.approx((3.96, 3.98))
    assert [piece.rates for piece in slices[1:-1]] == [{}] * 38


def test_a_batch_counts_once_however_many_results_it_has() -> None:
    (piece,) = timeline(*(result(0, 0.01, batch="b1", size=4) for _ in range(4)), result(0, 0.01, batch="b2")).slices()
    assert piece.fills == {"a": 2.5}


def test_without_a_result_there_is_nothing_to_draw() -> None:
    assert timeline().slices() == []


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=1, max_size=50))
def test_no_result_falls_between_slices(times: list[tuple[float, float]]) -> None:
    made = timeline(*(result(read, read + age, batch=str(n)) for n, (read, age) in enumerate(times)))
    slices = made.slices()
    width = 2 * slices[0].at
    assert sum(rate * width for piece in slices for rate in piece.rates.values()) == pytest.approx(len(times))
    assert all(after.at - before.at == pytest.approx(width) for before, after in pairwise(slices))


def test_the_picture_names_its_panels_and_providers_and_is_the_same_when_made_again(tmp_path: Path) -> None:
    made = timeline(
        *(result(n / 10, n / 10 + 0.3, f"p{n % 2}", f"b{n}", 1 + n % 2 * 999) for n in range(100)),
    )
    draw(tmp_path / "first.svg", made)
    draw(tmp_path / "second.svg", made)
    text = (tmp_path / "first.svg").read_text()
    for words in ("100 messages", "Throughput", "Fill", "Latency", ">p0<", ">p1<"):
        assert words in text
    assert text == (tmp_path / "second.svg").read_text()
    assert len(text) < 100_000
