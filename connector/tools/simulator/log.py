"""The simulator's own record of what reached it and of what it called: the witness an audit believes, never the
connector's counters.

One JSON line per request, appended to a file and, within a bound of bytes, kept in memory:
`{"n", "time", "provider", "path", "status", "fault", "count", "taken": [record…], "refused": [record…], "values"}`.
`status` is null where the connection was closed without an answer. Records: see `call.LogEntry`.

One JSON line per attempt at a callback, likewise:
`{"n", "time", "provider", "kind", "method", "url", "attempt", "status", "error", "outcome", "forged", "news": [{"to",
"id", "ref", "state", "sequence", "part", "at"}…]}`. `outcome`: `taken` (acknowledged: it must not be lost), `again`,
`discarded` (the answer said no for good), `given up`, `not called` (see `error`).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import orjson

MEMORY_BYTES = 32 * 1024 * 1024  # some 300,000 records of a plain batch; the file holds everything


class LineLog:
    """Appends and counts; memory is bounded whatever is pushed through the simulator.

    Attributes:
        file: where the lines go as well; None for memory only.
        forgotten: lines no longer in memory.
        counters: per provider.
    """

    def __init__(self, file: Path | None = None, memory_bytes: int = MEMORY_BYTES) -> None:
        self.file = file
        self.forgotten = 0
        self.counters: dict[str, Counter[str]] = {}
        self._bound = memory_bytes
        self._bytes = 0
        self._lines: deque[tuple[str, bytes]] = deque()
        self._n = 0
        # Unbuffered: one write per line, whole lines, and nothing is lost when the simulator is killed.
        self._out: FileIO | None = FileIO(file, "a") if file else None

    def write(self, provider: str, fields: dict[str, Any]) -> Counter[str]:
        """Write one line down, numbered; returns the provider's counter."""
        self._n += 1
        line = orjson.dumps({"n": self._n, **fields}, option=orjson.OPT_APPEND_NEWLINE)
        if self._out is not None:
            self._out.write(line)
        self._lines.append((provider, line))
        self._bytes += len(line)
        while self._bytes > self._bound:
            self._bytes -= len(self._lines.popleft()[1])
            self.forgotten += 1
        return self.counters.setdefault(provider, Counter())

    def lines(self, provider: str | None = None) -> bytes:
        """The JSON lines still in memory, oldest first."""
        return b"".join(line for name, line in self._lines if provider in {None, name})

    def entries(self, provider: str | None = None) -> Iterator[dict[str, Any]]:
        """What is still in memory, oldest first."""
        for name, line in self._lines:
            if provider in {None, name}:
                yield orjson.loads(line)

    def clear(self) -> None:
        """Forget what is in memory and the counters; the file is kept."""
        self._lines.clear()
        self._bytes = 0
        self.counters.clear()

    def close(self) -> None:
        if self._out is not None:
            self._out.close()


class SeenRequests(LineLog):
    """What reached the fakes. Counters: requests, taken, refused, `status N`, `fault NAME`."""

    def add(
        self,
        provider: str,
        *,
        time: float,
        path: str,
        status: int | None,
        fault: str | None,
        taken: list[dict[str, Any]],
        refused: list[dict[str, Any]],
        values: dict[str, Any],
    ) -> None:
        """Write one request down. `time`: arrival, seconds since the epoch."""
        fields = {
            "time": time,
            "provider": provider,
            "path": path,
            "status": status,
            "fault": fault,
            "count": len(taken) + len(refused),
            "taken": taken,
            "refused": refused,
            "values": values,
        }
        counter = self.write(provider, fields)
        counter["requests"] += 1
        counter["taken"] += len(taken)
        counter["refused"] += len(refused)
        counter[f"status {status}" if status else "no answer"] += 1
        if fault:
            counter[f"fault {fault}"] += 1


class SentCallbacks(LineLog):
    """What the fakes called, attempt by attempt. Counters: attempts, `status N`, one per outcome."""

    def add(
        self,
        provider: str,
        *,
        time: float,
        kind: str,
        method: str,
        url: str,
        attempt: int,
        status: int | None,
        error: str | None,
        outcome: str,
        forged: bool,
        news: list[dict[str, Any]],
    ) -> None:
        """Write one attempt down. `time`: when it began, seconds since the epoch."""
        fields = {
            "time": time,
            "provider": provider,
            "kind": kind,
            "method": method,
            "url": url,
            "attempt": attempt,
            "status": status,
            "error": error,
            "outcome": outcome,
            "forged": forged,
            "news": news,
        }
        counter = self.write(provider, fields)
        counter["attempts"] += 1
        counter[f"status {status}" if status else "no answer"] += 1
        counter[outcome] += len(news)
