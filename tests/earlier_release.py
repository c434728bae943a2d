"""The code of connector 0.1.0, out of this repository's history."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.kafka.find import required

REPOSITORY = Path(__file__).parents[1]
RELEASE = "83b9889e403dfb38eaad818a6af17a8891d01cb3"
"""0.1.0."""


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The folder it stands in: with it in PYTHONPATH, `python -m connector` is that release."""
    known = ["git", "cat-file", "-e", f"{RELEASE}^{{commit}}"]
    found = subprocess.run(known, cwd=REPOSITORY, capture_output=True, check=False)
    if found.returncode:
        reason = f"0.1.0 ({RELEASE[:7]}) is not in this clone: fetch its history"
        if required():
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path / "release"
    folder.mkdir()
    archive = subprocess.run(["git", "archive", RELEASE], cwd=REPOSITORY, capture_output=True, check=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    return folder
