"""Curves in memory: what is shown of the past, and what a rate came to."""

from __future__ import annotations

import math

import pytest

from connector.web import curves as room
from connector.web.curves import COARSE_SECONDS, FINE_POINTS, FINE_SECONDS, Curves, step_of

BEGIN = 1_700_000_040.0  # a whole minute


def filled(seconds: int, rate: float = 2.0) -> Curves:
    curves = Curves()
    for at in range(0, seconds, FINE_SECONDS):
        curves.add(BEGIN + at, "results", rate, provider="a", status="accepted")
    return curves


def test_a_curve_begins_with_the_console_and_what_was_before_is_not_known() -> None:
    curves = filled(60)
    (found,) = curves.select(["results"], "provider", BEGIN - 60, BEGIN + 60, 20)
    assert found.values == [None, None, None, 2.0, 2.0, 2.0]
    assert curves.began == BEGIN


def test_a_gap_stays_a_gap() -> None:
    curves = filled(20)
    curves.add(BEGIN + 40, "results", 4.0, provider="a", status="accepted")
    (found,) = curves.select(["results"], "", BEGIN, BEGIN + 45, 5)
    assert found.values == [2.0, 2.0, 2.0, 2.0, None, None, None, None, 4.0]


def test_curves_are_added_up_over_all_labels_but_one() -> None:
    curves = Curves()
    for provider, status, rate in [("a", "accepted", 1.0), ("a", "rejected", 2.0), ("b", "accepted", 4.0)]:
        curves.add(BEGIN, "results", rate, provider=provider, status=status)
    curves.add(BEGIN, "results", 7.0, worker="w1")

    def by(label: str) -> dict[str, float | None]:
        return {it.labels.get(label, ""): it.values[0] for it in curves.select(["results"], label, BEGIN, BEGIN + 5, 5)}

    assert by("provider") == {"a": 3.0, "b": 4.0}
    assert by("status") == {"accepted": 5.0, "rejected": 2.0}
    assert by("") == {"": 7.0}
    assert by("worker") == {"w1": 7.0}


@pytest.mark.parametrize("hours", [1, 3])
def test_what_a_rate_came_to_is_known_after_two_hours_as_well(hours: int) -> None:
    curves = filled(hours * 3600)
    end = BEGIN + hours * 3600
    of_a = ("a", "accepted")
    assert curves.amounts("results", end - 3600, end) == {of_a: pytest.approx(7200, rel=0.01)}
    assert curves.amounts("results", BEGIN - 9000, end) == {of_a: pytest.approx(hours * 7200, rel=0.01)}
    assert curves.amounts("others", end - 3600, end) == {}


def test_two_days_are_kept_at_a_minute_and_older_values_are_gone() -> None:
    curves = filled(FINE_POINTS * FINE_SECONDS * 2)
    end = BEGIN + FINE_POINTS * FINE_SECONDS * 2
    (fine,) = curves.select(["results"], "", BEGIN, BEGIN + 60, FINE_SECONDS)
    assert set(fine.values) == {None}
    (coarse,) = curves.select(["results"], "", BEGIN, end, COARSE_SECONDS)
    assert set(coarse.values) == {2.0}


def test_curves_are_bounded_and_those_that_are_there_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_CURVES", 2)
    curves = Curves()
    for at in (0, 5):
        for provider in "abc":
            curves.add(BEGIN + at, "results", 1.0, provider=provider)
    found = curves.select(["results"], "provider", BEGIN, BEGIN + 10, 5)
    assert [(it.labels["provider"], it.values) for it in found] == [("a", [1.0, 1.0]), ("b", [1.0, 1.0])]
    for provider in "bc":
        curves.add(BEGIN + 2 * 3600, "results", 1.0, provider=provider)
    found = curves.select(["results"], "provider", BEGIN + 7200, BEGIN + 7205, 5)
    assert [it.labels["provider"] for it in found] == ["b", "c"]


@pytest.mark.parametrize(("seconds", "step"), [(900, 5), (3600, 10), (7200, 20), (21_600, 60), (172_800, 480)])
def test_a_chart_has_no_more_points_than_a_screen_shows(seconds: int, step: int) -> None:
    assert step_of(seconds) == step
    assert seconds / step <= 720
    assert not math.isnan(step)
