"""What figures depend on: the machine, the versions, and how fast both are while something is measured."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import orjson

from bench.events import event
from connector.model import Message

PACKAGES = ("faust-streaming", "aiokafka", "aiohttp", "msgspec", "orjson")
ROUND = 2_000

_decode = msgspec.json.Decoder(Message).decode
_EVENT = orjson.dumps(event(5))


def calibrate() -> float:
    """Microseconds of CPU that decoding one event takes just now: the unit figures of different hours share."""
    before = time.process_time()
    for _ in range(ROUND):
        _decode(_EVENT)
    return (time.process_time() - before) / ROUND * 1e6


def about() -> dict[str, Any]:
    """The machine, for the head of a report."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "commit": _commit(),
        "at": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str:
    """Which is measured; a changed document does not make it another one."""
    commit = _git("describe", "--always").stdout.strip()
    changed = _git("diff", "--quiet", "HEAD", "--", "connector", "bench").returncode
    return (commit + "-dirty" if changed else commit) or "unknown"


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
