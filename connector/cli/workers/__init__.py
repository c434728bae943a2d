"""`sms-connector run --workers N --with receive,receipts`: processes kept running, with one port for all of them."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from connector.cli.workers.merged_health import ParentConsole
from connector.cli.workers.supervisor import Supervisor
from connector.clock import SystemClock
from connector.errors import UsageError
from connector.kafka.admin import describe_topics, open_admin
from connector.safe_path import isolated
from connector.settings.model import Settings
from connector.stream.shutdown.stop_signals import StopSignals

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 30.0
"""Beyond the drain: what a worker's own deadlines allow for results, commit and leaving the group."""

BESIDE = {"receive": ("receive",), "receipts": ("receipts", "run")}
"""What may run beside workers, and the command it is."""

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def child_socket(folder: Path, worker: int) -> Path:
    """Where a worker answers its parent."""
    return folder / str(worker)


def supervise(
    settings: Settings,
    number: int,
    arguments: Sequence[str],
    place: socket.socket | None,
    signals: StopSignals,
    *,
    beside: Sequence[str] = (),
) -> int:
    """Run so many workers, and what is named in `beside`, until SIGTERM or SIGINT; returns the exit code.

    Each gets the same `arguments`; the pages for all listen at `place`, if anywhere.
    The `signals` of this process are taken already.

    Raises:
        UsageError: there are more workers than partitions.
    """
    with tempfile.TemporaryDirectory(prefix="sms-workers-") as folder:
        commands: dict[str, Sequence[str]] = {str(worker): ("run",) for worker in range(number)}
        commands |= {name: BESIDE[name] for name in beside}
        work = _supervise(settings, number, commands, arguments, place, Path(folder), signals=signals)
        return signals.run(work) or 0


async def enough_partitions(settings: Settings, number: int) -> None:
    """Raises UsageError where some of so many workers could own nothing."""
    async with open_admin(settings) as client:
        actual = await describe_topics(client, settings.topics.source_names)
    most = max((topic.partitions for topic in actual.values()), default=0)
    if actual and number > most:
        raise UsageError(
            f"--workers {number}: the source topics have {most} partitions, and a worker without one does nothing; "
            f"write --workers {most} or add partitions with `sms-connector topics expand`"
        )


async def _supervise(  # noqa: PLR0917
    settings: Settings,
    number: int,
    commands: Mapping[str, Sequence[str]],
    arguments: Sequence[str],
    place: socket.socket | None,
    folder: Path,
    *,
    signals: StopSignals,
) -> int:
    await enough_partitions(settings, number)
    names = list(commands)

    async def start(worker: int) -> asyncio.subprocess.Process:
        path = child_socket(folder, worker)
        path.unlink(missing_ok=True)  # of the one before it
        command = [sys.executable, *isolated(), "-m", "connector", *commands[names[worker]], *arguments, "--child"]
        command += [str(worker), str(path)]
        if settings.static_membership is not None:
            command += ["--set", f"static_membership={settings.static_membership}-{worker}"]
        # A session of its own: Ctrl-C reaches the parent alone, which tells each once.
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_parent()
        )

    supervisor = Supervisor(len(names), start, clock=SystemClock(), patience=settings.timeouts.drain + PATIENCE_SECONDS)
    loop = asyncio.get_running_loop()
    signals.tell(lambda each: loop.call_soon_threadsafe(_stop, supervisor, each))
    loop.add_signal_handler(signal.SIGHUP, supervisor.tell, signal.SIGHUP)
    console = ParentConsole(folder, supervisor.restarts, names)
    if place is not None:
        await console.start(place)
    try:
        return await supervisor.run()
    finally:
        await console.stop()


def _stop(supervisor: Supervisor, number: signal.Signals) -> None:
    log.info("stopping all workers", signal=number.name)
    supervisor.stop()


def _die_with_parent() -> Callable[[], None] | None:
    """What a worker does before it starts, on Linux: ask for SIGTERM when its parent is killed. None is left then."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended in between
            os._exit(1)

    return prepare
