"""The harness: where Prometheus comes from, how series are written, how rules are hurried."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.deploy.files import ALERTS, read_yaml
from tests.prometheus import binaries
from tests.prometheus.series import counter, during, gauge, notation
from tests.prometheus.server import hurried


def test_without_prometheus_and_without_apt_it_is_said_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(binaries, "CACHE", tmp_path)
    with pytest.raises(binaries.PrometheusUnavailableError, match=r"no `promtool` on the path, and no apt-get"):
        binaries.binaries.__wrapped__()


def test_a_package_that_cannot_be_fetched_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name in ("apt-get", "dpkg-deb") else None)
    monkeypatch.setattr(binaries, "CACHE", tmp_path)
    monkeypatch.setattr(binaries, "_apt", lambda *_: "E: no such package")
    with pytest.raises(binaries.PrometheusUnavailableError, match="no such package"):
        binaries.binaries.__wrapped__()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (gauge(3, 1), "1x3"),
        (gauge(3, 0, {2: 5}), "0x1 5x1"),
        (counter(3, 2), "0 2 4 6"),
        (counter(3, begins=5, bursts={2: 50_000}), "5x1 50005x1"),
        (counter(1, begins=1_234_567.5), "1234567.5x1"),
        (during(gauge(4, 1), 1, 3), "_x1 1x1 stale _x1"),
        (during(gauge(2, 1), 0, 2), "1x1 stale"),
    ],
)
def test_series_are_written_as_promtool_reads_them(values: list[float | None], written: str) -> None:
    assert notation(values) == written


def test_hurried_rules_are_the_same_but_for_their_times() -> None:
    before, after = read_yaml(ALERTS), hurried(read_yaml(ALERTS), 30)
    assert hurried(before, 1) != before  # written in milliseconds
    for old, new in zip(before["groups"][0]["rules"], after["groups"][0]["rules"], strict=True):
        assert new.keys() == old.keys()
        assert new.get("labels") == old.get("labels")
        times = r"\[\d+\w+\]|offset \d+\w+|time_seconds [<>] \d+|\d+ \* sms_connector:taken"
        assert re.sub(times, "", new["expr"]) == re.sub(times, "", old["expr"])
        for time in re.findall(times, old["expr"]):
            assert time not in new["expr"]
