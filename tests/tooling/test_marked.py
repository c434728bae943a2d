"""The search for what nothing may show finds it, in every form it is written in and wherever it comes from."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import click
import pytest
from click.testing import CliRunner

from tests import guard, marked
from tests.processes import ConnectorProcess

ROOT = Path(__file__).parents[2]
NUMBER = "+919812345678"


@pytest.mark.parametrize(
    "written",
    [
        f"password={marked.PASSWORD}",
        quote(f"p:{marked.PASSWORD}/x"),
        *(base64.b64encode(f"{user}:{marked.PASSWORD}".encode()).decode() for user in ("a", "ab", "abc")),
        base64.urlsafe_b64encode(marked.SECRET.encode()).decode(),
        "secret: demo-secret",
    ],
)
def test_a_secret_is_found_however_it_is_written(written: str) -> None:
    assert marked.secrets_in(f"line one\n{written}\n")


def test_numbers_and_texts_are_private_and_ids_are_not() -> None:
    assert marked.private_in(f'{{"to": "{NUMBER}"}}')
    assert marked.private_in(f"GET /send?to={NUMBER[1:]}&x")
    assert marked.private_in(f"hello {marked.TEXT}")
    harmless = "+**********78 1795377600.123 9151b9198123456789abcdef00112233 2026-03-02T12:00:00.919812345678Z m9198"
    assert marked.private_in(harmless) == []
    with pytest.raises(AssertionError, match="a page shows"):
        marked.page(f"<td>{NUMBER}</td>")


def record(topic: str, value: Any, **headers: bytes) -> Any:
    return SimpleNamespace(
        topic=topic, partition=0, offset=7, key=NUMBER.encode(), value=json.dumps(value).encode(), headers=headers
    )


@pytest.mark.parametrize(
    ("written", "leaks"),
    [
        (record("results", {"to": NUMBER, "reason": "queued"}), False),
        (record("results", {"to": NUMBER, "reason": f"no route to {NUMBER}"}), True),
        (record("results", {"to": NUMBER, "reason": marked.TEXT}), True),
        (record("journal", {"sent": [1]}), False),
        (record("journal", {"sent": [1], "body": marked.TEXT}), True),
        (record("dead", {"to": NUMBER, "body": marked.TEXT}), False),  # raw events
        (record("dead", {"to": NUMBER}, why=NUMBER.encode()), True),
        (record("dead", {"to": NUMBER, "password": marked.PASSWORD}), True),
    ],
)
def test_topics_hold_what_they_are_for_and_nothing_else(written: Any, leaks: bool) -> None:
    assert bool(marked.in_topics([written], results="results", journals=["journal"])) is leaks


@pytest.mark.parametrize(("command", "leaks"), [("run", 2), ("check", 1), ("simulate", 0)])
def test_the_output_of_a_process_is_searched_as_its_command_asks(tmp_path: Path, command: str, leaks: int) -> None:
    """Fakes are the outside; commands that print data show recipients, a worker does not."""
    (tmp_path / "tell.py").write_text(f"print({marked.PASSWORD!r}); print({NUMBER!r})")
    process = ConnectorProcess(tmp_path / "out", command, module="tell", env={"PYTHONPATH": str(tmp_path)})
    process.wait()
    guard.end(process._process)
    assert len(process.leaks()) == leaks, process.output


def test_a_command_that_shows_a_secret_fails_its_test() -> None:
    @click.command()
    def tell() -> None:
        click.echo(marked.PASSWORD)

    with pytest.raises(AssertionError, match="a command shows"):
        CliRunner().invoke(tell)


@pytest.mark.parametrize(
    "where", ["print(PASSWORD)", "logging.warning(PASSWORD)", "structlog.get_logger().debug(PASSWORD)"]
)
def test_a_unit_test_that_logs_a_secret_fails(tmp_path: Path, where: str) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(f"import logging, structlog\nfrom tests.marked import PASSWORD\ndef test_it():\n    {where}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.marked", "-c", "/dev/null", str(file)]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    assert "a secret is shown" in done.stdout
