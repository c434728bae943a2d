"""`requirements/venv` says in one line what a machine lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(tmp_path: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run the script where the only interpreter is this shell script."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "rm"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    fake = tools / "python3"
    fake.write_text(f"#!/bin/sh\n{python}\n")
    fake.chmod(0o755)
    return subprocess.run(
        ["sh", str(ROOT / "requirements" / "venv"), str(tmp_path / "made"), "nothing.lock"],
        env={"PATH": str(tools), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, '[ "$1" = --version ] && echo Python 3.9.2 && exit 0; exit 1')
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "3.11 to 3.14" in done.stderr
    assert "Python 3.9.2" in done.stderr


@pytest.mark.parametrize("missing", ["ensurepip"])
def test_a_python_without_venv_names_the_package_to_install(tmp_path: Path, missing: str) -> None:
    """Debian and Ubuntu package venv apart."""
    done = run(tmp_path, f'case "$2" in *{missing}*) exit 1;; *version_info\\[:2\\]*) echo 3.12;; esac; exit 0')
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "apt install python3.12-venv" in done.stderr
    assert not (tmp_path / "made").exists()
