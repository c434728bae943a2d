"""`sms-connector demo` from the outside: the whole way of the data, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from connector.cli.demo import LIVE_EVENTS, _finish, _plan
from connector.errors import UsageError

DEFINITION = """\
method: POST
url: https://api.acme.example/v1/send
auth: {oauth2: {url: https://login.acme.example/token, client_id: me, secret: "${ACME_SECRET}"}}
parameters:
  json: |
    {"sender": "ACME", "messages": [{"to": "$$To", "text": "$$Body"}]}
batching: {key: messages, records: 50}
"""


@pytest.fixture
def mark() -> Iterator[str]:
    """A variable in the environment of the demo and all it starts; whatever still has it at the end is killed."""
    value = uuid.uuid4().hex
    yield value
    for process in marked(value):
        process.kill()


def marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("DEMO_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def start(mark: str, *arguments: str, unwritable: Path | None = None) -> subprocess.Popen[bytes]:
    """The demo; with `unwritable` as a working directory and home that cannot be written."""
    module = ["connector"] if unwritable is None else ["tests.unwritable", str(unwritable)]
    command = [sys.executable, "-m", *module, "demo", *arguments]
    environ = {**os.environ, "DEMO_MARK": mark, "SMS_CONNECTOR_KAFKA__BOOTSTRAP__SERVERS": "nowhere.example:9092"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ)


def test_every_sample_event_has_one_result_and_was_at_the_provider_once(mark: str, tmp_path: Path) -> None:
    (folder := tmp_path / "folder").mkdir()
    demo = start(mark, "--events", "1200", "--json", "--plot", str(tmp_path / "demo.svg"), unwritable=folder)
    output, errors = demo.communicate()
    assert list(folder.iterdir()) == []
    assert demo.returncode == 0, errors.decode()
    report: dict[str, Any] = json.loads(output)
    assert report["audit"] == {
        "holds": True,
        "events": 1200,
        "results": 1200,
        "seen_by_simulator": 1200,
        "receipts": 1199,
        "findings": {},
    }
    assert sum(counts["delivered"] for counts in report["providers"].values()) == 1199
    assert report["results"] == {"accepted": 1199, "rejected": 1}
    assert set(report["providers"]) == {"json", "single", "pairs"}
    assert report["providers"]["json"]["mean_fill"] > 50
    assert [sample["to"][:4] for sample in report["samples"]] == ["+***"] * 3
    assert "1,200 messages" in (tmp_path / "demo.svg").read_text()
    assert marked(mark) == []


def test_a_users_definitions_and_events_are_rehearsed(mark: str, tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(DEFINITION)
    events = [
        {"message_id": f"m{n}", "provider": "acme", "to": f"+9198100{n:05d}", "body": "Grüße 🎉"} for n in range(60)
    ]
    lines = [json.dumps(event) for event in events] + ["no event"]
    (tmp_path / "events.jsonl").write_text("\n".join(lines))
    demo = start(mark, "--definitions", str(tmp_path), "--events", str(tmp_path / "events.jsonl"), "--json")
    output, errors = demo.communicate()
    assert demo.returncode == 0, errors.decode()
    report = json.loads(output)
    assert report["results"] == {"accepted": 60, "invalid": 1}
    assert report["audit"]["seen_by_simulator"] == 60
    assert b"the simulator stands in for https://api.acme.example, https://login.acme.example" in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_running_however_it_ends(mark: str, number: signal.Signals) -> None:
    demo = start(mark, "--events", "1000000")
    # The demo, its broker, its simulator, its receiver, what reads receipts, its worker.
    while len(started := marked(mark)) < 6:
        assert demo.poll() is None, demo.stderr.read() if demo.stderr else ""
    assert len(started) == 6
    demo.send_signal(number)
    demo.communicate()
    assert demo.returncode != 0
    _, alive = psutil.wait_procs(started, timeout=20)
    assert [process.cmdline() for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_the_exit_code_is_one_where_the_audit_fails_or_the_worker_did(capsys: pytest.CaptureFixture[str]) -> None:
    report: dict[str, Any] = {"results": {}, "messages_per_second": None, "samples": []}
    good = {"holds": True, "events": 1, "results": 1, "seen_by_simulator": 1, "findings": {}}
    finding = {"count": 2, "meaning": "events without a result", "examples": ["m1"]}
    bad = {**good, "holds": False, "findings": {"lost": finding}}
    assert _finish({**report, "audit": good}, [], as_json=False) == 0
    assert _finish({**report, "audit": good}, ["the worker ended"], as_json=False) == 1
    assert _finish({**report, "audit": bad}, [], as_json=False) == 1
    assert "2 events without a result, such as m1" in capsys.readouterr().out


def test_live_stops_at_ten_messages_unless_told_twice(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("{}\n" * 50)
    assert _plan(str(file), tmp_path, None, live=True, limit=LIVE_EVENTS).count == 10
    assert _plan(str(file), tmp_path, None, live=True, limit=30).count == 30
    assert _plan(str(file), tmp_path, None, live=False, limit=LIVE_EVENTS).count == 50


@pytest.mark.parametrize(
    ("events", "definitions", "live", "said"),
    [
        ("0", None, False, "1 or more"),
        ("10", Path(), False, "need --events FILE"),
        ("10", None, True, "need --events FILE"),
        ("events.jsonl", None, True, "needs --definitions"),
    ],
)
def test_options_that_do_not_fit_are_said(events: str, definitions: Path | None, live: bool, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        _plan(events, definitions, None, live=live, limit=10)
