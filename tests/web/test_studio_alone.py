"""`sms-connector studio` (docs/studio.md): one process on this machine, which saves in its folder and nowhere else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.workbench.test_studio import DEFINITION

PATIENCE = 60


@contextmanager
def studio(*arguments: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the other lines that it says."""
    command = [sys.executable, "-m", "connector", "studio", "--port", "0", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().strip() for _ in range(2)]
        yield lines[0].removeprefix("Studio").strip(), lines
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        process.stdout.close()


def asked(address: str, path: str) -> object:
    base = address.rpartition("/studio")[0]
    with urllib.request.urlopen(base + path, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


def test_it_opens_the_definitions_of_a_folder_and_saves_there(tmp_path: Path) -> None:
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "acme.yaml").write_text(DEFINITION)
    with studio("providers/", folder=tmp_path) as (address, lines):
        assert lines[1].startswith("saves in providers/")
        assert asked(address, "/api/studio/definitions") == [{"name": "acme", "writable": True}]
        facts = asked(address, "/api/studio")
        assert isinstance(facts, dict)
        assert (facts["saves"], facts["test_numbers"]) == (True, [])
        me = asked(address, "/api/me")
        assert isinstance(me, dict)
        assert (me["role"], me["pages"]) == ("editor", ["studio"])


def test_without_files_and_read_only_it_saves_nothing(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(DEFINITION)
    with studio(folder=tmp_path) as (address, lines):
        assert lines[1].startswith("nothing is saved")
        assert asked(address, "/api/studio/definitions") == []
    with studio("acme.yaml", "--read-only", folder=tmp_path) as (address, _):
        assert address.endswith("/studio?open=acme")
        assert asked(address, "/api/studio/definitions") == [{"name": "acme", "writable": False}]


@pytest.mark.parametrize("given", [("nowhere.yaml",), ("a/one.yaml", "b/two.yaml")])
def test_what_cannot_be_opened_is_said(given: tuple[str, ...], tmp_path: Path) -> None:
    for name in given[: len(given) // 2 * 2]:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(DEFINITION)
    command = [sys.executable, "-m", "connector", "studio", *given]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "definition" in ended.stderr or "files of one folder" in ended.stderr
