"""`--plot` says what it lacks before the work that is to be seen on the picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli import plot
from connector.cli.main import group
from connector.errors import UsageError


@pytest.mark.parametrize(
    ("file", "said"),
    [("demo.txt", r"end the name with \.svg, \.png, \.pdf"), ("nowhere/demo.svg", "no folder .*nowhere; make it")],
)
def test_a_picture_that_could_not_be_written_is_refused(tmp_path: Path, file: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plot.ready(tmp_path / file)


def test_without_the_library_the_demo_says_how_to_get_it_and_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot, "find_spec", lambda _: None)
    ran = CliRunner().invoke(group, ["demo", "--plot", "demo.svg"], standalone_mode=False)
    assert isinstance(ran.exception, UsageError)
    assert "pip install 'kafka-sms-connector[plot]'" in str(ran.exception)


def test_the_library_is_imported_only_to_draw() -> None:
    code = "import sys, connector.cli.plot, connector.cli.demo.picture; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(("value", "label"), [(0, "0"), (0.5, "0.5"), (999, "999"), (8000, "8,000"), (12_500, "12.5k")])
def test_numbers_are_short(value: float, label: str) -> None:
    assert plot.thousands(value) == label
