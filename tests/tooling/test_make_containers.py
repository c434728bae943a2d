"""`make containers` where there can be no engine, and everybody else, who must not start one."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.containers import __main__ as containers
from tests.containers import roots, sandbox
from tests.kafka.jars import JarsUnavailableError

ROOT = Path(__file__).parents[2]


def no_maven(_: str) -> Path:
    raise JarsUnavailableError("no `mvn` on the path")


def refuse(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], 1, "", "unshare: Operation not permitted")


MISSING: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "another system": (lambda patch: patch.setattr(platform, "system", lambda: "Darwin"), "this is Darwin"),
    "another processor": (lambda patch: patch.setattr(platform, "machine", lambda: "aarch64"), "on aarch64"),
    "no root": (lambda patch: patch.setattr(os, "geteuid", lambda: 1000), "needs root"),
    "no tools": (lambda patch: patch.setattr(shutil, "which", lambda _: None), "slirp4netns"),
    "no namespaces": (lambda patch: patch.setattr(subprocess, "run", refuse), "Operation not permitted"),
    "no jars": (lambda patch: patch.setattr(roots, "jars", no_maven), "no `mvn` on the path"),
}


@pytest.mark.parametrize("what", MISSING)
def test_where_there_can_be_no_engine_it_says_why_in_one_line_and_ends_well(
    what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, "", ""))
    monkeypatch.setattr(roots, "jars", lambda _: ROOT)
    monkeypatch.setattr(roots, "make", lambda: pytest.fail("an engine was to be started"))
    change, reason = MISSING[what]
    change(monkeypatch)
    assert containers.main([]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("== containers: nothing was run, there can be no Docker engine here: ")
    assert reason in line


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_without_debians_packages_it_says_so_and_fails_where_ci_requires_it(
    ci: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away() -> roots.Roots:
        raise roots.UnavailableError("Debian's packages for engine cannot be had: E: no network")

    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(sandbox, "unavailable", lambda: "")
    monkeypatch.setattr(roots, "unavailable", lambda: "")
    monkeypatch.setattr(roots, "make", away)
    assert containers.main([]) == code
    assert "E: no network" in capsys.readouterr().err


def test_nobody_else_finds_a_test_in_it() -> None:
    """`make check` and `make test` collect the whole of tests/."""
    environment = {name: value for name, value in os.environ.items() if name != sandbox.INSIDE}
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "tests/containers"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "no tests" in done.stdout) == (5, True), done.stdout
