"""Child processes that end with the test run, also when the run is killed.

A guard process holds the reading end of a pipe whose writing end only the test run has. When the run is gone, however
it ended, the pipe closes and the guard kills every process it was told of. (PDEATHSIG would be shorter, but follows the
*thread* that started the child, and exists on Linux only.)
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

_guard: subprocess.Popen[str] | None = None


def spawn(
    command: list[str], output: Path | None, *, env: dict[str, str] | None = None, pass_fds: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    """Start `command` with stdout and stderr appended to `output`, or to ours; it never outlives this process."""
    with contextlib.ExitStack() as opened:
        file = None if output is None else opened.enter_context(output.open("ab"))
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file and subprocess.STDOUT,
            env=env,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    _tell(f"watch {process.pid}")
    return process


def end(process: subprocess.Popen[bytes], *, within: float = 0.0) -> int:
    """Ask `process` to stop, kill it when it has not after `within` seconds; returns its exit code. Safe to repeat."""
    if process.poll() is None:
        if within > 0:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(within)
        process.kill()  # does nothing to a process that was waited for
    code = process.wait()
    _tell(f"forget {process.pid}")
    return code


def _tell(line: str) -> None:
    pipe = _pipe()
    pipe.write(line + "\n")
    pipe.flush()


def _pipe() -> IO[str]:
    global _guard  # noqa: PLW0603  one guard for the whole run
    if _guard is None:
        _guard = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, text=True, start_new_session=True, cwd="/"
        )
        atexit.register(_close)
    assert _guard.stdin is not None
    return _guard.stdin


def _close() -> None:
    if _guard is not None and _guard.stdin is not None:
        _guard.stdin.close()
        _guard.wait()


def watch() -> None:
    """The guard itself: learn process ids from standard input; when it closes, kill what is left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    left: set[int] = set()
    for line in sys.stdin:
        verb, _, pid = line.partition(" ")
        (left.add if verb == "watch" else left.discard)(int(pid))
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    watch()
