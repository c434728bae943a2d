"""The log: bounded memory, everything in the file."""

from __future__ import annotations

from pathlib import Path

from connector.tools.simulator.log import SeenRequests


def add(log: SeenRequests, n: int) -> None:
    record = {"to": f"+91981{n:07d}"}
    log.add("json", time=1.0, path="/json/send", status=200, fault=None, taken=[record], refused=[], values={})


def test_memory_is_bounded_in_bytes_and_the_file_keeps_everything(tmp_path: Path) -> None:
    log = SeenRequests(tmp_path / "log.jsonl", memory_bytes=2000)
    for n in range(100):
        add(log, n)
    kept = list(log.entries())
    assert len(log.lines()) <= 2000
    assert log.forgotten == 100 - len(kept)
    assert kept[-1]["n"] == 100
    assert log.counters["json"] == {"requests": 100, "taken": 100, "refused": 0, "status 200": 100}
    log.close()
    assert len((tmp_path / "log.jsonl").read_bytes().splitlines()) == 100


def test_entries_of_one_provider(tmp_path: Path) -> None:
    log = SeenRequests()
    add(log, 1)
    assert list(log.entries("single")) == []
    assert [entry["taken"] for entry in log.entries("json")] == [[{"to": "+919810000001"}]]
