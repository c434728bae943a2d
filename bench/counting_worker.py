"""A worker that counts its requests to the brokers: `python -m bench.counting_worker run …`, for `bench.many`.

Each second of wall time and kind is a line of JSON in the file that BENCH_COUNTS names, written when the process ends
in order and on SIGRTMIN.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
from aiokafka.conn import AIOKafkaConnection

from connector.cli.main import main

COUNT = signal.SIGRTMIN

_counts: Counter[tuple[int, str]] = Counter()
_send = AIOKafkaConnection.send


def _counted(self: AIOKafkaConnection, request: Any, *arguments: Any, **options: Any) -> Any:
    _counts[int(time.time()), type(request).__name__.removesuffix("Request")] += 1
    return _send(self, request, *arguments, **options)


def _write(*_: object) -> None:
    lines = [orjson.dumps([second, kind, count]) for (second, kind), count in sorted(_counts.items())]
    file = Path(os.environ["BENCH_COUNTS"])
    written = file.with_suffix(".new")
    written.write_bytes(b"\n".join(lines) + b"\n")
    written.replace(file)


if __name__ == "__main__":
    AIOKafkaConnection.send = _counted
    atexit.register(_write)
    signal.signal(COUNT, _write)
    sys.exit(main())
