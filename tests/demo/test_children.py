"""Children of the demo never outlive it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from connector.cli.demo.children import Child, Children

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


def test_a_child_stops_when_asked_and_its_last_lines_can_be_read(tmp_path: Path) -> None:
    child = Child("sleep", SLEEP, folder=tmp_path, environ=os.environ, pipe=True)
    assert child.first_line() == "up"
    assert child.exit_code is None
    assert child.stop(10) == -15
    failed = Child("failed", [sys.executable, "-c", "raise SystemExit('no luck')"], folder=tmp_path, environ={})
    assert failed.process.wait(10) == 1
    assert failed.tail() == "no luck"


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    child = Child("deaf", [sys.executable, "-c", DEAF], folder=tmp_path, environ={}, pipe=True)
    child.first_line()
    assert child.stop(0.05) == -9


def test_leaving_the_block_stops_all_of_them(tmp_path: Path) -> None:
    with Children(tmp_path, os.environ) as children:
        child = children.start("simulator", ["simulate", "--port", "0", "--json"], pipe=True)
        assert "127.0.0.1" in child.first_line()
    assert child.exit_code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel to kill the child, which only Linux does")
def test_a_child_dies_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, signal, sys\n"
        "from connector.cli.demo.children import Child\n"
        f"c = Child('sleep', {SLEEP!r}, folder=pathlib.Path({str(tmp_path)!r}), environ=os.environ, pipe=True)\n"
        "c.first_line(); print(c.process.pid, flush=True); signal.pause()\n"
    )
    demo = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    child = psutil.Process(int(demo.stdout.readline()))
    demo.kill()
    demo.wait()
    demo.stdout.close()
    child.wait(timeout=10)
