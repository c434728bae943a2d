"""Child processes that never outlive the demo, however it ends."""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from connector.safe_path import isolated

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LOG_TAIL_LINES = 15


def _prepare() -> Callable[[], None] | None:
    """What a child does before it starts, on Linux: ask to be killed when the demo is (kill -9 runs no `finally`)."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """One process in a session of its own, with its output in a file.

    Attributes:
        name: for messages.
        log: its standard error, and standard output unless that is a pipe.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, folder: Path, environ: Mapping[str, str], pipe: bool = False
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which stops its children in order.
            self.process = subprocess.Popen(  # noqa: S603  our own interpreter and command
                command,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipe else log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_prepare(),  # noqa: PLW1509  the demo has no threads yet, and the call allocates nothing
            )

    def first_line(self) -> str:
        """What it prints first; empty where it ends without a word."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()

    @property
    def exit_code(self) -> int | None:
        return self.process.poll()

    def tail(self) -> str:
        """The last lines it wrote, for the message that it failed."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        if self.process.poll() is None:
            self.process.terminate()

    def stop(self, patience: float) -> int:
        """SIGTERM, then after `patience` seconds SIGKILL to its whole group; returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=patience)
            except subprocess.TimeoutExpired:
                self._kill()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self.process.wait()

    def _kill(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it ended in this very moment
        self.process.wait()


class Children:
    """All of them; a context manager that stops the youngest first."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self._children: list[Child] = []

    def start(
        self, name: str, command: Sequence[str], *, environ: Mapping[str, str] | None = None, pipe: bool = False
    ) -> Child:
        """Start `python -m connector COMMAND…`, with its own environment if it needs one."""
        line = [sys.executable, *isolated(), "-m", "connector", *command]
        child = Child(name, line, folder=self._folder, environ=environ or self._environ, pipe=pipe)
        self._children.append(child)
        return child

    def stop(self, patience: float = 2.0) -> None:
        for child in self._children:  # all at once: nobody waits for each of them after Ctrl-C
            child.ask_to_stop()
        while self._children:
            self._children.pop().stop(patience)

    def __enter__(self) -> Self:
        atexit.register(self.stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        atexit.unregister(self.stop)
