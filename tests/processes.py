"""`python -m connector …` as real processes: started, signalled, waited for, and always ended."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests import guard, marked
from tests.waiting import wait_until


class ConnectorProcess:
    """One run of the command line; stdout and stderr go to one file. `module` is what `python -m` starts; a `command`
    is started in its place.
    """

    def __init__(
        self,
        output: Path,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        module: str = "connector",
        command: Sequence[str] = (),
    ) -> None:
        self.path = output
        self._arguments = arguments
        started = [*(command or (sys.executable, "-m", module)), *arguments]
        self._process = guard.spawn(started, output, env={**_environment(output), **(env or {})})

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """Everything written so far."""
        return self.path.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Signal the process (not its children)."""
        self._process.send_signal(number)

    def terminate(self) -> None:
        self.send(signal.SIGTERM)

    def pause(self) -> None:
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        guard.end(self._process)

    def wait(self, within: float = 60.0) -> int:
        """The exit code; fails with the end of the output when it goes on for longer than `within` seconds."""
        wait_until(lambda: not self.running, f"pid {self.pid} to end\n{self._end()}", within=within)
        return guard.end(self._process)

    def stop(self, within: float = 60.0) -> int:
        """SIGTERM, and the exit code."""
        self.terminate()
        return self.wait(within)

    def wait_for(self, text: str, within: float = 30.0) -> None:
        """Return when the output contains `text`; a process that ended first fails with its output's end."""

        def said() -> bool:
            if text in self.output:
                return True
            assert self.running, f"ended with {self._process.returncode} before saying {text!r}\n{self._end()}"
            return False

        wait_until(said, f"the output to contain {text!r}", within=within)

    def leaks(self) -> list[str]:
        """What it has shown and must not: secrets, and a worker's recipients and texts. Fakes may show anything."""
        if "simulate" in self._arguments:
            return []
        search = marked.private_in if "run" in self._arguments else marked.secrets_in
        return [f"{self.path.name}: {hit}" for hit in search(self.output)]

    def _end(self) -> str:
        return "\n".join(self.output.splitlines()[-30:])


StartConnector = Callable[..., ConnectorProcess]


@pytest.fixture
def start_connector(tmp_path: Path) -> Iterator[StartConnector]:
    """Start a command: `start_connector("run", "--config", str(file), name="w0", env={…})`."""
    started: list[ConnectorProcess] = []

    def start(
        *arguments: str, name: str = "", env: Mapping[str, str] | None = None, module: str = "connector"
    ) -> ConnectorProcess:
        output = tmp_path / f"{name or f'connector-{len(started)}'}.out"
        process = ConnectorProcess(output, *arguments, env=env, module=module)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
    leaks = [leak for process in started for leak in process.leaks()]
    assert not leaks, leaks


def _environment(output: Path) -> dict[str, str]:
    """This run's environment without what would configure a connector by chance. What a killed process leaves in its
    temporary folder goes with the test's own.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SMS_")}
    return {**kept, "PYTHONUNBUFFERED": "1", "PROVIDER_PASSWORD": marked.PASSWORD, "TMPDIR": str(output.parent)}
