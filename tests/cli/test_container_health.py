"""The image's health check: which process of a container is asked, and where."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from connector.cli.container_health import address, command_line, main

SCRIPT = ["/opt/venv/bin/python", "-P", "/opt/venv/bin/sms-connector"]
INIT = ["/sbin/docker-init", "--", "sms-connector", "simulate", "--port", "1"]


def processes(folder: Path, *lines: list[str]) -> Path:
    """A folder like /proc with these processes, numbered from 1."""
    for number, words in enumerate(lines, 1):
        (folder / str(number)).mkdir()
        (folder / str(number) / "cmdline").write_bytes("".join(f"{word}\0" for word in words).encode())
    (folder / "self").mkdir()
    return folder


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([[*SCRIPT, "run", "--config", "c.yaml"]], ["run", "--config", "c.yaml"]),
        ([INIT, [*SCRIPT, "simulate", "--port", "1"]], ["simulate", "--port", "1"]),
        ([["sh", "-c", "exec"], [*SCRIPT, "topics", "create"]], ["topics", "create"]),
        ([[*SCRIPT, "run"], [*SCRIPT, "lag"]], ["run"]),  # the container's own, not one that an operator started in it
        ([[*SCRIPT]], []),
    ],
)
def test_the_oldest_connector_of_the_container_is_the_one(
    tmp_path: Path, lines: list[list[str]], expected: list[str]
) -> None:
    assert command_line(processes(tmp_path, *lines)) == expected


def test_a_container_without_a_connector_is_not_healthy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(processes(tmp_path, ["sh"])) == 1
    assert "no sms-connector runs in this container" in capsys.readouterr().err


SETTINGS = {
    "default": ("", "http://127.0.0.1:8080/health/live"),
    "everywhere": ("health: {host: 0.0.0.0, port: 9000}", "http://127.0.0.1:9000/health/live"),
    "everywhere, version 6": ("health: {host: '::'}", "http://[::1]:8080/health/live"),
    "one address": ("health: {host: 10.0.0.7}", "http://10.0.0.7:8080/health/live"),
    "none": ("health: {port: null}", None),
    "any": ("health: {port: 0}", None),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_worker_is_asked_where_its_settings_say(tmp_path: Path, name: str) -> None:
    text, expected = SETTINGS[name]
    file = tmp_path / "connector.yaml"
    file.write_text(text or "{}")
    assert address(["run", "--config", str(file)]) == expected


def test_options_and_environment_of_the_worker_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMS_CONNECTOR_HEALTH__PORT", "9001")
    assert address(["run"]) == "http://127.0.0.1:9001/health/live"
    assert address(["run", "--workers", "4", "--set", "health.port=9002"]) == "http://127.0.0.1:9002/health/live"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["simulate"], "http://127.0.0.1:8025/_stats"),
        (["receive", "--set", "health.port=9"], "http://127.0.0.1:9/health/live"),
        (["receive", "urls"], None),
        (["receipts", "run", "--set", "health.port=9"], "http://127.0.0.1:9/health/live"),
        (["receipts", "summary", "--campaign", "c"], None),
        (["simulate", "--host", "0.0.0.0", "--port", "9"], "http://127.0.0.1:9/_stats"),
        (["simulate", "--port", "0"], None),
        (["topics", "create"], None),
        (["send", "--wait"], None),
        (["--help"], None),
        ([], None),
    ],
)
def test_other_commands_are_asked_where_they_serve_or_not_at_all(arguments: list[str], expected: str | None) -> None:
    assert address(arguments) == expected


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_stats" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("command", "code"), [("simulate", 0), ("run", 1)])
def test_what_the_page_answers_is_the_verdict_and_no_proxy_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int, command: str, code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    option = ["--port", str(port)] if command == "simulate" else ["--set", f"health.port={port}"]
    folder = tmp_path / "proc"
    folder.mkdir()
    assert main(processes(folder, [*SCRIPT, command, *option])) == code


@pytest.mark.parametrize(
    "arguments", [["simulate", "--port", "x"], ["run", "--set", "nope=1"], ["run", "--config", "-"]]
)
def test_what_cannot_be_asked_is_not_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "proc"
    folder.mkdir()
    assert main(processes(folder, [*SCRIPT, *arguments])) == 1
    assert capsys.readouterr().err
