"""One browser for a whole run, and scripts in it; where none can be had, one plain line says why."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.browser.programs import FOLDER, NoBrowserError, Programs, must_be_had, programs
from tests.integration.conftest import make_pipeline, pipeline

__all__ = ["make_pipeline", "pipeline"]

_REASON = pytest.StashKey[str]()
SCRIPT_SECONDS = 280.0
STOP_SECONDS = 10.0

RunScript = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def browser_programs(pytestconfig: pytest.Config) -> Programs:
    """Skips where they cannot be had; fails where they have to be."""
    try:
        return programs()
    except NoBrowserError as reason:
        pytestconfig.stash[_REASON] = str(reason)
        if must_be_had():
            pytest.fail(f"{reason} (CI is set: a skip is a failure)", pytrace=False)
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def browser(browser_programs: Programs) -> Iterator[str]:
    """Where the run's browser listens: it starts once, and each test opens windows of its own in it."""
    server = subprocess.Popen(
        [browser_programs.node, str(FOLDER / "server.mjs")],
        env={**os.environ, "CHROMIUM": browser_programs.chromium, "NODE_OPTIONS": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        address = server.stdout.readline().decode().strip()
        assert address.startswith("ws://"), "the browser did not start"
        yield address
    finally:
        server.stdin.close()  # it ends with us, also when we are killed
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        server.stdout.close()


@pytest.fixture
def run_script(browser_programs: Programs, browser: str) -> RunScript:
    """Run a file of scripts against a console: `await run_script("use.mjs", CONSOLE=url)`. What it said."""

    async def run(name: str, **environment: str) -> str:
        process = await asyncio.create_subprocess_exec(
            browser_programs.node,
            "--test-reporter=spec",
            "--test-concurrency=1",
            "--test",
            str(FOLDER / name),
            env={**os.environ, "BROWSER": browser, "NODE_OPTIONS": "", **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(SCRIPT_SECONDS):
                said, _ = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        text = said.decode("utf-8", "replace")
        assert process.returncode == 0, f"{name}\n{text[-12_000:]}"
        return text

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if reason := config.stash.get(_REASON, ""):
        terminalreporter.write_line(f"No browser: {reason}", red=True, bold=True)
