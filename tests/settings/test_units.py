"""Durations and sizes are read exactly and written back as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config_text.units import UnitError, duration, format_duration, format_size, size


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("5s", 5.0), ("1.5m", 90.0), ("24h", 86400.0), ("7d", 604800.0), ("0s", 0.0)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["5", "5 s", "-5s", "s", "5S", "1h30m", "5sec", "", "∞s", "٣s"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(UnitError, match="not a duration"):
        duration(text)


@pytest.mark.parametrize(("text", "count"), [("512B", 512), ("64KiB", 65536), ("1.5MiB", 1572864), ("1GiB", 1 << 30)])
def test_a_size_is_a_number_and_a_binary_unit(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["64", "64MB", "64 MiB", "64mib", "-1B"])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(UnitError, match="not a size"):
        size(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_what_is_written_reads_back_the_same(count: int) -> None:
    assert size(format_size(count)) == count
    assert duration(format_duration(count / 1000)) == pytest.approx(count / 1000)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(86400.0, "24h"), (90.0, "90s"), (60.0, "1m"), (0.25, "250ms"), (0.0, "0s"), (1.001, "1001ms")],
)
def test_a_duration_is_written_in_its_largest_whole_unit(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
