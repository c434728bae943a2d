"""The launcher's seams are where it expects them, and its fuse ends the process at the right moment."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.crash import launch, seams
from tests.crash.mutations import CHECKS, MUTATIONS
from tests.crash.points import POINTS
from tests.crash.scenarios import SCENARIOS

REPOSITORY = Path(__file__).parents[2]


def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(("-c", code) if code else ("-m", "tests.crash.launch")), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def test_every_point_and_every_mutation_finds_its_seam_and_the_command_still_runs() -> None:
    points = [f"--die-at={name}" for name in POINTS]
    mutations = [f"--mutate={name}" for name in MUTATIONS]
    done = run(
        *points,
        *mutations,
        "--refuse-commits",
        "--refuse-reads",
        "--hold-results=1",
        "--measure-replies=x",
        "--clock=jumps",
        "run",
        "--help",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: sms-connector run")


def test_a_seam_that_has_moved_is_an_error_and_not_a_fault_less() -> None:
    with pytest.raises(AssertionError, match="has no elsewhere any more"):
        seams.replace(seams.Fuse, "elsewhere", None)


class Seams:
    """Members of each kind."""

    def plain(self, one: int, two: int = 0, *, three: int = 0) -> None:
        """A function."""

    async def waited(self, one: int) -> None:
        """An async one."""

    @property
    def shown(self) -> int:
        """A property."""
        return 1


async def _awaited(_self: Seams, _one: int) -> None:
    pass


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("plain", lambda _self, _one: None, "is called in another way"),
        ("plain", lambda _self, _one, _two: None, "is called in another way"),
        ("plain", lambda _self, _one, _two, **_: None, "is called in another way"),
        ("plain", _awaited, "is a function, not an async function"),
        ("waited", lambda *_: None, "is an async function, not a function"),
        ("shown", lambda _self: 1, "is a property, not a function"),
    ],
)
def test_what_is_put_in_place_of_a_member_is_called_as_it_was(name: str, value: object, told: str) -> None:
    """Else a mutation would fail by itself, and that would be noticed."""
    with pytest.raises(AssertionError, match=told):
        seams.replace(Seams, name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plain", lambda _self, _one, two=0, *, three=0: None),
        ("plain", lambda *_, **__: None),
        ("waited", _awaited),
        ("shown", property(lambda _self: 2)),
    ],
)
def test_what_is_called_as_the_member_is_put_in_its_place(
    name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Seams, name, getattr(Seams, name))  # restored afterwards
    seams.replace(Seams, name, value)


def test_a_fuse_kills_its_process_when_it_is_reached_for_the_nth_time_and_says_when(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    code = f"""
import pathlib
from tests.crash.seams import Fuse
fuse = Fuse("after-send", 3, pathlib.Path({str(marks)!r}))
for _ in range(5):
    print("reached", flush=True)
    fuse()
"""
    done = run(code=code)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.splitlines() == ["reached"] * 3
    [mark] = [orjson.loads(line) for line in marks.read_bytes().splitlines()]
    assert mark["point"] == "after-send"


def test_a_point_is_written_with_its_count() -> None:
    assert launch.parse_fuse("after-send:3") == ("after-send", 3)
    assert launch.parse_fuse("in-revoke") == ("in-revoke", 1)
    for wrong in ("nowhere:1", "after-send:0", "after-send:x"):
        with pytest.raises(argparse.ArgumentTypeError):
            launch.parse_fuse(wrong)


def test_every_mutation_has_a_check_and_every_check_a_scenario() -> None:
    assert {check.mutation for check in CHECKS} == set(MUTATIONS)
    assert {check.scenario for check in CHECKS} <= set(SCENARIOS)
