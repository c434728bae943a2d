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
    done = run(*points, *mutations, "--refuse-commits", "--refuse-reads", "--hold-results=1", "run", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: sms-connector run")


def test_a_seam_that_has_moved_is_an_error_and_not_a_fault_less() -> None:
    with pytest.raises(AssertionError, match="has no elsewhere any more"):
        seams.replace(seams.Fuse, "elsewhere", None)


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
