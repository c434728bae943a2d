"""The simulator's own record of what reached it: the witness an audit believes, never the connector's counters.

One JSON line per request, appended to a file and, within a bound of bytes, kept in memory:
`{"n", "time", "provider", "path", "status", "fault", "count", "taken": [record…], "refused": [record…], "values"}`.
`status` is null where the connection was closed without an answer. Records: see `call.LogEntry`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import orjson

MEMORY_BYTES = 32 * 1024 * 1024  # some 300,000 records of a plain batch; the file holds everything


class SeenRequests:
    """Appends and counts; memory is bounded whatever is pushed through the simulator.

    Attributes:
        file: where the lines go as well; None for memory only.
        forgotten: lines no longer in memory.
        counters: per provider: requests, taken, refused, `status N`, `fault NAME`.
    """

    def __init__(self, file: Path | None = None, memory_bytes: int = MEMORY_BYTES) -> None:
        self.file = file
        self.forgotten = 0
        self.counters: dict[str, Counter[str]] = {}
        self._bound = memory_bytes
        self._bytes = 0
        self._lines: deque[tuple[str, bytes]] = deque()
        self._n = 0
        # Unbuffered: one write per request, whole lines, and nothing is lost when the simulator is killed.
        self._out: FileIO | None = FileIO(file, "a") if file else None

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
        self._n += 1
        line = orjson.dumps(
            {
                "n": self._n,
                "time": time,
                "provider": provider,
                "path": path,
                "status": status,
                "fault": fault,
                "count": len(taken) + len(refused),
                "taken": taken,
                "refused": refused,
                "values": values,
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        if self._out is not None:
            self._out.write(line)
        self._lines.append((provider, line))
        self._bytes += len(line)
        while self._bytes > self._bound:
            self._bytes -= len(self._lines.popleft()[1])
            self.forgotten += 1
        counter = self.counters.setdefault(provider, Counter())
        counter["requests"] += 1
        counter["taken"] += len(taken)
        counter["refused"] += len(refused)
        counter[f"status {status}" if status else "no answer"] += 1
        if fault:
            counter[f"fault {fault}"] += 1

    def lines(self, provider: str | None = None) -> bytes:
        """The JSON lines still in memory, oldest first."""
        return b"".join(line for name, line in self._lines if provider in {None, name})

    def entries(self, provider: str | None = None) -> Iterator[dict[str, Any]]:
        """The requests still in memory, oldest first."""
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
